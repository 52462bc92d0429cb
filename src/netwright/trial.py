"""What a search is made of: proposals, trials, and the protocols of those who make and judge them.

These are the values that strategies, estimators and studies exchange; they know no storage and no torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from netwright.errors import ConfigError, StudyError
from netwright.space.architecture import Architecture

Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True, slots=True)
class Metric:
    """What an estimator measures.

    Attributes:
        name: e.g. ``validation_accuracy``.
        unit: e.g. ``share`` (0 to 1), ``ms``, ``bytes``.
        direction: whether larger or smaller is better.
    """

    name: str
    unit: str
    direction: Direction


@dataclass(frozen=True, slots=True)
class Proposal:
    """An architecture that a strategy wants evaluated.

    Attributes:
        number: our own number and the identity of the trial (the store's own number is not).
        architecture: what to evaluate.
        fidelity: share of the full training that is spent on it, in (0, 1].
        parent: number of the proposal that it was varied from.
        resume_from: number of the proposal whose checkpoint it continues.
    """

    number: int
    architecture: Architecture
    fidelity: float = 1.0
    parent: int | None = None
    resume_from: int | None = None


class TrialState(str, Enum):
    """How an evaluation ended."""

    COMPLETE = "complete"
    FAILED = "failed"


CurvePoint = tuple[int, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Trial:
    """One evaluated proposal.

    Attributes:
        proposal: what was evaluated.
        state: complete or failed.
        metrics: what the estimator measured; empty for a failed trial.
        costs: exact costs of the network by name, see ``netwright.ir.cost.COSTS``.
        fits: whether the costs are within the budget.
        reason: why it failed, or None.
        seed: seed that the estimator used.
        curve: ``(step, metrics)`` pairs as reported while it ran, in order.
        started: Unix time in seconds.
        seconds: wall time of the evaluation.
    """

    proposal: Proposal
    state: TrialState
    metrics: Mapping[str, float]
    costs: Mapping[str, int]
    fits: bool
    seed: int
    reason: str | None = None
    curve: tuple[CurvePoint, ...] = ()
    started: float = field(default=0.0, compare=False)
    seconds: float = field(default=0.0, compare=False)

    @property
    def number(self) -> int:
        """The number of the proposal."""
        return self.proposal.number

    @property
    def complete(self) -> bool:
        """Whether there are metrics to learn from."""
        return self.state is TrialState.COMPLETE


Objectives = tuple[Metric, ...]
"""What a search optimises: metrics of the estimator or costs of the network, at least one."""


def value_of(trial: Trial, objective: Metric) -> float:
    """A complete trial's metric of the name of an objective, or else its cost of that name.

    Raises:
        StudyError: if it has neither.
    """
    value = trial.metrics.get(objective.name, trial.costs.get(objective.name))
    if value is None:
        raise StudyError(
            f"trial {trial.number}: expected the objective {objective.name!r} among its metrics, got "
            f"{', '.join(trial.metrics) or 'none'}; let the estimator return it, or choose another objective"
        )
    return value


def score_of(trial: Trial, objective: Metric) -> float | None:
    """What a trial is worth by one objective; larger is better, whichever way the objective goes.

    The value is that of ``value_of``.

    Returns:
        The score, or None if nothing can be learned from the trial: it failed, is not within the budget, or
        its value is not a number.

    Raises:
        StudyError: if a complete trial has neither a metric nor a cost of that name.
    """
    if not (trial.complete and trial.fits):
        return None
    value = value_of(trial, objective)
    if math.isnan(value):
        return None
    return float(value if objective.direction == "maximize" else -value)


def scores_of(trial: Trial, objectives: Objectives) -> tuple[float, ...] | None:
    """What a trial is worth by each objective, see ``score_of``; None if it is so for one of them.

    Raises:
        StudyError: if a complete trial has neither a metric nor a cost of a name.
    """
    scores = [score_of(trial, objective) for objective in objectives]
    return None if None in scores else tuple(score for score in scores if score is not None)


def single_objective(strategy: str, objectives: Objectives) -> Metric:
    """The objective of a strategy that has only one.

    Raises:
        ConfigError: if there are several, or none.
    """
    if len(objectives) != 1:
        names = ", ".join(objective.name for objective in objectives) or "none"
        raise ConfigError(
            f"strategy {strategy}: expected one objective, got {names}; give one, or use a strategy for "
            "several such as nsga2"
        )
    return objectives[0]


class Context(Protocol):
    """What an estimator may use while it evaluates one proposal."""

    @property
    def seed(self) -> int:
        """Seed of this trial, the same in every process that evaluates it."""

    @property
    def workdir(self) -> Path:
        """Folder of this trial: free for checkpoints, kept across a retry."""

    def checkpoint_of(self, number: int) -> Path | None:
        """The checkpoint file that another proposal has left, or None."""

    def report(self, step: int, metrics: Mapping[str, float]) -> bool:
        """Record intermediate metrics; True asks the estimator to stop early."""


class Estimator(Protocol):
    """A performance estimation strategy: architecture in, metrics out."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What ``__call__`` returns; the first is the objective."""

    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        """Evaluate a proposal; raises to make the trial fail with that reason."""


class Strategy(Protocol):
    """A search strategy: a fold over the trials before.

    The state is a function of the trials alone, and a proposal one of state, generator and number.
    So resume, replay and audit are the same thing, and nothing of a strategy is ever saved.
    """

    @property
    def name(self) -> str:
        """The name on the command line."""

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> Any:
        """The state before any trial; the first objective is the one that a single best is told by."""

    def update(self, state: Any, trial: Trial) -> Any:
        """The state after one more trial; trials come in the order of their numbers."""

    def propose(self, state: Any, rng: np.random.Generator, number: int) -> Proposal | None:
        """The proposal with this number, or None when there is nothing left to propose."""
