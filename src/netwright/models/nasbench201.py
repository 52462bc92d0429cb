"""The networks of NAS-Bench-201 [Dong & Yang 2020, arXiv:2001.00326, Fig. 1].

A cell has four nodes; node 0 is its input, every later node the sum of one op on each node before it. The
network is a 3x3 stem, three stages of cells with a residual block between two stages, batch norm, relu,
pooling and a linear layer. Places: ``stem``, ``stage1.0.edge02`` (from node 0 to node 2),
``stage1.0.node2`` (its sum), ``reduction1``, ``last``, ``classifier``.
"""

from __future__ import annotations

from typing import Literal, cast, get_args

from netwright.blocks import bn_relu, cell_operation, classifier, convolve, residual_reduction
from netwright.errors import GraphError
from netwright.ir.graph import Graph, GraphBuilder, Tensor
from netwright.ir.ops import Add

Operation = Literal["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
"""What an edge can compute, in the benchmark's order."""

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(from, to) of the edges in the order of an architecture string."""

BEST_CIFAR10 = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"
)
"""The highest accuracy on CIFAR-10 after 200 epochs: 91.61 % in validation, 94.37 % in the test."""


def parse_architecture(text: str) -> tuple[Operation, ...]:
    """Read the operations of an architecture string, in the order of ``EDGES``.

    Args:
        text: such as ``|avg_pool_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|``.

    Raises:
        GraphError: if the string has another form or names an unknown operation.

    >>> parse_architecture("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|")[3:]
    ('skip_connect', 'none', 'nor_conv_3x3')
    """
    groups = text.split("+")
    cells = [part for group in groups for part in group.strip("|").split("|")]
    names = [part.rpartition("~")[0] for part in cells]
    if len(cells) != len(EDGES) or format_architecture(tuple(names)) != text:
        raise GraphError(
            "nasbench201.arch: expected a string of the form "
            f"|op~0|+|op~0|op~1|+|op~0|op~1|op~2|, got {text!r}"
        )
    for (source, target), name in zip(EDGES, names, strict=True):
        if name not in get_args(Operation):
            raise GraphError(
                f"nasbench201.arch: edge {source} to {target}: expected one of {get_args(Operation)}, "
                f"got {name!r}"
            )
    return tuple(cast(Operation, name) for name in names)


def format_architecture(operations: tuple[str, ...]) -> str:
    """Write operations, in the order of ``EDGES``, as an architecture string."""
    groups: dict[int, str] = {}
    for (source, target), operation in zip(EDGES, operations, strict=True):
        groups[target] = groups.get(target, "|") + f"{operation}~{source}|"
    return "+".join(groups.values())


def _cell(build: GraphBuilder, operations: tuple[Operation, ...], x: Tensor) -> Tensor:
    nodes = [x]
    for target in (1, 2, 3):
        terms = []
        for (source, node), operation in zip(EDGES, operations, strict=True):
            if node == target:
                with build.scope(f"edge{source}{target}"):
                    terms.append(cell_operation(operation, padding="symmetric")(build, nodes[source]))
        nodes.append(terms[0] if len(terms) == 1 else build.apply(f"node{target}", Add(), *terms))
    return nodes[-1]


def nasbench201(
    arch: str = BEST_CIFAR10,
    *,
    classes: int = 10,
    channels: int = 16,
    cells: int = 5,
    resolution: int = 32,
    in_channels: int = 3,
) -> Graph:
    """One network of NAS-Bench-201, dead operations included.

    The benchmark counts the bias of the classifier as operations: its figure is ``macs`` + ``classes``.

    Args:
        arch: the benchmark's string; ``op~i`` is an operation on node i, ``+`` begins the next node.
        classes: number of logits: 10, 100 or 120 (ImageNet16-120) in the benchmark.
        channels: of the first stage; they double from stage to stage.
        cells: in each stage.
        resolution: height and width of the images in pixels: 32, or 16 for ImageNet16-120.
        in_channels: channels of the images.

    Raises:
        GraphError: if the string or another argument does not fit.
    """
    operations = parse_architecture(arch)
    if cells < 1:
        raise GraphError(f"nasbench201.cells: expected at least 1, got {cells}")
    build = GraphBuilder()
    x = build.input((in_channels, resolution, resolution))
    x = convolve(build, x, "stem", out=channels, kernel=3, padding="symmetric")
    for stage in (1, 2, 3):
        if stage > 1:
            with build.scope(f"reduction{stage - 1}"):
                x = residual_reduction(out=2 * x.channels, padding="symmetric")(build, x)
        for index in range(cells):
            with build.scope(f"stage{stage}.{index}"):
                x = _cell(build, operations, x)
    with build.scope("last"):
        x = bn_relu()(build, x)
    with build.scope("classifier"):
        return build.finish(classifier(classes=classes)(build, x))
