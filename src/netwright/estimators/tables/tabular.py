"""A table as an estimator: an evaluation is a look into it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from netwright.errors import ConfigError, DataError
from netwright.estimators.tables.table import VALIDATION, Column, Table
from netwright.seeding import rng_for
from netwright.study.in_memory import Answer
from netwright.trial import Context, Metric, Proposal

Seed = int | Literal["mean", "any"]


@dataclass(frozen=True, eq=False)
class Tabular:
    """Looks architectures up in a table instead of training them.

    The fidelity of a proposal must be that of a column: the table's shorter trainings are measurements of
    their own, and nothing between them is made up. It works as any estimator, through processes and a store;
    ``netwright.study.search_in_memory`` asks ``look_up``, which also gives the costs and the seconds that the
    training took.

    Attributes:
        table: the table.
        objective: name of the metric that is the objective.
        further: names of metrics that are given beside it, such as the latency of a device; those that
            depend on training at the fidelity of the proposal.
        seed: ``mean`` gives the mean over the seeds; a number gives that training; ``any`` gives one of the
            trainings that the architecture had, by the seed of the trial.
    """

    table: Table
    objective: str = VALIDATION.name
    further: tuple[str, ...] = ()
    seed: Seed = "mean"

    def __post_init__(self) -> None:
        """Check that the table has all that is asked for.

        Raises:
            ConfigError: if it has not; the message says what there is.
        """
        for name in (self.objective, *self.further):
            self.table.metric(name)
        if isinstance(self.seed, int):
            self.table.column(self.objective, seed=self.seed)
        elif self.seed == "any" and not self.table.seeds(self.objective):
            raise ConfigError(
                f"{self.table}: {self.objective}: the table has the mean over the seeds only; use seed 'mean'"
            )

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """The objective, then the further metrics."""
        return tuple(self.table.metric(name) for name in (self.objective, *self.further))

    def settings(self) -> dict[str, Any]:
        """What its results depend on, as JSON values."""
        return {
            "table": self.table.name,
            "dataset": self.table.dataset,
            "objective": self.objective,
            "further": list(self.further),
            "seed": self.seed,
        }

    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        """Look the metrics of a proposal up.

        Raises:
            DataError: if the table has no such architecture, or it was not trained with the seed.
            ConfigError: if the table has no column at the fidelity of the proposal.
        """
        row = self.table.row(proposal.architecture)
        return self._metrics(row, proposal.fidelity, context.seed)

    def look_up(self, proposal: Proposal, seed: int) -> Answer:
        """The metrics of a proposal, its costs, and how long its training took.

        Args:
            proposal: what is asked for.
            seed: of the trial; it matters where the seed of this estimator is ``any``.

        Raises:
            DataError: see ``__call__``.
            ConfigError: likewise.
        """
        key = (proposal.architecture, proposal.fidelity)
        known = self._known.get(key)
        if known is not None:
            return known
        row = self.table.row(proposal.architecture)
        answer = Answer(
            self._metrics(row, proposal.fidelity, seed),
            {name: int(values[row]) for name, values in self.table.costs.items()},
            self.table.training_seconds(row, proposal.fidelity),
        )
        if self.seed != "any":
            self._known[key] = answer
        return answer

    @cached_property
    def _known(self) -> dict[Any, Answer]:
        """What was asked for before: most searches of a benchmark ask for the same."""
        return {}

    @cached_property
    def _columns(self) -> dict[float, list[list[Column]]]:
        """By fidelity, for each metric the columns that an answer comes from."""
        return {}

    def _columns_at(self, fidelity: float) -> list[list[Column]]:
        known = self._columns.get(fidelity)
        if known is None:
            objective = self.table.column(self.objective, fidelity=fidelity)
            seeds = self.table.seeds(self.objective, objective.epochs) if self.seed == "any" else ()
            if isinstance(self.seed, int):
                seeds = (self.seed,)
            apart = [self.table.column(self.objective, objective.epochs, seed) for seed in seeds]
            known = [apart or [objective]]
            for name in self.further:
                share = 1.0 if self.table.full_epochs(name) is None else fidelity
                known.append([self.table.column(name, fidelity=share)])
            self._columns[fidelity] = known
        return known

    def _metrics(self, row: int, fidelity: float, seed: int) -> dict[str, float]:
        found: dict[str, float] = {}
        for metric, columns in zip(self.metrics, self._columns_at(fidelity), strict=True):
            values = [float(column.values[row]) for column in columns]
            if isinstance(self.seed, int) and math.isnan(values[0]):
                raise DataError(self._without_seed(row, fidelity))
            present = [value for value in values if not math.isnan(value)] or values
            pick = int(rng_for(seed, "table seed").integers(len(present))) if len(present) > 1 else 0
            found[metric.name] = present[pick]
        return found

    def _without_seed(self, row: int, fidelity: float) -> str:
        epochs = self.table.column(self.objective, fidelity=fidelity).epochs
        seeds = [
            str(seed)
            for seed in self.table.seeds(self.objective, epochs)
            if not np.isnan(self.table.column(self.objective, epochs, seed).values[row])
        ]
        return (
            f"{self.table}: {self.objective} of {self.table.architectures[row].to_json()}: expected a seed "
            f"of {', '.join(seeds) or 'none'}, got {self.seed}"
        )
