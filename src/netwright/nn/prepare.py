"""From stored images to the tensors that a network trains on, and the device they live on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from netwright.errors import ConfigError, DataError

Array = npt.NDArray[Any]

_CHUNK = 1024  # images that are converted at a time, so that the peak memory is the result's


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mean and standard deviation of each channel, in the pixels' own unit (0..255 for uint8).

    Attributes:
        mean: one number a channel.
        std: one number a channel; 1 for a channel that is constant.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


def statistics(images: Array) -> Statistics:
    """Measure each channel over all pixels; give it the rows that train, never the others.

    Args:
        images: ``(N, C, H, W)``, uint8 or float32.

    Raises:
        DataError: if there are no images.

    >>> statistics(np.array([[[[0, 2]], [[7, 7]]]], dtype=np.uint8))
    Statistics(mean=(1.0, 7.0), std=(1.0, 1.0))
    """
    if images.ndim != 4 or images.size == 0:
        raise DataError(f"statistics: expected images (N, C, H, W), got shape {images.shape}")
    chunks = [images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK)]
    pixels = images.size // images.shape[1]
    mean = sum(chunk.sum(axis=(0, 2, 3), dtype=np.float64) for chunk in chunks) / pixels
    centre = mean[:, np.newaxis, np.newaxis]
    variance = sum(np.square(chunk - centre).sum(axis=(0, 2, 3)) for chunk in chunks) / pixels
    std = [float(value) if value > 0 else 1.0 for value in np.sqrt(variance)]
    return Statistics(tuple(float(value) for value in mean), tuple(std))


def prepare(
    images: Array,
    resolution: int | tuple[int, int],
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device | str = "cpu",
) -> Tensor:
    """Resize, normalise and keep images as one tensor on the device.

    Resizing is bilinear with antialiasing, once, on the CPU, so that every device trains on the same
    pixels. The memory is channels_last by stride even for one channel, where torch takes a tensor for
    channels_last that is not and then computes in the slower layout.

    Args:
        images: ``(N, C, H, W)``, uint8 or float32.
        resolution: side of the square, or (height, width), in pixels.
        mean: of each channel, in the unit of the pixels (``statistics``).
        std: of each channel, in the same unit.
        device: where the tensor is kept.

    Returns:
        ``(N, C, H', W')`` float32 of ``(pixel - mean) / std``, channels_last.

    Raises:
        DataError: if the shapes do not fit together.

    >>> prepare(np.zeros((2, 1, 8, 8), dtype=np.uint8), 4, [0.0], [1.0]).stride()
    (16, 1, 4, 1)
    """
    height, width = (resolution, resolution) if isinstance(resolution, int) else resolution
    if images.ndim != 4 or not len(mean) == len(std) == images.shape[1] or height < 1 or width < 1:
        raise DataError(
            f"prepare: expected images (N, C, H, W) with C means and deviations and a positive resolution, "
            f"got shape {images.shape}, {len(mean)} means, {len(std)} deviations, resolution {resolution}"
        )
    count, channels = images.shape[:2]
    result = torch.empty((count, height, width, channels), device=device)
    centre = torch.tensor(mean, dtype=torch.float32)
    scale = torch.tensor(std, dtype=torch.float32)
    for start in range(0, count, _CHUNK):
        chunk = torch.tensor(images[start : start + _CHUNK], dtype=torch.float32)
        if chunk.shape[2:] != (height, width):
            chunk = F.interpolate(
                chunk, size=(height, width), mode="bilinear", antialias=True, align_corners=False
            )
        result[start : start + _CHUNK] = (chunk.permute(0, 2, 3, 1) - centre) / scale
    return result.permute(0, 3, 1, 2)


def pick_device(accelerator: str = "auto") -> torch.device:
    """Choose where to train.

    Args:
        accelerator: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the first of cuda, mps, cpu that is there.

    Raises:
        ConfigError: if it is unknown or not there.

    >>> pick_device("cpu")
    device(type='cpu')
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if accelerator == "auto":
        return torch.device(next(name for name, found in there.items() if found))
    if accelerator not in there:
        raise ConfigError(f"accelerator: expected auto, cpu, cuda or mps, got {accelerator!r}")
    if not there[accelerator]:
        found = ", ".join(name for name, is_there in there.items() if is_there)
        raise ConfigError(
            f"accelerator: {accelerator} is not available to this torch ({torch.__version__}); "
            f"available: {found}. Use auto, or install a torch build for {accelerator}"
        )
    return torch.device(accelerator)
