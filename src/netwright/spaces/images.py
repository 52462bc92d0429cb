"""How a space meets the images of a task: their sizes, resolutions worth a try, and how often to halve them.

Spaces that were published for ImageNet halve the map five times. Small images leave nothing to convolve
then, so they are halved less often: the first strides become 1, as in networks for CIFAR.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod

from netwright.errors import SpaceError
from netwright.ir.ops import Shape
from netwright.space import choice
from netwright.space.expression import Choice

SMALLEST = 8
"""Height and width of the smallest images, in pixels."""

LEAST = 3
"""Pixels that the last map keeps on a side, at the smallest resolution."""


def square_images(space: str, input_shape: Shape, smallest: int = SMALLEST) -> tuple[int, int]:
    """Channels and size of the images that a space is for.

    Args:
        space: name of the space, for the message.
        input_shape: (channels, height, width) of the data.
        smallest: least height and width in pixels.

    Raises:
        SpaceError: if the images are not square or too small.
    """
    channels, height, width = input_shape if len(input_shape) == 3 else (0, 0, 0)
    if height != width or height < smallest or channels < 1:
        raise SpaceError(
            f"{space}: expected square images of at least {smallest} pixels, got {height}x{width} "
            f"(shape {tuple(input_shape)}); resize the images first"
        )
    return channels, height


def resolutions(size: int) -> tuple[int, ...]:
    """Resolutions worth a try for square images of a given size in pixels.

    Images below 16 pixels are also enlarged, so that there is something to convolve; larger ones are also
    shrunk, as memory and MACs grow with the square of the resolution.

    >>> resolutions(8), resolutions(28), resolutions(96)
    ((8, 12, 16), (20, 24, 28), (48, 64, 80, 96))
    """
    if size < 16:
        return size, size * 3 // 2, size * 2
    if size <= 32:
        return size - 8, size - 4, size
    smaller = (max(8, round(size * part / 12 / 8) * 8) for part in (6, 8, 10))
    return tuple(dict.fromkeys((*smaller, size)))


def resolution_choices(size: int, published: Sequence[int], fixed: int | None = None) -> tuple[int, ...]:
    """Resolutions of a space in which they are a decision.

    Args:
        size: height and width of the images in pixels.
        published: what the paper has; for images that are smaller than all of these, ``resolutions``.
        fixed: the only one, if it is given.

    >>> resolution_choices(224, (128, 224)), resolution_choices(28, (128, 224))
    ((128, 224), (20, 24, 28))
    """
    if fixed is not None:
        return (fixed,)
    return tuple(published) if size >= min(published) else resolutions(size)


def resolution_axis(sizes: Sequence[int]) -> int | Choice:
    """The height in the input of an expression: a decision called "resolution", unless there is one size."""
    return choice(*sizes, name="resolution") if len(sizes) > 1 else sizes[0]


def fewer_strides(strides: Sequence[int], size: int, least: int = LEAST) -> tuple[int, ...]:
    """Strides for images of another size: the first ones become 1 until the last map is large enough.

    Args:
        strides: the published strides, in the order of the network.
        size: the smallest resolution in pixels.
        least: pixels of the last map on a side.

    >>> fewer_strides((2, 1, 2, 2, 2), 96), fewer_strides((2, 1, 2, 2, 2), 20)
    ((2, 1, 2, 2, 2), (1, 1, 2, 2, 2))
    """
    kept = list(strides)
    for index in range(len(kept)):
        if ceil(size / prod(kept)) >= least:
            break
        kept[index] = 1
    return tuple(kept)
