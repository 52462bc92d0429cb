"""What the main job tells those who watch it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from netwright.space import Count, Extremes
from netwright.study import Event


@dataclass(frozen=True, slots=True)
class Loaded:
    """The data are read and split.

    Attributes:
        name: how they were asked for.
        train: number of images that train.
        validation: number of images that validate.
        test: number of test images, which are not touched before the end.
        shape: (C, H, W) of an image.
        classes: number of classes.
        notes: what the reader decided.
    """

    name: str
    train: int
    validation: int
    test: int
    shape: tuple[int, int, int]
    classes: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """The space is compiled and the budget is known to be feasible.

    Attributes:
        space: id of the space.
        size: number of architectures.
        fitting: how many of them fit.
        extremes: smallest and largest of each cost over the whole space.
        budget: a line for each limit.
    """

    space: str
    size: int
    fitting: Count
    extremes: dict[str, Extremes]
    budget: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Searching:
    """Something happened in the search."""

    event: Event
    trials: int | None


@dataclass(frozen=True, slots=True)
class Finishing:
    """Something happened in the final trainings."""

    event: Event
    trials: int


@dataclass(frozen=True, slots=True)
class Exporting:
    """The winner is known and is being written."""

    folder: Path


Progress = Loaded | Checked | Searching | Finishing | Exporting
