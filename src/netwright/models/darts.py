"""Networks of published cells for small images: NASNet-A, AmoebaNet-A, and the two of DARTS.

A cell takes the outputs of the two cells before it; each of its nodes is the sum of two operations, each on
an earlier tensor of the cell; some nodes are concatenated. The cells are those of their papers in the form
that [Liu et al. 2019, arXiv:1806.09055] gave them, and so is the network: a 3x3 stem, normal cells, and a
reduction cell at one and at two thirds of the depth. The auxiliary head, which is there in training only, is
left out. Places: ``stem``, ``cells.0.input0`` (the preparation of an input), ``cells.0.node1.0`` (the first
operation of the first node), ``cells.0.node1.add``, ``classifier``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from netwright.blocks import cell_operation, classifier, convolve, factorized_reduce, relu_conv_bn
from netwright.errors import GraphError
from netwright.ir.graph import Graph, GraphBuilder, Tensor
from netwright.ir.ops import Add, Concat

Term = tuple[str, int]
"""An operation and the tensor it is applied to: 0 and 1 are the cell's inputs, 2 is the first node."""


@dataclass(frozen=True, slots=True)
class PublishedCell:
    """A cell without open decisions.

    Attributes:
        terms: two for each node, in order.
        concat: tensors that are concatenated to the cell's output.
    """

    terms: tuple[Term, ...]
    concat: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Genotype:
    """The two cells of a network.

    Attributes:
        normal: keeps the size of the map.
        reduction: its operations on the cell's inputs halve the map.
        channels: of the first cells' nodes, with which 20 cells have the parameters of the table in
            [Liu et al. 2019, arXiv:1806.09055]: 3.1, 3.1, 3.2 and 3.3 million.
    """

    normal: PublishedCell
    reduction: PublishedCell
    channels: int = 36


NASNET_A = Genotype(
    PublishedCell(
        (
            *(("sep_conv_5x5", 1), ("sep_conv_3x3", 0)),
            *(("sep_conv_5x5", 0), ("sep_conv_3x3", 0)),
            *(("avg_pool_3x3", 1), ("skip_connect", 0)),
            *(("avg_pool_3x3", 0), ("avg_pool_3x3", 0)),
            *(("sep_conv_3x3", 1), ("skip_connect", 1)),
        ),
        (2, 3, 4, 5, 6),
    ),
    PublishedCell(
        (
            *(("sep_conv_5x5", 1), ("sep_conv_7x7", 0)),
            *(("max_pool_3x3", 1), ("sep_conv_7x7", 0)),
            *(("avg_pool_3x3", 1), ("sep_conv_5x5", 0)),
            *(("skip_connect", 3), ("avg_pool_3x3", 2)),
            *(("sep_conv_3x3", 2), ("max_pool_3x3", 1)),
        ),
        (4, 5, 6),
    ),
    channels=32,
)
"""[Zoph et al. 2018, arXiv:1707.07012]."""

AMOEBANET_A = Genotype(
    PublishedCell(
        (
            *(("avg_pool_3x3", 0), ("max_pool_3x3", 1)),
            *(("sep_conv_3x3", 0), ("sep_conv_5x5", 2)),
            *(("sep_conv_3x3", 0), ("avg_pool_3x3", 3)),
            *(("sep_conv_3x3", 1), ("skip_connect", 1)),
            *(("skip_connect", 0), ("avg_pool_3x3", 1)),
        ),
        (4, 5, 6),
    ),
    PublishedCell(
        (
            *(("avg_pool_3x3", 0), ("sep_conv_3x3", 1)),
            *(("max_pool_3x3", 0), ("sep_conv_7x7", 2)),
            *(("sep_conv_7x7", 0), ("avg_pool_3x3", 1)),
            *(("max_pool_3x3", 0), ("max_pool_3x3", 1)),
            *(("conv_7x1_1x7", 0), ("sep_conv_3x3", 5)),
        ),
        (3, 4, 6),
    ),
)
"""[Real et al. 2019, arXiv:1802.01548]."""

DARTS_V1 = Genotype(
    PublishedCell(
        (
            *(("sep_conv_3x3", 1), ("sep_conv_3x3", 0)),
            *(("skip_connect", 0), ("sep_conv_3x3", 1)),
            *(("skip_connect", 0), ("sep_conv_3x3", 1)),
            *(("sep_conv_3x3", 0), ("skip_connect", 2)),
        ),
        (2, 3, 4, 5),
    ),
    PublishedCell(
        (
            *(("max_pool_3x3", 0), ("max_pool_3x3", 1)),
            *(("skip_connect", 2), ("max_pool_3x3", 0)),
            *(("max_pool_3x3", 0), ("skip_connect", 2)),
            *(("skip_connect", 2), ("avg_pool_3x3", 0)),
        ),
        (2, 3, 4, 5),
    ),
)
"""First-order search [Liu et al. 2019, arXiv:1806.09055]."""

