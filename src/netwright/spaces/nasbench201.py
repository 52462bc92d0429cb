"""The space of NAS-Bench-201: one cell of six edges."""

from __future__ import annotations

from typing import get_args

from netwright import blocks as B
from netwright.errors import SpaceError
from netwright.ir.ops import Shape
from netwright.models.nasbench201 import EDGES, Operation, format_architecture, parse_architecture
from netwright.space import Architecture, ExpressionSpace, compile_space, place, sequential
from netwright.space.cell_grammar import cell, each
from netwright.space.cell_stack import cells as cell_stack
from netwright.spaces.cell_networks import operation_blocks, small_defaults

OPERATIONS: tuple[str, ...] = get_args(Operation)
"""What an edge can compute, in the order of the benchmark: none, skip_connect, nor_conv_1x1 ..."""

PUBLISHED = (5, 16)
"""Cells in each stage, and channels of the first."""

IMAGENET16 = (3, 16, 16)
"""The smallest images of the benchmark."""


def nasbench201(
    input_shape: Shape, classes: int, *, channels: int | None = None, cells: int | None = None
) -> ExpressionSpace:
    """The space of NAS-Bench-201 [Dong & Yang 2020, arXiv:2001.00326]: 5^6 = 15,625 networks.

    A cell of four nodes: the input, and three nodes that sum one of five operations on every node before
    them. The network is a 3x3 stem, three stages of cells with a residual block between two stages, batch
    norm, relu and a classifier. The decisions are the edges in the order of the benchmark's strings, see
    ``nasbench201_architecture``; ranks number them in base 5.

    Args:
        input_shape: (channels, height, width) of the data; 3 x 32 x 32 or 3 x 16 x 16 in the benchmark.
        classes: number of classes.
        channels: of the first stage; by default 16, as in the benchmark, and 8 for images below 32 pixels
            other than those of the benchmark, so that a network trains on the 8x8 digits in seconds.
        cells: in each stage; by default 5, and 1 for such images.

    Raises:
        SpaceError: if the images are below 8 pixels or an argument is not valid.

    >>> from netwright.space import size
    >>> size(nasbench201((3, 32, 32), 10))
    15625
    """
    small = PUBLISHED if tuple(input_shape) == IMAGENET16 else (1, 8)
    number, width = small_defaults("nasbench201", input_shape, cells, channels, PUBLISHED, small)
    node = each(operation_blocks(OPERATIONS))
    body = [cell("cell", node, node, node, output="last")] * number
    reductions = [B.residual_reduction(out=factor * width) for factor in (2, 4)]
    expression = sequential(
        place("stem", B.conv_bn_act(out=width, activation=None)),
        cell_stack("cells", *body, reductions[0], *body, reductions[1], *body, width=width, inputs=1),
        place("last", B.bn_relu()),
        place("classifier", B.classifier(classes=classes)),
        input=input_shape,
    )
    return compile_space(expression, "nasbench201")


def nasbench201_architecture(space: ExpressionSpace, arch: str) -> Architecture:
    """The member of a ``nasbench201`` space that an architecture string of the benchmark names.

    Args:
        space: made by ``nasbench201``.
        arch: such as ``|avg_pool_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|``.

    Raises:
        GraphError: if the string has another form or names an unknown operation.
        SpaceError: if the space is another.
    """
    operations = parse_architecture(arch)
    return space.architecture({edge_name(*edge): name for edge, name in zip(EDGES, operations, strict=True)})


def nasbench201_string(architecture: Architecture) -> str:
    """The benchmark's string of a member of a ``nasbench201`` space.

    Raises:
        SpaceError: if the architecture is of another space.

    >>> space = nasbench201((3, 32, 32), 10)
    >>> text = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
    >>> nasbench201_string(nasbench201_architecture(space, text)) == text
    True
    """
    names = [edge_name(*edge) for edge in EDGES]
    if [name for name, _ in architecture] != names:
        raise SpaceError(
            f"architecture: expected one of space nasbench201 with the decisions {names}, "
            f"got one of {architecture.space}"
        )
    return format_architecture(tuple(str(value) for _, value in architecture))


def edge_name(source: int, target: int) -> str:
    """Name of the decision about an edge between two nodes, which count from the cell's input, node 0.

    >>> edge_name(0, 2)
    'cell.2.from0'
    """
    return f"cell.{target}.from{source}"
