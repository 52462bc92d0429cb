"""What spaces of cells have in common: the network around the cells, and sizes that suit the images."""

from __future__ import annotations

from collections.abc import Sequence

from netwright import blocks as B
from netwright.blocks import Block
from netwright.errors import SpaceError
from netwright.ir.ops import Shape
from netwright.models.darts import GENOTYPES, STEM_MULTIPLIER, Genotype
from netwright.space import place, sequential
from netwright.space.cell_grammar import Cell
from netwright.space.cell_stack import cells as cell_stack
from netwright.space.expression import Sequential
from netwright.spaces.images import SMALLEST

CIFAR_SIZE = 32
"""Images below this size, in pixels, get small networks by default."""


def operation_blocks(names: Sequence[str]) -> dict[str, Block]:
    """Operations of cells by their published names, for ``netwright.space.cell_grammar``."""
    return {name: B.cell_operation(name) for name in names}


def small_defaults(
    space: str,
    input_shape: Shape,
    cells: int | None,
    channels: int | None,
    published: tuple[int, int],
    small: tuple[int, int],
) -> tuple[int, int]:
    """Number of cells and channels where none are given, by the size of the images.

    Args:
        space: name of the space, for messages.
        input_shape: (channels, height, width) of the data.
        cells: as it was given.
        channels: as it was given.
        published: cells and channels for images of 32 pixels and more.
        small: the same for smaller images.

    Raises:
        SpaceError: if the images are below 8 pixels, or a number is not positive.
    """
    if len(input_shape) != 3 or input_shape[0] < 1 or min(input_shape[1:]) < SMALLEST:
        raise SpaceError(
            f"{space}: expected images (channels, height, width) of at least {SMALLEST} pixels, "
            f"got shape {tuple(input_shape)}; resize the images first"
        )
    default = published if min(input_shape[1:]) >= CIFAR_SIZE else small
    found = (default[0] if cells is None else cells, default[1] if channels is None else channels)
    for name, value in zip(("cells", "channels"), found, strict=True):
        if not isinstance(value, int) or value < 1:
            raise SpaceError(f"{space}.{name}: expected a positive integer, got {value!r}")
    return found


def cell_network(
    layout: Sequence[Cell], input_shape: Shape, classes: int, channels: int, *, shrink: bool
) -> Sequential:
    """A stem, a stack of cells of two inputs, and a classifier.

    Args:
        layout: the cells, in order.
        input_shape: (channels, height, width) of the data.
        classes: number of classes.
        channels: of the first cell's nodes.
        shrink: whether the stem halves the map: once below 16 pixels, otherwise twice.
    """
    wide = STEM_MULTIPLIER * channels
    stem = [place("stem", B.conv_bn_act(out=wide, stride=2 if shrink else 1, activation=None))]
    if shrink and min(input_shape[1:]) >= 2 * SMALLEST:
        stem.insert(0, place("stem0", B.conv_bn_act(out=-(-wide // 2), stride=2)))
    return sequential(
        *stem,
        cell_stack("cells", *layout, width=channels),
        place("classifier", B.classifier(classes=classes)),
        input=input_shape,
    )


def find_genotype(genotype: Genotype | str) -> Genotype:
    """Look up published cells.

    Raises:
        SpaceError: if there are none of this name.
    """
    if isinstance(genotype, Genotype):
        return genotype
    if genotype not in GENOTYPES:
        raise SpaceError(f"genotype: expected one of {tuple(GENOTYPES)}, got {genotype!r}")
    return GENOTYPES[genotype]