DARTS_V2 = Genotype(
    PublishedCell(
        (
            *(("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
            *(("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
            *(("sep_conv_3x3", 1), ("skip_connect", 0)),
            *(("skip_connect", 0), ("dil_conv_3x3", 2)),
        ),
        (2, 3, 4, 5),
    ),
    PublishedCell(
        (
            *(("max_pool_3x3", 0), ("max_pool_3x3", 1)),
            *(("skip_connect", 2), ("max_pool_3x3", 1)),
            *(("max_pool_3x3", 0), ("skip_connect", 2)),
            *(("skip_connect", 2), ("max_pool_3x3", 1)),
        ),
        (2, 3, 4, 5),
    ),
)
"""Second-order search [Liu et al. 2019, arXiv:1806.09055]."""

GENOTYPES: Mapping[str, Genotype] = MappingProxyType(
    {"nasnet-a": NASNET_A, "amoebanet-a": AMOEBANET_A, "darts-v1": DARTS_V1, "darts-v2": DARTS_V2}
)
"""Published cells by name, in the form of [Liu et al. 2019, arXiv:1806.09055]."""

STEM_MULTIPLIER = 3
"""Channels of the stem over those of the first cell."""


def reductions(cells: int) -> tuple[int, int]:
    """Indices of the reduction cells: at one and at two thirds of the depth.

    >>> reductions(20), reductions(8)
    ((6, 13), (2, 5))
    """
    return cells // 3, 2 * cells // 3


def darts(
    genotype: str = "darts-v2",
    *,
    channels: int | None = None,
    cells: int = 20,
    classes: int = 10,
    resolution: int = 32,
    in_channels: int = 3,
) -> Graph:
    """A network of published cells, as DARTS trains it on CIFAR-10, without the auxiliary head.

    Args:
        genotype: one of ``GENOTYPES``.
        channels: of the nodes in the first cells, by default the published number; they double at each
            reduction.
        cells: number of cells, reduction cells included; at least 3.
        classes: number of logits.
        resolution: height and width of the images in pixels.
        in_channels: channels of the images.

    Raises:
        GraphError: if there is no such genotype or an argument does not fit.
    """
    if genotype not in GENOTYPES:
        raise GraphError(f"darts.genotype: expected one of {tuple(GENOTYPES)}, got {genotype!r}")
    if cells < 3:
        raise GraphError(f"darts.cells: expected at least 3, two of which are reductions, got {cells}")
    found = GENOTYPES[genotype]
    width = found.channels if channels is None else channels
    build = GraphBuilder()
    x = build.input((in_channels, resolution, resolution))
    before = last = convolve(build, x, "stem", out=STEM_MULTIPLIER * width, kernel=3, padding="symmetric")
    for index in range(cells):
        reduces = index in reductions(cells)
        width *= 2 if reduces else 1
        cell = found.reduction if reduces else found.normal
        with build.scope(f"cells.{index}"):
            before, last = last, _cell(build, cell, before, last, width, 2 if reduces else 1)
    with build.scope("classifier"):
        return build.finish(classifier(classes=classes)(build, last))


def _cell(
    build: GraphBuilder, cell: PublishedCell, before: Tensor, last: Tensor, channels: int, stride: int
) -> Tensor:
    """A cell behind the outputs of the two before it, the first of which may be twice as large."""
    tensors = []
    for number, x in enumerate((before, last)):
        larger = x.shape[1:] != last.shape[1:]
        with build.scope(f"input{number}"):
            fitted = factorized_reduce(out=channels) if larger else relu_conv_bn(out=channels)
            tensors.append(fitted(build, x))
    for node in range(len(cell.terms) // 2):
        with build.scope(f"node{node + 1}"):
            results = []
            for number, (operation, source) in enumerate(cell.terms[2 * node : 2 * node + 2]):
                step = stride if source < 2 else 1
                with build.scope(str(number)):
                    block = cell_operation(operation, stride=step, padding="symmetric")
                    results.append(block(build, tensors[source]))
            tensors.append(build.apply("add", Add(), *results))
    return build.apply("concat", Concat(), *(tensors[index] for index in cell.concat))
