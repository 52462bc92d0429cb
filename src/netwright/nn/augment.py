"""Augmentation of whole batches on the device: random shift, horizontal flip, cutout, masks.

All random numbers come from one CPU generator, so a seed draws the same on every device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from netwright.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What is done to an image at random, relative to its size so that it suits every resolution.

    Attributes:
        name: the name on the command line.
        shift: largest shift in each direction, as a share of the side; at least one pixel unless 0.
        flip: whether half of the images are mirrored left to right.
        cutout: side of the square that is blotted out, as a share of the side; 0 blots nothing.
        rise: largest shift up and down where it differs from ``shift``.
        mask: (rows, columns), the most that are blotted out from side to side in one stripe each, as shares.
    """

    name: str
    shift: float = 0.0
    flip: bool = False
    cutout: float = 0.0
    rise: float | None = None
    mask: tuple[float, float] = (0.0, 0.0)


AUGMENTATIONS: Mapping[str, Augmentation] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            Augmentation("none"),
            Augmentation("flip", flip=True),
            Augmentation("shift", shift=1 / 12),
            Augmentation("shift-flip", shift=1 / 12, flip=True),
            Augmentation("shift-cutout", shift=1 / 12, cutout=1 / 4),
            Augmentation("shift-flip-cutout", shift=1 / 12, flip=True, cutout=1 / 4),
            # Bands move less than frames: a voice is higher or lower, but not by much.
            Augmentation("spectrogram", shift=1 / 12, rise=1 / 20, mask=(0.15, 0.15)),
        )
    }
)
"""The augmentations by name."""


def find_augmentation(name: str) -> Augmentation:
    """Look up an augmentation.

    Raises:
        ConfigError: if there is none of this name.

    >>> find_augmentation("shift").flip
    False
    """
    if name not in AUGMENTATIONS:
        raise ConfigError(f"augmentation: expected one of {', '.join(AUGMENTATIONS)}, got {name!r}")
    return AUGMENTATIONS[name]


def augment(batch: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Augment each image of a batch on its own; the batch itself is not changed.

    A shift repeats the border pixels, which needs no idea of what black is. A flip mirrors the width.
    Cutout sets a square to 0, the mean of normalised pixels; its centre is anywhere in the image, so the
    square may stick out [DeVries & Taylor 2017, arXiv:1708.04552]. Masks set a stripe of rows and one of
    columns to 0, of a width that is drawn too: of a spectrogram bands and frames [Park et al. 2019,
    arXiv:1904.08779].

    Args:
        batch: ``(B, C, H, W)``, normalised, on any device.
        augmentation: what to do.
        generator: a CPU generator; five numbers an image are drawn, and four more for masks.

    Returns:
        ``(B, C, H, W)`` in channels_last memory format.
    """
    return _augmented(batch, augmentation, _draw(batch, augmentation, generator))


def augment_labelled(
    batch: Tensor, labels: Tensor, augmentation: Augmentation, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Augment images together with the labels of their pixels; labels of whole images stay as they are.

    A label map is shifted and mirrored as its image. Where it is of another size than the image, the shift is
    the nearest whole number of its own pixels. Cutout hides pixels of the image only: what is behind the
    square is to be told from what is around it.

    Args:
        batch: as for ``augment``.
        labels: ``(B,)`` or ``(B, H', W')``, integers, on the device of the batch.
        augmentation: what to do.
        generator: as for ``augment``; the images are the same as there.

    Returns:
        The images, and labels of the same shape and dtype.
    """
    draws = _draw(batch, augmentation, generator)
    images = _augmented(batch, augmentation, draws)
    if labels.ndim == 1 or not (augmentation.shift or augmentation.flip):
        return images, labels
    rows, columns = _sources(
        (labels.shape[1], labels.shape[2]), (batch.shape[2], batch.shape[3]), augmentation, draws
    )
    number = torch.arange(len(labels), device=labels.device)
    return images, labels[number[:, None, None], rows[:, :, None], columns[:, None, :]]


def _draw(batch: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    return torch.rand(9 if any(augmentation.mask) else 5, len(batch), 1, generator=generator).to(batch.device)


def _augmented(batch: Tensor, augmentation: Augmentation, draws: Tensor) -> Tensor:
    count, _, height, width = batch.shape
    nhwc = batch.permute(0, 2, 3, 1)
    if augmentation.shift or augmentation.flip:
        rows, columns = _sources((height, width), (height, width), augmentation, draws)
        number = torch.arange(count, device=batch.device)
        nhwc = nhwc[number[:, None, None], rows[:, :, None], columns[:, None, :]]
    if augmentation.cutout:
        inside_rows = _inside(height, augmentation.cutout, draws[3])
        inside_columns = _inside(width, augmentation.cutout, draws[4])
        hidden = inside_rows[:, :, None, None] & inside_columns[:, None, :, None]
        nhwc = nhwc.masked_fill(hidden, 0.0)
    if any(augmentation.mask):
        rows = _stripe(height, augmentation.mask[0], draws[5], draws[6])
        columns = _stripe(width, augmentation.mask[1], draws[7], draws[8])
        nhwc = nhwc.masked_fill(rows[:, :, None, None] | columns[:, None, :, None], 0.0)
    return nhwc.contiguous().permute(0, 3, 1, 2)


def _sources(
    size: tuple[int, int], image: tuple[int, int], augmentation: Augmentation, draws: Tensor
) -> tuple[Tensor, Tensor]:
    """Source row and column of every row ``(B, H)`` and column ``(B, W)`` of a map that goes with an image.

    Args:
        size: height and width of the map.
        image: height and width of the image.
        augmentation: what moves.
        draws: of ``_draw``.
    """
    rise = augmentation.shift if augmentation.rise is None else augmentation.rise
    rows = _moved(size[0], image[0], rise, draws[0])
    columns = _moved(size[1], image[1], augmentation.shift, draws[1])
    if augmentation.flip:
        columns = torch.where(draws[2] < 0.5, columns.flip(1), columns)
    return rows, columns


def _moved(side: int, image: int, share: float, draw: Tensor) -> Tensor:
    """Give for each image the source index of every pixel along one side of a map, ``(B, side)``."""
    most = max(1, round(share * image)) if share else 0
    offset = torch.floor(draw * (2 * most + 1)) - most
    offset = torch.round(offset * side / image).long()
    return (torch.arange(side, device=draw.device) + offset).clamp(0, side - 1)


def _inside(side: int, share: float, draw: Tensor) -> Tensor:
    """Tell for each image which pixels along one side are within the square, ``(B, side)``."""
    length = max(1, round(share * side))
    start = torch.floor(draw * side).long() - length // 2
    place = torch.arange(side, device=draw.device)
    return (place >= start) & (place < start + length)


def _stripe(side: int, share: float, length_draw: Tensor, place_draw: Tensor) -> Tensor:
    """Tell for each image which rows or columns are within the stripe, ``(B, side)``; it may be empty."""
    most = round(share * side)
    length = torch.floor(length_draw * (most + 1)).long()
    start = torch.floor(place_draw * (side - length + 1)).long()
    place = torch.arange(side, device=place_draw.device)
    return (place >= start) & (place < start + length)
