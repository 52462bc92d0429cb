"""Where the channels of a stored array are: images and windows of sensors, put into ``(N, C, H, W)``.

An array that can be read in two ways is refused, with what to add to it; nothing is guessed that could be
wrong without a word.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from netwright.errors import DataError

Array = npt.NDArray[Any]

LAYOUTS = ("NHW", "NHWC", "NCHW", "NTC", "NCT", "NT")
"""What an archive can say of its arrays: N rows, C channels, H x W pixels, T samples in time."""

MOST_CHANNELS = 4
"""An axis of at most this many entries is taken for the channels when an archive does not say."""

WINDOW_RATIO = 4
"""Of three axes without a layout the longer one is time if it has this many times the other's entries ..."""
IMAGE_RATIO = 2
"""... and the array is one of grey images if it has less than this many times; in between it is refused."""


def channels_first(array: Array, where: str, layout: str | None = None) -> Array:
    """Put images or windows into ``(N, C, H, W)``; windows become ``(N, C, 1, T)``.

    Without a layout:

    - Of four axes the last one is the channels if it has at most 4 entries and the second has more (NHWC),
      the second one in the mirrored case (NCHW).
    - Of three axes, not bytes, one at least 4 times as long as the other is time, and the other the channels
      (NTC or NCT); with less than 2 times they are grey images (NHW).

    Anything else is refused rather than guessed.

    Args:
        array: ``(N, H, W)``, ``(N, H, W, C)``, ``(N, C, H, W)``, ``(N, T, C)``, ``(N, C, T)`` or ``(N, T)``.
        where: what errors call it.
        layout: one of ``LAYOUTS``.

    Raises:
        DataError: if the layout is unknown, does not fit, or cannot be told from the shape.

    >>> channels_first(np.zeros((10, 8, 8, 3)), "x").shape
    (10, 3, 8, 8)
    >>> channels_first(np.zeros((10, 128, 6)), "x").shape
    (10, 6, 1, 128)
    """
    if layout is not None and layout not in LAYOUTS:
        raise DataError(f"{where}: expected layout {', '.join(LAYOUTS)}, got {layout!r}")
    if array.ndim not in (2, 3, 4) or 0 in array.shape:
        raise DataError(
            f"{where}: expected images of 3 or 4 axes (NHW, NHWC or NCHW) or windows of 3 (NTC or NCT), got "
            f"shape {array.shape}"
        )
    chosen = _told(array, where) if layout is None else layout
    if len(chosen) != array.ndim:
        raise DataError(f"{where}: layout {chosen} has {len(chosen)} axes, got shape {array.shape}")
    if chosen == "NCHW":
        return array
    if chosen == "NHWC":
        return np.moveaxis(array, 3, 1)
    if chosen == "NHW":
        return array[:, np.newaxis]
    if chosen == "NT":
        return array[:, np.newaxis, np.newaxis]
    return (np.moveaxis(array, 2, 1) if chosen == "NTC" else array)[:, :, np.newaxis]


def _told(array: Array, where: str) -> str:
    """The layout that the shape tells."""
    if array.ndim == 2:
        raise DataError(
            f"{where}: cannot tell what rows of shape {array.shape} are; {_add('NT')} for windows of one "
            "channel, or bring images to 3 or 4 axes"
        )
    if array.ndim == 3:
        return _told_of_three(array, where)
    last, second = array.shape[3] <= MOST_CHANNELS, array.shape[1] <= MOST_CHANNELS
    if last == second:
        raise DataError(
            f"{where}: cannot tell where the channels of shape {array.shape} are; {_add('NHWC', 'NCHW')}"
        )
    return "NHWC" if last else "NCHW"


def _told_of_three(array: Array, where: str) -> str:
    _, first, second = array.shape
    long, short = max(first, second), min(first, second)
    if long < IMAGE_RATIO * short:
        return "NHW"
    if long >= WINDOW_RATIO * short and array.dtype.kind in "if":
        return "NTC" if first > second else "NCT"
    raise DataError(
        f"{where}: cannot tell whether {array.dtype}{array.shape} are grey images or windows of a sensor, "
        f"samples by channels or channels by samples; {_add('NHW', 'NTC', 'NCT')}"
    )


def _add(*layouts: str) -> str:
    words = f"{', '.join(layouts[:-1])} or {layouts[-1]}" if len(layouts) > 1 else layouts[0]
    return f"add an array `layout` with the word {words}"
