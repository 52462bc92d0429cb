"""What is compared, on what, and by what rules."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from netwright.errors import BudgetError, ConfigError
from netwright.estimators.tables import PUBLISHED, Table, Tabular, load_table, read_table
from netwright.estimators.tables.table import TEST, VALIDATION
from netwright.spaces.catalog import load_space
from netwright.strategies.registry import make_strategy
from netwright.trial import Metric, Objectives, Strategy

_COMMA = re.compile(r",(?![^\[]*\])")
"""A comma that is not within brackets."""

CHECKPOINTS = (25, 50, 100, 200, 300)
"""Evaluations after which results are compared, and the end."""

LEAST_COVERAGE = 0.01
"""Share of a space that a table must have for a search in it to make sense."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A strategy with its options.

    Attributes:
        name: of the strategy.
        options: by name.
    """

    name: str
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def label(self) -> str:
        """As it is written on the command line.

        >>> Contestant("evolution", (("population", 20),)).label
        'evolution:population=20'
        """
        return self.name + "".join(f":{name}={value}" for name, value in self.options)

    def make(self) -> Strategy:
        """The strategy.

        Raises:
            ConfigError: if there is none of this name, or an option is wrong.
        """
        return make_strategy(self.name, **dict(self.options))


def read_contestants(text: str) -> tuple[Contestant, ...]:
    """Read strategies as the command line has them.

    Args:
        text: names with commas between them, each perhaps with options: ``NAME:OPTION=VALUE:OPTION=VALUE``.
            A value may be a list in brackets.

    Raises:
        ConfigError: if there is none, one comes twice, there is none of this name, or an option is wrong.

    >>> [one.label for one in read_contestants("random,evolution:population=20:tournament=10")]
    ['random', 'evolution:population=20:tournament=10']
    """
    found: list[Contestant] = []
    for word in filter(None, (word.strip() for word in _COMMA.split(text))):
        name, *settings = word.split(":")
        options = []
        for setting in settings:
            option, equals, value = setting.partition("=")
            if not (option and equals):
                raise ConfigError(
                    f"--strategies: expected NAME:OPTION=VALUE, such as evolution:population=20, got {word!r}"
                )
            try:
                options.append((option, yaml.safe_load(value)))
            except yaml.YAMLError:
                raise ConfigError(
                    f"--strategies: {name}.{option}: expected a number, a word or a list in brackets, got "
                    f"{value!r}"
                ) from None
        contestant = Contestant(name, tuple(options))
        contestant.make()
        if contestant in found:
            raise ConfigError(f"--strategies: expected every strategy once, got {word!r} again")
        found.append(contestant)
    if not found:
        raise ConfigError(f"--strategies: expected names with commas between them, got {text!r}")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class BenchmarkSettings:
    """A comparison on one table.

    Attributes:
        table: name of a published table, or path of a CSV file.
        dataset: data set of a published table.
        space: space of a CSV file, a name or a file, see ``netwright.spaces.load_space``.
        minimize: metrics of a CSV file of which small values are good.
        data_dir: folder of the published tables.
        evaluations: length of a run.
        by: ``evaluations`` ends a run after that many; ``seconds`` after as much simulated time as that many
            take on average over the table.
        seconds: simulated time of a run, in place of the average.
        objective: the metric that is optimised; by default the validation accuracy where there is one.
        objectives: further objectives, for strategies that take several; the others get the first alone.
        device: whose latency matters.
        max_latency: upper limit on it in ms, or None.
        ask_again: whether a strategy that proposes what is known is asked again, as in ``netwright search``.
            By default it is not: what is known is told again without charge, as in published comparisons.
        lag: results that a proposal does not wait for, plus one; see ``search_in_memory``.
        table_seed: which training is told: ``mean``, ``any``, or a number, see ``Tabular``.
    """

    table: str
    dataset: str = ""
    space: str | None = None
    minimize: tuple[str, ...] = ()
    data_dir: str | None = None
    evaluations: int = 300
    by: Literal["evaluations", "seconds"] = "evaluations"
    seconds: float | None = None
    objective: str | None = None
    objectives: tuple[str, ...] = ()
    device: str | None = None
    max_latency: float | None = None
    ask_again: bool = False
    lag: int = 1
    table_seed: int | str = "mean"

    def __post_init__(self) -> None:
        """Check what can be checked without the table.

        Raises:
            ConfigError: if a value makes no sense.
        """
        for name, value in (("evaluations", self.evaluations), ("lag", self.lag)):
            if value < 1:
                raise ConfigError(f"--{name}: expected at least 1, got {value}")
        if self.by not in ("evaluations", "seconds"):
            raise ConfigError(f"--by: expected evaluations or seconds, got {self.by!r}")
        if self.seconds is not None and not (self.by == "seconds" and self.seconds > 0):
            raise ConfigError(f"--seconds: expected more than 0, and --by seconds, got {self.seconds:g}")
        if self.max_latency is not None and self.device is None:
            raise ConfigError(
                "--max-latency: expected --device NAME with it, whose latency is meant, got none"
            )
        if self.table_seed not in ("mean", "any") and not isinstance(self.table_seed, int):
            raise ConfigError(f"--table-seed: expected mean, any or a number, got {self.table_seed!r}")


@dataclass(frozen=True, eq=False)
class Arena:
    """What all runs of a comparison share: the table and the rules; made once in every process.

    Attributes:
        settings: the rules.
        table: the table.
        objective: what is compared.
        source: who answers.
        latency: ``(N,)`` ms on the device, or None.
        allowed: ``(N,)`` which rows are within the limit.
        best: row with the best value of the objective among them.
        unit: what one evaluation stands for on the axis of the run: 1, or the mean seconds of a training.
        length: of a run, on that axis.
    """

    settings: BenchmarkSettings
    table: Table
    objective: Metric
    source: Tabular
    latency: np.ndarray[Any, np.dtype[np.float64]] | None
    allowed: np.ndarray[Any, np.dtype[np.bool_]]
    best: int
    unit: float
    length: float

    @property
    def checkpoints(self) -> tuple[float, ...]:
        """Evaluations, or on average as many, after which results are compared."""
        end = self.length / self.unit
        return (*(float(one) for one in CHECKPOINTS if one < end), end)

    def objectives(self, strategy: Strategy) -> Objectives:
        """What a strategy optimises: all objectives, or the first if it takes only one."""
        goals = self.source.metrics
        if len(goals) > 1:
            try:
                strategy.init(self.table.space, {}, goals, 0)
            except ConfigError:
                return goals[:1]
        return goals

    def refuse(self, row: int) -> str | None:
        """Why a row must not be evaluated, or None."""
        if self.allowed[row]:
            return None
        assert self.latency is not None
        return (
            f"latency on {self.settings.device}: {self.latency[row]:g} ms, the limit is "
            f"{self.settings.max_latency:g} ms"
        )

    def fingerprint(self) -> dict[str, Any]:
        """Everything that a run's result depends on besides strategy and seed, as JSON values."""
        plain = asdict(self.settings)
        del plain["data_dir"]
        values = self.table.column(self.objective.name).values
        digest = hashlib.sha256(self.table.space.id.encode() + values.tobytes())
        return {
            **plain,
            "table": self.table.name,
            "minimize": list(self.settings.minimize),
            "objectives": list(self.settings.objectives),
            "objective": self.objective.name,
            "rows": len(self.table),
            "values": digest.hexdigest()[:16],
        }


