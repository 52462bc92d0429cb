"""What a report is made of: plain values that know neither plotly nor torch nor the study's storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from netwright.devices import Verdict
from netwright.ir.cost import COSTS, Cost
from netwright.ir.graph import Graph
from netwright.nn.kind import IMAGES, Kind
from netwright.nn.task import CLASSIFICATION, Task
from netwright.space.architecture import Architecture
from netwright.space.program import Decision
from netwright.trial import CurvePoint, Objectives, Trial

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The score of a network, accuracy or mean IoU, and how sure it is.

    Attributes:
        value: 0 to 1.
        interval: lower and upper bound of what it may be, 0 to 1; None where it is not known.
        basis: what the interval is, e.g. ``95 % interval, 360 images``.
    """

    value: float
    interval: tuple[float, float] | None = None
    basis: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One architecture that was trained in full.

    Attributes:
        architecture: which one.
        validation: its score, 0 to 1, after the full training; the best one is the winner.
        curve: ``(step, metrics)`` as reported while it was trained, in order.
    """

    architecture: Architecture
    validation: float
    curve: tuple[CurvePoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Front:
    """The Pareto front of a search with several objectives.

    Attributes:
        objectives: what was optimised, the score of the task first, then costs.
        trials: the trials that no other dominates.
        growth: the hypervolume after each trial, as a share of a box, 0 to 1.
        box: a line for each objective that says between which values the box is.
    """

    objectives: Objectives
    trials: tuple[Trial, ...]
    growth: tuple[float, ...]
    box: tuple[str, ...]

    @property
    def hypervolume(self) -> float:
        """After the last trial."""
        return self.growth[-1] if self.growth else 0.0


@dataclass(frozen=True, eq=False, slots=True)
class Example:
    """One image with what is true of its pixels and what the network says.

    Attributes:
        image: ``(C, H, W)`` numbers; grey or RGB, of other channels the first is shown.
        truth: class of each pixel, ``(H', W')`` integers.
        prediction: the same as the network has it.
        score: the score of this image alone.
    """

    image: Array
    truth: Array
    prediction: Array
    score: float


@dataclass(frozen=True, slots=True)
class Snippet:
    """A few lines to copy.

    Attributes:
        title: what they do, e.g. ``Run it with ONNX Runtime``.
        code: the lines.
    """

    title: str
    code: str


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything that a report shows.

    Attributes:
        title: headline of the page.
        command: the command that repeats the search.
        data: name of the data set.
        data_fingerprint: hash of the data.
        space: name of the search space.
        space_size: number of its architectures.
        fitting_lower: at least so many of them fit the budget.
        fitting_upper: at most so many do; equal to ``fitting_lower`` where the count is exact.
        fitting_likely: a 95 % interval of how many do, where they can only be told one by one.
        strategy: name of the search strategy.
        device: name of the device, or None where limits were given by hand or not at all.
        budget: a line for each limit that says where it comes from, as ``Budget.explain`` gives them.
        verdict: the winner's costs held against the limits.
        trials: the evaluated proposals, failed ones too.
        winner: the architecture that was chosen.
        graph: its network.
        cost: what that network costs.
        further_costs: what it costs besides, by name: latency, where there is a table of it.
        decisions: the decisions of the space in its order; empty where only the choices are to be shown.
        candidates: the architectures that were trained in full, the winner among them.
        validation: score of the winner on the validation set after the full training.
        test: score of the winner on the test set.
        seed: seed of the study.
        search_seconds: wall time of the search.
        final_seconds: wall time of the full trainings and the test.
        process_seconds: processor time of both, all processes together.
        versions: versions of what the result depends on, by name.
        snippets: how to load the export.
        finished: Unix time in seconds at which the run ended, or None.
        classes: names of the classes; needed for the next two.
        class_accuracy: the score of each class on the test set, NaN where it has none; or None.
        confusion: numbers of test items by true class (rows) and predicted class (columns), or None.
        task: what the network does with an image; names the objective and the score.
        kind: what a row of the data is.
        further: other shares on the test set, by what they are.
        examples: images of the test set, from the best to the worst; only where pixels bear the labels.
        front: the Pareto front, where there were several objectives.
    """

    title: str
    command: str
    data: str
    data_fingerprint: str
    space: str
    space_size: int
    fitting_lower: int
    fitting_upper: int
    strategy: str
    device: str | None
    budget: tuple[str, ...]
    verdict: Verdict
    trials: tuple[Trial, ...]
    winner: Architecture
    graph: Graph
    cost: Cost
    candidates: tuple[Candidate, ...]
    validation: Accuracy
    test: Accuracy
    seed: int
    search_seconds: float
    final_seconds: float
    process_seconds: float
    versions: Mapping[str, str]
    decisions: tuple[Decision, ...] = ()
    snippets: tuple[Snippet, ...] = ()
    finished: float | None = None
    classes: tuple[str, ...] = ()
    class_accuracy: tuple[float, ...] | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None
    task: Task = CLASSIFICATION
    kind: Kind = IMAGES
    further: Mapping[str, float] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()
    further_costs: Mapping[str, int] = field(default_factory=dict)
    front: Front | None = None
    fitting_likely: tuple[float, float] | None = None

    @property
    def item(self) -> str:
        """What bears a label, in words."""
        return self.kind.item if self.task == CLASSIFICATION else self.task.item

    @property
    def cost_names(self) -> tuple[str, ...]:
        """The costs that are shown of every trial; what a runtime needs takes the place of its estimates."""
        known = (*COSTS, *self.further_costs)
        dropped = ("weight_bytes", "peak_activation_bytes", "head_bytes")
        return tuple(name for name in known if "arena_bytes" not in known or name not in dropped)

    @property
    def objective(self) -> str:
        """The metric of a trial, and of a point of a learning curve, that the report is about."""
        return self.task.objective.name

    def __post_init__(self) -> None:
        """Check that the parts belong together.

        Raises:
            ValueError: if a complete trial lacks the objective, the cost is that of another graph, the front
                has not one hypervolume for each trial, or the confusion matrix or the accuracies by class do
                not have one row for each class.
        """
        for trial in self.trials:
            if trial.complete and self.objective not in trial.metrics:
                raise ValueError(
                    f"report.trials: expected trial {trial.number} to have the metric {self.objective}, "
                    f"got {sorted(trial.metrics)}"
                )
        if [row.name for row in self.cost.nodes] != [node.name for node in self.graph.nodes]:
            raise ValueError("report.cost: expected the cost of report.graph, got that of another graph")
        if self.front is not None and len(self.front.growth) != len(self.trials):
            raise ValueError(
                f"report.front: expected a hypervolume for each of {len(self.trials)} trials, "
                f"got {len(self.front.growth)}"
            )
        count = len(self.classes)
        if self.class_accuracy is not None and len(self.class_accuracy) != count:
            raise ValueError(
                f"report.class_accuracy: expected a share for each of {count} classes, "
                f"got {len(self.class_accuracy)}"
            )
        if self.confusion is not None and [len(row) for row in self.confusion] != [count] * count:
            raise ValueError(
                f"report.confusion: expected {count} rows of {count} numbers, one for each class, "
                f"got {len(self.confusion)} rows of {sorted({len(row) for row in self.confusion})}"
            )

    @property
    def complete(self) -> tuple[Trial, ...]:
        """The trials with metrics, in the order of their numbers."""
        return tuple(sorted((trial for trial in self.trials if trial.complete), key=lambda t: t.number))

    @property
    def failed(self) -> tuple[Trial, ...]:
        """The trials without, in the order of their numbers."""
        return tuple(sorted((trial for trial in self.trials if not trial.complete), key=lambda t: t.number))
