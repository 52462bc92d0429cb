"""The space of DARTS: cells whose nodes take two distinct earlier tensors, with an operation on each."""

from __future__ import annotations

from netwright.errors import SpaceError
from netwright.ir.ops import Shape
from netwright.models.darts import Genotype, PublishedCell, reductions
from netwright.space import Architecture, ExpressionSpace, compile_space
from netwright.space.cell_grammar import cell, choose
from netwright.spaces.cell_networks import cell_network, find_genotype, operation_blocks, small_defaults

OPERATIONS = (
    *("max_pool_3x3", "avg_pool_3x3", "skip_connect"),
    *("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"),
)
"""What an edge can compute, in the published order, without ``none``."""

NODES = 4


def darts(
    input_shape: Shape,
    classes: int,
    *,
    channels: int | None = None,
    cells: int | None = None,
    reduction: bool = True,
    none: bool = False,
) -> ExpressionSpace:
    """The space of DARTS [Liu et al. 2019, arXiv:1806.09055, Sec. 2.1 and 3.1.1], for small images.

    A normal and a reduction cell of four nodes each; node i takes two of the i + 1 tensors before it, with
    one of seven operations on each, and sums them; all nodes are concatenated. A cell has
    ``1 * 3 * 6 * 10 * 7^8 = 1,037,664,180`` members. The network is a 3x3 stem and cells; those at one and at
    two thirds of the depth are reduction cells. DARTS-V1 and V2 are members, see ``darts_architecture``.

    Args:
        input_shape: (channels, height, width) of the data; 3 x 32 x 32 in the paper.
        classes: number of classes.
        channels: of the nodes in the first cells; by default 16, as in the published search, and 8 for images
            below 32 pixels, so that a network trains on the 8x8 digits in seconds. The paper trains the
            result with 36. They double at each reduction.
        cells: number of cells, at least 3 with reduction cells; by default 8, as in the published search, and
            5 for images below 32 pixels. The paper trains the result with 20.
        reduction: whether there are reduction cells; without them the stem shrinks the map.
        none: whether an edge may also be left out, the published ``none``.

    Raises:
        SpaceError: if the images are below 8 pixels or an argument is not valid.

    >>> from netwright.space import size
    >>> size(darts((3, 32, 32), 10, reduction=False)), size(darts((3, 32, 32), 10))
    (1037664180, 1076746950455072400)
    """
    number, width = small_defaults("darts", input_shape, cells, channels, (8, 16), (5, 8))
    if reduction and number < 3:
        raise SpaceError(f"darts.cells: expected at least 3, two of which are reductions, got {number}")
    node = choose(2, operation_blocks(("none", *OPERATIONS) if none else OPERATIONS))
    normal = cell("normal", *[node] * NODES, output="all")
    layout = [normal] * number
    if reduction:
        smaller = cell("reduction", *[node] * NODES, output="all", stride=2)
        layout = [smaller if index in reductions(number) else normal for index in range(number)]
    return compile_space(cell_network(layout, input_shape, classes, width, shrink=not reduction), "darts")


def darts_architecture(space: ExpressionSpace, genotype: Genotype | str) -> Architecture:
    """The member of a ``darts`` space that has published cells.

    Args:
        space: made by ``darts``.
        genotype: cells of four nodes, or their name, such as "darts-v2"; the reduction cell is left out where
            the space has none.

    Raises:
        SpaceError: if the cells have another number of nodes, a node takes one tensor twice, or there is an
            operation that the space does not have.
    """
    found = find_genotype(genotype)
    choices: dict[str, str] = {}
    for name, published in (("normal", found.normal), ("reduction", found.reduction)):
        if any(decision.name.startswith(f"{name}.") for decision in space.decisions):
            choices |= _cell_choices(name, published)
    return space.architecture(choices)


def _cell_choices(name: str, published: PublishedCell) -> dict[str, str]:
    """Inputs are unordered in the space: the operation on the earlier tensor comes first."""
    choices: dict[str, str] = {}
    for number in range(len(published.terms) // 2):
        terms = sorted(published.terms[2 * number : 2 * number + 2], key=lambda term: term[1])
        if terms[0][1] == terms[1][1]:
            raise SpaceError(
                f"{name}.{number + 1}.inputs: expected two distinct tensors, got {terms[0][1]} twice"
            )
        if number:
            choices[f"{name}.{number + 1}.inputs"] = "+".join(str(source) for _, source in terms)
        for term, (operation, _) in enumerate(terms, 1):
            choices[f"{name}.{number + 1}.op{term}"] = operation
    return choices
