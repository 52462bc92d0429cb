"""Kinds of data: pictures, windows of sensors, clips of sound; each has words of its own in reports.

All of them are arrays ``(N, C, H, W)`` when a network meets them. A window is a map of height 1 whose width
is time; a clip is the picture of its spectrum, bands by frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from netwright.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of data.

    Attributes:
        name: of the kind.
        item: one row of the data, in words.
        value: what a row is made of, in words.
        classifier: what tells the class of a row, in words.
        grid: what the two axes of the network's input are.
    """

    name: str
    item: str
    value: str
    classifier: str
    grid: str

    @property
    def items(self) -> str:
        """Several rows, in words."""
        return f"{self.item}s"


IMAGES = Kind("images", "image", "pixel", "An image classifier", "pixels")
WINDOWS = Kind("windows", "window", "sample", "A classifier of sensor windows", "samples")
CLIPS = Kind("audio", "clip", "value", "A classifier of sound", "bands by frames")

KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in (IMAGES, WINDOWS, CLIPS)})
"""The kinds by name."""


def find_kind(name: str) -> Kind:
    """Look up a kind.

    Raises:
        ConfigError: if there is none of this name.

    >>> find_kind("windows").items
    'windows'
    """
    if name not in KINDS:
        raise ConfigError(f"kind: expected one of {', '.join(KINDS)}, got {name!r}")
    return KINDS[name]


def kind_of(shape: tuple[int, ...]) -> Kind:
    """Tell windows from images by the shape of all rows, ``(N, C, H, W)``: windows have the height 1.

    >>> kind_of((100, 6, 1, 128)).item, kind_of((100, 1, 28, 28)).item
    ('window', 'image')
    """
    return WINDOWS if shape[2] == 1 else IMAGES
