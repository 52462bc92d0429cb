"""A table of measurements: every architecture of a space, or some, and what was measured of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import ConfigError, DataError
from netwright.ir.cost import COSTS
from netwright.space import Architecture, ExpressionSpace, costs, encode, size
from netwright.trial import Metric

Numbers = NDArray[np.float64]
"""``(N,)`` numbers, one for each architecture of a table; NaN where nothing was measured."""

VALIDATION = Metric("validation_accuracy", "%", "maximize")
TEST = Metric("test_accuracy", "%", "maximize")

_SAME = 1e-9
"""How far a fidelity may be from that of a column and still be meant as that one."""


def latency_of(device: str) -> Metric:
    """The metric of a device's latency.

    >>> latency_of("pixel3").name
    'latency_pixel3'
    """
    return Metric(f"latency_{device}", "ms", "minimize")


@dataclass(frozen=True, eq=False)
class Column:
    """One number for every architecture.

    Attributes:
        metric: what was measured.
        values: ``(N,)`` in the metric's unit; NaN where nothing was measured.
        epochs: length of the training before it was measured; None where there is only one such column, of
            the full training or of no training at all.
        seed: which of several trainings; None for their mean or the only one.
    """

    metric: Metric
    values: Numbers
    epochs: int | None = None
    seed: int | None = None

    def __str__(self) -> str:
        epochs = "" if self.epochs is None else f" after {self.epochs} epochs"
        return f"{self.metric.name}{epochs}" + ("" if self.seed is None else f" of seed {self.seed}")


@dataclass(frozen=True, eq=False)
class Table:
    """Measurements of architectures of one space, on one data set.

    Attributes:
        name: which table, e.g. ``nasbench201``.
        dataset: name of the data set; empty where there is only one.
        space: the space; its exact costs belong to the networks that were measured.
        architectures: N of its members, each once, in the order of the columns' values.
        columns: what was measured.
        seconds: ``(N,)`` seconds of the full training, or None where they are not known.
        source: where the numbers come from, and their licence.
    """

    name: str
    dataset: str
    space: ExpressionSpace
    architectures: tuple[Architecture, ...]
    columns: tuple[Column, ...]
    seconds: Numbers | None = None
    source: str = ""

    def __post_init__(self) -> None:
        for column in self.columns:
            if column.values.shape != (len(self.architectures),):
                raise DataError(
                    f"{self}: {column}: expected {len(self.architectures)} values, one for each "
                    f"architecture, got shape {column.values.shape}"
                )

    def __str__(self) -> str:
        return f"table {self.name}" + (f" ({self.dataset})" if self.dataset else "")

    def __getstate__(self) -> dict[str, Any]:
        # What is made on first use is quickly made again in another process.
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    def __len__(self) -> int:
        return len(self.architectures)

    @cached_property
    def rows(self) -> Mapping[Architecture, int]:
        """The row of every architecture.

        Raises:
            DataError: if an architecture comes twice.
        """
        rows = {architecture: row for row, architecture in enumerate(self.architectures)}
        if len(rows) != len(self.architectures):
            raise DataError(
                f"{self}: expected every architecture once, got {len(self.architectures) - len(rows)} of "
                "them again; keep one row of each"
            )
        return rows

    def prepare(self) -> None:
        """Make now what is made on first use, so that the time of a first search is that of a search.

        Raises:
            DataError: if an architecture comes twice.
        """
        _ = self.rows, self.costs

    @cached_property
    def coverage(self) -> float:
        """Share of the space that has a row; 1 for a table of the whole space."""
        return len(self) / size(self.space)

    def row(self, architecture: Architecture) -> int:
        """The row of an architecture.

        Raises:
            DataError: if the table has none.
        """
        row = self.rows.get(architecture)
        if row is None:
            raise DataError(
                f"{self}: expected one of its {len(self):,} architectures of {self.space.id}, got "
                f"{architecture.to_json()}, which was not measured"
            )
        return row

    @cached_property
    def costs(self) -> Mapping[str, NDArray[np.int64]]:
        """The exact costs of all architectures, ``(N,)`` integers by name; computed, not read."""
        return costs(self.space, encode(self.space, self.architectures), COSTS)

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """What was measured, each metric once, in the order of the columns."""
        return tuple(dict.fromkeys(column.metric for column in self.columns))

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices whose latency is known."""
        prefix = latency_of("").name
        return tuple(m.name.removeprefix(prefix) for m in self.metrics if m.name.startswith(prefix))

    def metric(self, name: str) -> Metric:
        """The metric of a name.

        Raises:
            ConfigError: if the table has no such metric; the message lists those it has.
        """
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise ConfigError(
            f"{self}: expected a metric of {_listed(m.name for m in self.metrics)}, got {name!r}"
        )

    def device(self, name: str) -> Metric:
        """The latency of a device.

        Raises:
            ConfigError: if the table has none of this device.
        """
        if name not in self.devices:
            raise ConfigError(
                f"{self}: device: expected one whose latency it has, of {_listed(self.devices)}, got {name!r}"
            )
        return self.metric(latency_of(name).name)

    def full_epochs(self, metric: str) -> int | None:
        """Epochs of the longest training after which a metric was measured; None if it is the only one."""
        epochs = [column.epochs for column in self._of(metric) if column.epochs is not None]
        return max(epochs, default=None)

    def fidelities(self, metric: str) -> tuple[float, ...]:
        """The shares of the full training after which a metric was measured, ascending; 1 is the last."""
        full = self.full_epochs(metric)
        if full is None:
            return (1.0,)
        return tuple(sorted({(column.epochs or full) / full for column in self._of(metric)}))

    def column(
        self,
        metric: str,
        epochs: int | None = None,
        seed: int | None = None,
        *,
        fidelity: float | None = None,
    ) -> Column:
        """The column of a metric.

        Args:
            metric: its name.
            epochs: length of the training; by default the longest there is.
            seed: which training; None for the mean over the seeds, or the only one.
            fidelity: share of the longest training, in place of ``epochs``.

        Raises:
            ConfigError: if the table has no such column; the message says what there is.
        """
        full = self.full_epochs(metric)
        if fidelity is not None:
            epochs = self._epochs_at(metric, fidelity, full)
        wanted = full if epochs is None else epochs
        of_metric = self._of(metric)
        at_length = [column for column in of_metric if column.epochs == wanted]
        if not at_length:
            lengths = sorted({column.epochs for column in of_metric if column.epochs is not None})
            known = _listed([str(length) for length in lengths] or ["its only training"])
            raise ConfigError(f"{self}: {metric}: expected epochs of {known}, got {epochs}")
        for column in at_length:
            if column.seed == seed:
                return column
        seeds = [str(column.seed) for column in at_length if column.seed is not None]
        only = "the mean over the seeds only" if not seeds else f"seeds {', '.join(seeds)}"
        raise ConfigError(
            f"{self}: {metric} after {wanted} epochs: the table has {only}, got seed {seed}"
            if wanted is not None
            else f"{self}: {metric}: the table has {only}, got seed {seed}"
        )

    def seeds(self, metric: str, epochs: int | None = None) -> tuple[int, ...]:
        """The seeds of which a metric is known apart; not every architecture has all of them."""
        wanted = self.full_epochs(metric) if epochs is None else epochs
        return tuple(c.seed for c in self._of(metric) if c.epochs == wanted and c.seed is not None)

    def best(self, metric: str, among: NDArray[np.bool_] | None = None) -> int:
        """The row with the best value of a metric after the full training.

        Args:
            metric: its name.
            among: ``(N,)`` which rows count; by default all.

        Raises:
            DataError: if no row counts.
        """
        column = self.column(metric)
        sign = 1.0 if column.metric.direction == "maximize" else -1.0
        values = np.where(np.isnan(column.values), -np.inf, sign * column.values)
        if among is not None:
            values = np.where(among, values, -np.inf)
        row = int(np.argmax(values))
        if values[row] == -np.inf:
            raise DataError(f"{self}: {metric}: expected a value to be the best of, found none")
        return row

    def training_seconds(self, row: int, fidelity: float) -> float | None:
        """Seconds that training took: those of the full training times the share that was trained.

        An epoch takes as long in a short training as in a long one, so this invents nothing.
        """
        return None if self.seconds is None else float(self.seconds[row]) * fidelity

    def _of(self, metric: str) -> list[Column]:
        self.metric(metric)
        return [column for column in self.columns if column.metric.name == metric]

    def _epochs_at(self, metric: str, fidelity: float, full: int | None) -> int | None:
        for column in self._of(metric):
            share = 1.0 if column.epochs is None or full is None else column.epochs / full
            if abs(share - fidelity) <= _SAME:
                return column.epochs
        known = self.fidelities(metric)
        shown = [
            f"{share:g}" + (f" ({round(share * full)}/{full} epochs)" if full else "") for share in known
        ]
        raise ConfigError(f"{self}: {metric}: expected a fidelity of {_listed(shown)}, got {fidelity:g}")


def _listed(words: Iterator[str] | Sequence[str] | Any) -> str:
    return ", ".join(words) or "none"
