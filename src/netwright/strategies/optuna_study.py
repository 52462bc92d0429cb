"""What Optuna's samplers see of a search: its trials as those of a study in memory.

This module imports Optuna, which takes a second; strategies import it when they are used.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from optuna import Study
from optuna.distributions import CategoricalDistribution
from optuna.logging import ERROR, get_verbosity, set_verbosity
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from netwright.space import ExpressionSpace
from netwright.space.architecture import Architecture, Value

SOME_DAY = datetime(2000, 1, 1)
"""When all trials were: samplers do not ask."""


class _Seen(InMemoryStorage):
    """A study that has some trials already, which are shared rather than copied.

    The trials of the storage itself begin at number 0, those that it was given at 1; there is only ever one
    of its own, so that no two have the same number.

    Args:
        trials: finished trials; not changed.
    """

    def __init__(self, trials: Sequence[FrozenTrial]) -> None:
        super().__init__()
        self._seen = trials

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Those that it was given, then its own."""
        own = super().get_all_trials(study_id, deepcopy, states)
        return [trial for trial in self._seen if states is None or trial.state in states] + own


def finished_trial(
    space: ExpressionSpace, architecture: Architecture, score: float | None, index: int
) -> FrozenTrial:
    """A trial as Optuna has it.

    Args:
        space: the space; decisions are categories to Optuna, see ``netwright.strategies.optuna_samplers``.
        architecture: what was evaluated.
        score: larger is better; None for a trial that failed.
        index: how many trials came before.
    """
    options = options_of(space)
    return FrozenTrial(
        number=index + 1,
        trial_id=index + 1,
        state=TrialState.FAIL if score is None else TrialState.COMPLETE,
        value=score,
        datetime_start=SOME_DAY,
        datetime_complete=SOME_DAY,
        params=dict(architecture.choices),
        distributions={name: CategoricalDistribution(options[name]) for name, _ in architecture},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
    )


def options_of(space: ExpressionSpace) -> Mapping[str, tuple[Value, ...]]:
    """The options of every decision."""
    return {decision.name: tuple(decision.options) for decision in space.decisions}


def asked(trials: Sequence[FrozenTrial], sampler: BaseSampler) -> Trial:
    """A new trial whose parameters a sampler chooses after some trials; larger values are better."""
    storage = _Seen(trials)
    with _quiet():
        storage.create_new_study([StudyDirection.MAXIMIZE], "search")
    return Study("search", storage, sampler).ask()


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna tells of every new study."""
    level = get_verbosity()
    set_verbosity(ERROR)
    try:
        yield
    finally:
        set_verbosity(level)


def tpe(seed: int, startup: int) -> BaseSampler:
    """Optuna's tree-structured Parzen estimator."""
    return TPESampler(seed=seed, n_startup_trials=startup)


def gaussian_process(seed: int, startup: int) -> BaseSampler:
    """Optuna's Gaussian process; it needs torch, which netwright has anyway."""
    return GPSampler(
        seed=seed, n_startup_trials=startup, deterministic_objective=False, warn_independent_sampling=False
    )


def suggest(trial: Trial, name: str, options: tuple[Value, ...]) -> Any:
    """The sampler's choice among the options of a decision."""
    return trial.suggest_categorical(name, options)
