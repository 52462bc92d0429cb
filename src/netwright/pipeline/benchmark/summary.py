"""From runs to numbers: means, errors, quantiles at the checkpoints, comparisons, and curves with bands."""

from __future__ import annotations

import csv
import io
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import StudyError
from netwright.files import write_whole
from netwright.pareto import hypervolume
from netwright.pipeline.benchmark.paired import Comparison, paired
from netwright.pipeline.benchmark.runs import Run, Step
from netwright.pipeline.benchmark.settings import Arena, final_metric

QUANTILES = (5, 25, 50, 75, 95)
"""In per cent."""

POINTS = 300
"""Points of a curve, at most."""

_BAND = 1.959963984540054
"""Standard errors on either side of a mean that a band of 95 % takes."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """One strategy at one checkpoint; accuracies in the units of the table.

    Attributes:
        strategy: label of the strategy.
        dataset: name of the data set.
        evaluations: after how many evaluations, or on average as many where time is counted.
        seconds: the simulated time of the checkpoint, where time is counted.
        seeds: number of runs.
        mean_test: mean over the runs of the test value of the architecture that a run would choose, the one
            that is best by what it was told; None where the table has no test values.
        standard_error: of that mean, or of the mean regret where there is none.
        mean_validation: mean of its objective.
        mean_validation_regret: mean of how much its objective is worse than the best of the table (within the
            limit on the latency, if there is one).
        standard_error_regret: of that mean.
        regret_quantiles: of the regrets, by per cent.
        found_optimum: share of the runs that have found the best of the table.
        evaluations_to_optimum: mean over those that found it by the end, or None.
        milliseconds_per_proposal: wall time.
        hypervolume: mean share of the hypervolume of the table's own Pareto front of objective and latency
            that the run's front has; None without a device.
        standard_error_hypervolume: of that mean.
    """

    strategy: str
    dataset: str
    evaluations: float
    seconds: float | None
    seeds: int
    mean_test: float | None
    standard_error: float | None
    mean_validation: float | None
    mean_validation_regret: float | None
    standard_error_regret: float | None
    regret_quantiles: tuple[float | None, ...]
    found_optimum: float
    evaluations_to_optimum: float | None
    milliseconds_per_proposal: float
    hypervolume: float | None = None
    standard_error_hypervolume: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, a column for each quantile."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        quantiles = plain.pop("regret_quantiles")
        plain |= {f"regret_{q}": value for q, value in zip(QUANTILES, quantiles, strict=True)}
        return plain


@dataclass(frozen=True, slots=True)
class Band:
    """A mean over runs and its 95 % confidence band; NaN where no run has a value."""

    mean: Numbers
    low: Numbers
    high: Numbers


@dataclass(frozen=True, slots=True)
class Course:
    """How the runs of one strategy went.

    Attributes:
        strategy: label of the strategy.
        x: evaluations or simulated seconds.
        regret: of the objective.
        median: of the regrets.
        test: of the test values, or None.
        hypervolume: or None.
    """

    strategy: str
    x: Numbers
    regret: Band
    median: Numbers
    test: Band | None
    hypervolume: Band | None


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """What a comparison found.

    Attributes:
        rows: a row for each strategy and checkpoint.
        courses: the curves, one for each strategy.
        comparisons: each strategy against one of them, at each checkpoint.
    """

    rows: tuple[Row, ...]
    courses: tuple[Course, ...]
    comparisons: tuple[Comparison, ...]


def summarise(arena: Arena, runs: Mapping[str, Sequence[Run]], against: str | None = None) -> BenchmarkResult:
    """Work out the numbers.

    Args:
        arena: the table and the rules.
        runs: of each strategy, by label; of the same seeds in the same order.
        against: label of the strategy that the others are compared with; by default the first.
    """
    measures = _Measures(arena)
    x = [point * arena.unit for point in arena.checkpoints]
    regrets = {label: _matrix(arena, mine, x, measures.regret) for label, mine in runs.items()}
    rows: list[Row] = []
    courses: list[Course] = []
    for label, mine in runs.items():
        rows += _rows(arena, measures, label, mine, x, regrets[label])
        courses.append(_course(arena, measures, label, mine))
    comparisons = paired(regrets, arena.checkpoints, against or next(iter(runs)))
    return BenchmarkResult(tuple(rows), tuple(courses), comparisons)


class _Measures:
    """What an architecture is worth, by row of the table."""

    def __init__(self, arena: Arena) -> None:
        table = arena.table
        self.objective = table.column(arena.objective.name).values
        sign = 1.0 if arena.objective.direction == "maximize" else -1.0
        self.regret = sign * (self.objective[arena.best] - self.objective)
        name = final_metric(table)
        self.test = None if name is None else table.column(name).values
        self._latency = arena.latency
        self._sign = sign
        if arena.latency is not None:
            known = ~np.isnan(self.objective) & ~np.isnan(arena.latency) & arena.allowed
            self._worst = float((sign * self.objective)[known].min()), float(arena.latency[known].max())
            self._whole = self._volume(np.flatnonzero(known).tolist())

    def hypervolume(self, rows: Sequence[int]) -> float:
        """Share of the hypervolume of the table's front that some rows have.

        The reference point is the worst objective and the largest latency in the table, within the limit.
        """
        return self._volume(rows) / self._whole if self._whole else math.nan

    def _volume(self, rows: Sequence[int]) -> float:
        assert self._latency is not None
        points = [(self._sign * float(self.objective[row]), -float(self._latency[row])) for row in rows]
        least, slowest = self._worst
        return hypervolume(points, (least, -slowest))


def _at(arena: Arena, steps: Sequence[Step], x: float) -> int:
    """How many of the steps were made up to a point on the axis."""
    axis = 1 if arena.settings.by == "seconds" else 0
    return bisect_right(steps, x + 1e-9, key=lambda step: step[axis])


def _matrix(arena: Arena, runs: Sequence[Run], x: Sequence[float], values: Numbers) -> Numbers:
    """``(runs, points)`` values of what each run would choose; NaN before its first result."""
    found = np.full((len(runs), len(x)), np.nan)
    for number, run in enumerate(runs):
        for point, here in enumerate(x):
            count = _at(arena, run.steps, here)
            if count:
                found[number, point] = values[run.steps[count - 1][2]]
    return found


def _volumes(arena: Arena, measures: _Measures, runs: Sequence[Run], x: Sequence[float]) -> Numbers:
    found = np.zeros((len(runs), len(x)))
    for number, run in enumerate(runs):
        before = 0
        for point, here in enumerate(x):
            count = _at(arena, run.front, here)
            if count != before:
                found[number, point:] = measures.hypervolume([step[2] for step in run.front[:count]])
                before = count
    return found


def _rows(
    arena: Arena, measures: _Measures, label: str, runs: Sequence[Run], x: Sequence[float], regrets: Numbers
) -> list[Row]:
    objective = _matrix(arena, runs, x, measures.objective)
    test = None if measures.test is None else _matrix(arena, runs, x, measures.test)
    volumes = None if arena.latency is None else _volumes(arena, measures, runs, x)
    arrivals = [
        next((step[0] for step in run.steps if measures.regret[step[2]] <= 0), math.nan) for run in runs
    ]
    proposals = sum(run.trials for run in runs)
    by_seconds = arena.settings.by == "seconds"
    rows = []
    for number, evaluations in enumerate(arena.checkpoints):
        regret = regrets[:, number]
        test_here = None if test is None else _mean(test[:, number])
        error = _error(regret) if test is None else _error(test[:, number])
        rows.append(
            Row(
                label,
                arena.table.dataset or arena.table.name,
                int(evaluations) if evaluations.is_integer() else round(evaluations, 6),
                x[number] if by_seconds else None,
                len(runs),
                test_here,
                error,
                _mean(objective[:, number]),
                _mean(regret),
                _error(regret),
                tuple(_quantile(regret, q / 100) for q in QUANTILES),
                float(np.mean(np.nan_to_num(regret, nan=math.inf) <= 0)),
                _mean(np.array(arrivals)),
                1000 * sum(run.wall for run in runs) / max(1, proposals),
                None if volumes is None else _mean(volumes[:, number]),
                None if volumes is None else _error(volumes[:, number]),
            )
        )
    return rows


def _course(arena: Arena, measures: _Measures, label: str, runs: Sequence[Run]) -> Course:
    if arena.settings.by == "evaluations" and arena.length <= POINTS:
        x = np.arange(1, int(arena.length) + 1, dtype=np.float64)
    else:
        x = np.linspace(arena.length / POINTS, arena.length, POINTS)
    points = x.tolist()
    regrets = _matrix(arena, runs, points, measures.regret)
    return Course(
        label,
        x,
        _band(regrets),
        np.array([np.nan if (one := _quantile(column, 0.5)) is None else one for column in regrets.T]),
        None if measures.test is None else _band(_matrix(arena, runs, points, measures.test)),
        None if arena.latency is None else _band(_volumes(arena, measures, runs, points)),
    )


def _known(values: Numbers) -> Numbers:
    known: Numbers = values[~np.isnan(values)]
    return known


def _mean(values: Numbers) -> float | None:
    known = _known(values)
    return float(known.mean()) if len(known) else None


def _error(values: Numbers) -> float | None:
    """Standard error of a mean; None for fewer than two values."""
    known = _known(values)
    return float(known.std(ddof=1) / math.sqrt(len(known))) if len(known) > 1 else None


def _quantile(values: Numbers, share: float) -> float | None:
    known = _known(values)
    return float(np.quantile(known, share)) if len(known) else None


def _band(values: Numbers) -> Band:
    means = np.array([np.nan if (one := _mean(column)) is None else one for column in values.T])
    errors = np.array([_error(column) or 0.0 for column in values.T])
    return Band(means, means - _BAND * errors, means + _BAND * errors)


# ------------------------------------------------------------------------------------------------- files


def write_files(out: Path, arena: Arena, result: BenchmarkResult) -> None:
    """Write ``table.csv``, ``comparisons.csv``, ``curves.csv`` and ``index.html`` into a folder.

    Raises:
        StudyError: if one cannot be written.
    """
    from netwright.pipeline.benchmark.page import page

    rows = [row.to_dict() for row in result.rows]
    compared = [one.to_dict() for one in result.comparisons]
    header = [*(field.name for field in fields(Comparison)), "verdict"]
    try:
        write_whole(out / "table.csv", _csv(list(rows[0]), [list(row.values()) for row in rows]))
        write_whole(out / "comparisons.csv", _csv(header, [list(one.values()) for one in compared]))
        write_whole(out / "curves.csv", _curves(arena, result))
        write_whole(out / "index.html", page(arena, result))
    except OSError as error:
        raise StudyError(f"--out: {out} cannot be written ({error})") from None


def _curves(arena: Arena, result: BenchmarkResult) -> str:
    by = arena.settings.by
    header = ["strategy", by]
    for name in ("regret", "test", "hypervolume"):
        header += [f"mean_{name}", f"{name}_low", f"{name}_high"]
    header.insert(5, "median_regret")
    lines: list[list[Any]] = []
    for course in result.courses:
        for point, x in enumerate(course.x.tolist()):
            line: list[Any] = [course.strategy, x]
            for band in (course.regret, course.test, course.hypervolume):
                line += (
                    ["", "", ""] if band is None else [band.mean[point], band.low[point], band.high[point]]
                )
            line.insert(5, course.median[point])
            lines.append(line)
    return _csv(header, lines)


def _csv(header: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([["" if _missing(cell) else cell for cell in line] for line in lines])
    return text.getvalue()


def _missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and math.isnan(cell))
