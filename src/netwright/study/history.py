"""The finished trials of a study, as an immutable value in memory."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netwright.pareto import Point, as_shares, dominates, hypervolume, nondominated, volume_added
from netwright.trial import Metric, Objectives, Trial, scores_of, value_of


@dataclass(frozen=True, slots=True)
class History:
    """What a search has found out so far.

    Trials that still run are not part of it, so the numbers may have gaps while a search runs. A search that
    stopped by itself (number of trials, time, space exhausted) leaves none.

    Attributes:
        objective: the metric or cost that says which trial is best.
        trials: the finished trials, complete and failed, in the order of their numbers.
        further: the other objectives, in case there are several.
    """

    objective: Metric
    trials: tuple[Trial, ...] = ()
    further: Objectives = ()

    @staticmethod
    def of(objective: Metric, trials: Iterable[Trial], further: Objectives = ()) -> History:
        """Make a history of trials in any order."""
        return History(objective, tuple(sorted(trials, key=lambda trial: trial.number)), further)

    @property
    def objectives(self) -> Objectives:
        """All objectives, the one that says which trial is best first."""
        return (self.objective, *self.further)

    def __len__(self) -> int:
        return len(self.trials)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.trials)

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self._find(number) is not None

    def __getitem__(self, number: int) -> Trial:
        """Give the trial with this number.

        Raises:
            KeyError: if no trial with this number has finished.
        """
        trial = self._find(number)
        if trial is None:
            raise KeyError(f"trial {number} has not finished; {len(self.trials)} trials have")
        return trial

    def _find(self, number: int) -> Trial | None:
        at = bisect_left(self.trials, number, key=lambda trial: trial.number)
        if at < len(self.trials) and self.trials[at].number == number:
            return self.trials[at]
        return None

    @property
    def completed(self) -> tuple[Trial, ...]:
        """The trials that have metrics, in the order of their numbers."""
        return tuple(trial for trial in self.trials if trial.complete)

    @property
    def failed(self) -> tuple[Trial, ...]:
        """The trials that ended with a reason instead of metrics, in the order of their numbers."""
        return tuple(trial for trial in self.trials if not trial.complete)

    @property
    def best(self) -> Trial | None:
        """The complete trial with the best objective; the earliest of equals; None if none is complete."""
        best: Trial | None = None
        for trial in self.trials:
            best = better_of(self.objective, best, trial)
        return best

    def top(self, count: int) -> tuple[Trial, ...]:
        """Give the best complete trials, the best first; of equals the earlier one first.

        Args:
            count: how many trials at most.
        """
        sign = -1.0 if self.objective.direction == "maximize" else 1.0
        ranked = sorted(
            self.completed, key=lambda trial: (sign * value_of(trial, self.objective), trial.number)
        )
        return tuple(ranked[:count])

    @property
    def pareto(self) -> tuple[Trial, ...]:
        """The trials that no other dominates, in the order of their numbers: the Pareto front.

        Of equal trials all are on it. Only complete trials within the budget are; with one objective those
        that are best by it.
        """
        known = [(trial, scores) for trial in self.trials if (scores := scores_of(trial, self.objectives))]
        return tuple(known[index][0] for index in nondominated([scores for _, scores in known]))

    def hypervolume(self, reference: Mapping[str, float], ideal: Mapping[str, float]) -> float:
        """How much of what can be reached has been reached: a share, 0 to 1, larger is better, exact.

        It is the hypervolume that some trial dominates, as a share of the box between two values of each
        objective. What it says depends on them, so compare it only where both are the same.

        Args:
            reference: a value of each objective, by name, beyond which a trial counts for nothing.
            ideal: a better value of each, which no trial exceeds.
        """
        points = [scores for trial in self.trials if (scores := scores_of(trial, self.objectives))]
        return hypervolume(*self._on_the_box(points, reference, ideal))

    def hypervolumes(self, reference: Mapping[str, float], ideal: Mapping[str, float]) -> tuple[float, ...]:
        """The same after each trial: one share for each trial of the history."""
        shares: list[float] = []
        before: list[Point] = []
        total = 0.0
        for trial in self.trials:
            scores = scores_of(trial, self.objectives)
            if scores is not None:
                (point,), origin = self._on_the_box([scores], reference, ideal)
                total += volume_added(point, before, origin)
                before = [*before, point]
                before = [before[index] for index in nondominated(before)]
            shares.append(total)
        return tuple(shares)

    def _on_the_box(
        self, points: Sequence[Point], reference: Mapping[str, float], ideal: Mapping[str, float]
    ) -> tuple[list[tuple[float, ...]], tuple[float, ...]]:
        """Points on a scale from 0 to 1, and where it begins."""
        signs = [1 if objective.direction == "maximize" else -1 for objective in self.objectives]
        ends = [
            tuple(sign * end[objective.name] for sign, objective in zip(signs, self.objectives, strict=True))
            for end in (reference, ideal)
        ]
        return as_shares(points, *ends), (0.0,) * len(signs)

    def comparable(self) -> list[dict[str, Any]]:
        """Give the content that two runs with the same seed must share, as plain JSON values.

        It leaves out the timings, and it writes numbers that are not finite as words, so that equal
        histories are equal values.
        """
        return [_content(trial) for trial in self.trials]


def better_of(objective: Metric, best: Trial | None, trial: Trial) -> Trial | None:
    """Keep the better of two trials: a step of a running best.

    Args:
        objective: the metric to compare by.
        best: the best complete trial so far, or None.
        trial: the next trial in the order of numbers; it has to be truly better to win.
    """
    if not trial.complete:
        return best
    if best is None:
        return trial
    new, old = value_of(trial, objective), value_of(best, objective)
    if new == old:
        return min(best, trial, key=lambda one: one.number)
    return trial if (new > old) == (objective.direction == "maximize") else best


def front_with(objectives: Objectives, front: tuple[Trial, ...], trial: Trial) -> tuple[Trial, ...]:
    """The Pareto front with one more trial: a step of a running front.

    Args:
        objectives: what to compare by.
        front: the front so far.
        trial: the next trial; it joins the front if nothing there dominates it, and drives out what it
            dominates.
    """
    scores = scores_of(trial, objectives)
    known = [(one, scores_of(one, objectives) or ()) for one in front]
    if scores is None or any(dominates(other, scores) for _, other in known):
        return front
    return (*(one for one, other in known if not dominates(scores, other)), trial)


def _content(trial: Trial) -> dict[str, Any]:
    proposal = trial.proposal
    return {
        "number": proposal.number,
        "architecture": proposal.architecture.to_dict(),
        "fidelity": proposal.fidelity,
        "parent": proposal.parent,
        "resume_from": proposal.resume_from,
        "state": trial.state.value,
        "metrics": _exact(trial.metrics),
        "costs": dict(trial.costs),
        "fits": trial.fits,
        "seed": trial.seed,
        "reason": trial.reason,
        "curve": [[step, _exact(metrics)] for step, metrics in trial.curve],
    }


def _exact(metrics: Mapping[str, float]) -> dict[str, float | str]:
    return {name: value if math.isfinite(value) else str(value) for name, value in metrics.items()}