def open_arena(settings: BenchmarkSettings) -> Arena:
    """Read the table and work out the rules.

    Raises:
        ConfigError: if the table has not what is asked for.
        DataError: if it cannot be read.
        BudgetError: if nothing is within the limit.
    """
    table = _table(settings)
    if table.coverage < LEAST_COVERAGE:
        raise ConfigError(
            f"{table}: expected a table of the whole space or a good part of it, got {len(table):,} "
            f"architectures of {table.space.name}, a share of {table.coverage:.1e}: a search would hardly "
            "ever propose one of them"
        )
    names = [metric.name for metric in table.metrics]
    default = VALIDATION.name if VALIDATION.name in names else names[0]
    objective = table.metric(settings.objective or default)
    seed: Any = settings.table_seed
    source = Tabular(table, objective.name, settings.objectives, seed)
    latency = None
    allowed = np.ones(len(table), dtype=bool)
    if settings.device is not None:
        latency = table.column(table.device(settings.device).name).values
        if settings.max_latency is not None:
            allowed = latency <= settings.max_latency
            if not allowed.any():
                raise BudgetError(
                    f"--max-latency: expected at least {np.nanmin(latency):g} ms, the least of {table} on "
                    f"{settings.device}, got {settings.max_latency:g} ms"
                )
    unit, length = 1.0, float(settings.evaluations)
    if settings.by == "seconds":
        if table.seconds is None:
            raise ConfigError(f"--by seconds: {table} has no training seconds; use --by evaluations")
        unit = float(np.nanmean(table.seconds))
        length = settings.seconds or unit * settings.evaluations
    best = table.best(objective.name, allowed)
    table.prepare()
    return Arena(settings, table, objective, source, latency, allowed, best, unit, length)


def _table(settings: BenchmarkSettings) -> Table:
    if settings.table in PUBLISHED:
        if settings.space is not None:
            raise ConfigError(f"--space: table {settings.table} has its own; leave it out")
        return load_table(settings.table, settings.dataset, settings.data_dir)
    if not settings.table.lower().endswith((".csv", ".csv.gz")):
        raise ConfigError(
            f"--table: expected one of {', '.join(PUBLISHED)}, or a path that ends in .csv or .csv.gz, got "
            f"{settings.table!r}"
        )
    if settings.space is None:
        raise ConfigError("--table: a CSV file needs --space NAME, the space of its architectures; got none")
    space = load_space(settings.space)
    return read_table(Path(settings.table), space, minimize=settings.minimize, dataset=settings.dataset)


def final_metric(table: Table) -> str | None:
    """Name of the metric that says what a choice is worth in the end, or None where the table has none."""
    names = [metric.name for metric in table.metrics]
    return TEST.name if TEST.name in names and not math.isnan(table.column(TEST.name).values[0]) else None


def read_milliseconds(text: str) -> float:
    """Read a latency with its unit, in ms.

    Raises:
        ConfigError: if it is none.

    >>> read_milliseconds("5ms"), read_milliseconds("0.25 s"), read_milliseconds("800us")
    (5.0, 250.0, 0.8)
    """
    words = text.strip().lower()
    for unit, factor in (("ms", 1.0), ("us", 1e-3), ("s", 1e3)):
        if words.endswith(unit):
            try:
                value = float(words.removesuffix(unit)) * factor
            except ValueError:
                break
            if value > 0 and math.isfinite(value):
                return value
    raise ConfigError(f"--max-latency: expected a time with its unit, such as 5ms, got {text!r}")


def labels(contestants: Sequence[Contestant]) -> tuple[str, ...]:
    """What the contestants are called."""
    return tuple(contestant.label for contestant in contestants)
