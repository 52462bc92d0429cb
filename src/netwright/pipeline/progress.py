"""What the main job tells those who watch it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from netwright.nn.kind import IMAGES, Kind
from netwright.nn.task import CLASSIFICATION, Task
from netwright.space import Count, Extremes
from netwright.study import Event


@dataclass(frozen=True, slots=True)
class Loaded:
    """The data are read and split.

    Attributes:
        name: how they were asked for.
        train: number of rows that train.
        validation: number of rows that validate.
        test: number of test rows, which are not touched before the end.
        shape: (C, H, W) of a row.
        classes: number of classes.
        notes: what the reader decided.
        task: what the labels are for, which names the score.
        kind: what a row is.
    """

    name: str
    train: int
    validation: int
    test: int
    shape: tuple[int, int, int]
    classes: int
    notes: tuple[str, ...]
    task: Task = CLASSIFICATION
    kind: Kind = IMAGES


@dataclass(frozen=True, slots=True)
class Checked:
    """The space is compiled and the budget is known to be feasible.

    Attributes:
        space: id of the space.
        size: number of architectures.
        fitting: how many of them fit.
        extremes: smallest and largest of each cost over the whole space; None where they cannot be known.
        budget: a line for each limit.
    """

    space: str
    size: int
    fitting: Count
    extremes: Mapping[str, Extremes | None]
    budget: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """What will be done is known, and something is left to do.

    Attributes:
        trials: number of trials, or None where only the time is limited.
        fitting: whether ``trials`` is less than was asked for, since no more architectures fit.
        minutes: time for the search, or None.
        workers: trials at a time.
        epochs: epochs of a full training.
        fidelity: share of it that a trial gets.
        top: number of architectures that are trained in full.
        objectives: what is optimised, as it was typed.
    """

    trials: int | None
    fitting: bool
    minutes: float | None
    workers: int
    epochs: int
    fidelity: float
    top: int
    objectives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Searching:
    """Something happened in the search.

    Attributes:
        event: what.
        trials: number of trials, or None where only the time is limited.
        seconds_left: until no further trial is begun, or None where the time is not limited.
    """

    event: Event
    trials: int | None
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class Finishing:
    """Something happened in the final trainings.

    Attributes:
        event: what; its numbers count the final trainings.
        trials: how many there are.
        numbers: for each of them the trial of the search that had its architecture.
    """

    event: Event
    trials: int
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Exporting:
    """The winner is known and is being tested and written.

    Attributes:
        trial: the trial of the search that had its architecture.
        validation: the score of the task, 0 to 1, after the full training.
        folder: where the network goes.
    """

    trial: int
    validation: float
    folder: Path


Progress = Loaded | Checked | Planned | Searching | Finishing | Exporting
