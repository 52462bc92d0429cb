"""The five-step generator of NASNet: nodes that choose two inputs, an operation for each, a combination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, get_args

from netwright.errors import SpaceError
from netwright.ir.ops import Shape
from netwright.models.darts import Genotype, PublishedCell
from netwright.space import Architecture, ExpressionSpace, compile_space
from netwright.space.cell_grammar import Candidates, Combine, cell, five_steps
from netwright.spaces.cell_networks import cell_network, find_genotype, operation_blocks, small_defaults

OperationSet = Literal["nasnet", "notes"]
"""Names of sets of operations, see ``OPERATION_SETS``."""

OPERATION_SETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "nasnet": (
            *("skip_connect", "conv_3x1_1x3", "conv_7x1_1x7", "nor_conv_3x3_d2", "avg_pool_3x3"),
            *("max_pool_3x3", "max_pool_5x5", "max_pool_7x7", "nor_conv_1x1", "nor_conv_3x3"),
            *("sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7"),
        ),
        "notes": ("skip_connect", "avg_pool_3x3", "max_pool_3x3", "sep_conv_3x3", "sep_conv_5x5"),
    }
)
"""The 13 operations of [Zoph et al. 2018, arXiv:1707.07012, Sec. 3], and five of which most of the published
cells consist."""


def nasnet(
    input_shape: Shape,
    classes: int,
    *,
    blocks: int = 5,
    operations: OperationSet = "nasnet",
    candidates: Candidates = "all",
    combine: Sequence[Combine] = ("add", "concat"),
    cells: int | None = None,
    channels: int | None = None,
    reduction: bool = True,
) -> ExpressionSpace:
    """The space of NASNet [Zoph et al. 2018, arXiv:1707.07012, Fig. 2 and 3], for small images.

    A normal cell and a reduction cell of B blocks each; the network is a 3x3 stem and three stages of normal
    cells with a reduction cell between two stages. Block b chooses two inputs among the cell's two and the
    b - 1 blocks before it, an operation for each, and a combination; what no block takes is concatenated.
    With M operations and N combinations a cell has ``prod_b (b + 1)^2 * M^(2B) * N^B`` members, and
    ``4^B * M^(2B) * N^B`` where only the cell's two inputs are candidates (the formula of lecture notes).
    NASNet-A and AmoebaNet-A are members, see ``nasnet_architecture``.

    Args:
        input_shape: (channels, height, width) of the data; 3 x 32 x 32 in the paper.
        classes: number of classes.
        blocks: B, blocks of a cell.
        operations: "nasnet", the 13 of the paper, or "notes", five of these.
        candidates: what a block may take: "all" earlier tensors, or the cell's two "inputs".
        combine: ways to combine the two results.
        cells: normal cells in each stage; by default 6 as in the paper, and 1 for images below 32 pixels.
        channels: of the blocks in the first stage; by default 32, and 8 for images below 32 pixels, so that
            a network trains on the 8x8 digits in seconds. They double at each reduction.
        reduction: whether there is a reduction cell; without one the stem shrinks the map, and all cells are
            normal cells at one size, three times ``cells`` of them.

    Raises:
        SpaceError: if the images are below 8 pixels or an argument is not valid.

    >>> from netwright.space import size
    >>> size(nasnet((3, 32, 32), 10, operations="notes", candidates="inputs", reduction=False))
    320000000000
    """
    if operations not in OPERATION_SETS:
        raise SpaceError(f"nasnet.operations: expected one of {get_args(OperationSet)}, got {operations!r}")
    if not isinstance(blocks, int) or blocks < 1:
        raise SpaceError(f"nasnet.blocks: expected a positive integer, got {blocks!r}")
    stage, width = small_defaults("nasnet", input_shape, cells, channels, (6, 32), (1, 8))
    chosen = operation_blocks(OPERATION_SETS[operations])
    node = five_steps(chosen, combine=combine, candidates=candidates)
    normal = cell("normal", *[node] * blocks)
    layout = [normal] * 3 * stage
    if reduction:
        smaller = cell("reduction", *[node] * blocks, stride=2)
        layout = [*[normal] * stage, smaller, *[normal] * stage, smaller, *[normal] * stage]
    return compile_space(cell_network(layout, input_shape, classes, width, shrink=not reduction), "nasnet")


def nasnet_architecture(space: ExpressionSpace, genotype: Genotype | str) -> Architecture:
    """The member of a ``nasnet`` space that has published cells.

    Args:
        space: made by ``nasnet`` with as many blocks as the cells have.
        genotype: the cells, or their name, such as "nasnet-a"; the reduction cell is left out where the space
            has none.

    Raises:
        SpaceError: if the cells have another number of blocks, or take an operation or an input that the
            space does not have.
    """
    found = find_genotype(genotype)
    names = {decision.name for decision in space.decisions}
    choices: dict[str, int | str] = {}
    for name, published in (("normal", found.normal), ("reduction", found.reduction)):
        if any(decision.startswith(f"{name}.") for decision in names):
            choices |= _cell_choices(name, published, names)
    return space.architecture(choices)


def _cell_choices(name: str, published: PublishedCell, names: set[str]) -> dict[str, int | str]:
    choices: dict[str, int | str] = {}
    for index, (operation, source) in enumerate(published.terms):
        node, term = index // 2 + 1, index % 2 + 1
        choices[f"{name}.{node}.input{term}"] = source
        choices[f"{name}.{node}.op{term}"] = operation
        if f"{name}.{node}.combine" in names:
            choices[f"{name}.{node}.combine"] = "add"
    return choices
