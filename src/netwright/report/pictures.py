"""Small pictures inside the page: images of the test set and maps of classes."""

from __future__ import annotations

import base64
import colorsys
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from netwright.report import labels
from netwright.report.content import Example

Array = npt.NDArray[Any]
Colour = tuple[int, int, int]

_BACKGROUND: Colour = (222, 226, 230)
_PALETTE: tuple[Colour, ...] = (
    (0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (213, 94, 0), (86, 180, 233),
    (240, 228, 66), (90, 60, 160), (120, 72, 40), (40, 44, 52),
)  # fmt: skip
"""The palette of Okabe and Ito, and three more that differ from it in lightness."""
_FEW = 0.02


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """One example in the page.

    Attributes:
        image: address of the picture, with the picture in it.
        truth: the same of the map of true classes.
        prediction: the same of the map of predicted classes.
        score: in words.
        true_classes: which classes there are, in words.
        predicted_classes: the same as predicted.
    """

    image: str
    truth: str
    prediction: str
    score: str
    true_classes: str
    predicted_classes: str


def colours(classes: Sequence[str]) -> list[tuple[str, str]]:
    """Name and CSS colour of each class, for a legend."""
    return [
        (name, f"#{bytes(colour).hex()}") for name, colour in zip(classes, _palette(classes), strict=True)
    ]


def example_rows(examples: Sequence[Example], classes: Sequence[str]) -> list[ExampleRow]:
    """Draw examples.

    Args:
        examples: their labels are in ``[0, len(classes))``.
        classes: names in the order of the labels.
    """
    palette = np.array(_palette(classes), dtype=np.uint8)
    return [
        ExampleRow(
            image=_address(_pixels(example.image)),
            truth=_address(palette[example.truth]),
            prediction=_address(palette[example.prediction]),
            score=labels.percent(example.score, 1),
            true_classes=_named(example.truth, classes),
            predicted_classes=_named(example.prediction, classes),
        )
        for example in examples
    ]


def _palette(classes: Sequence[str]) -> list[Colour]:
    """Colours that differ: grey for a background, then a fixed list, then hues by the golden angle."""
    found: list[Colour] = []
    used = 0
    for name in classes:
        if name.lower() == "background":
            found.append(_BACKGROUND)
            continue
        if used < len(_PALETTE):
            found.append(_PALETTE[used])
        else:
            red, green, blue = colorsys.hsv_to_rgb(used * 0.618034 % 1, 0.55, 0.85)
            found.append((round(255 * red), round(255 * green), round(255 * blue)))
        used += 1
    return found


def _pixels(image: Array) -> Array:
    """``(H, W)`` or ``(H, W, 3)`` uint8 of an image ``(C, H, W)``; others than bytes are stretched."""
    shown = np.moveaxis(image, 0, 2) if len(image) == 3 else image[0]
    if shown.dtype == np.uint8:
        return shown
    low, high = float(shown.min()), float(shown.max())
    stretched: Array = ((shown - low) * (255 / (high - low or 1.0))).astype(np.uint8)
    return stretched


def _address(pixels: Array) -> str:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _named(map_of_classes: Array, classes: Sequence[str]) -> str:
    """The classes of a map, largest first and without traces, as words; a background is not worth one."""
    counts = np.bincount(map_of_classes.ravel(), minlength=len(classes))
    order = np.argsort(-counts, kind="stable")
    shown = [
        labels.shorten(classes[index], 20)
        for index in order
        if counts[index] > _FEW * map_of_classes.size and classes[index].lower() != "background"
    ]
    return ", ".join(shown) or "nothing"
