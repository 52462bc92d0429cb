"""Searches without a store, against those of the driver and against accounts kept by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.errors import ConfigError, StudyError
from netwright.space import Architecture, ExpressionSpace, costs_of, rank, unrank
from netwright.spaces import nats_size
from netwright.strategies import STRATEGIES, AtFidelity, Listed, make_strategy
from netwright.study import (
    Answer,
    SerialExecutor,
    StopReason,
    StudySettings,
    open_study,
    read_study,
    run_search,
    search_in_memory,
)
from netwright.study.in_memory import IDLE, REPEATS, store
from netwright.study.rules import ATTEMPTS
from netwright.testing import example_space
from netwright.trial import Context, Metric, Objectives, Proposal, Strategy, Trial

SLOW = ("optuna-gp", "bananas", "tpe", "auto", "gp")
"""Strategies that take long over a proposal."""

HERE = [
    pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
    for name in STRATEGIES
    if name != "cmaes"  # the space has decisions without an order
]
ACCURACY = Metric("accuracy", "share", "maximize")
SPACE = example_space()


@dataclass(frozen=True)
class Ranks:
    """Scores by rank; some ranks fail, and a full evaluation takes ten seconds."""

    space: ExpressionSpace = SPACE
    bad: int = 7

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (ACCURACY,)

    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        return self.look_up(proposal, context.seed).metrics

    def look_up(self, proposal: Proposal, seed: int) -> Answer:
        number = rank(self.space, proposal.architecture)
        score = float("nan") if number % self.bad == 3 else (number * 37 % 101) / 101
        return Answer(
            {"accuracy": score}, costs_of(self.space, proposal.architecture), 10 * proposal.fidelity
        )


@dataclass(frozen=True)
class Stubborn:
    """Proposes the same few architectures again and again."""

    kinds: int = 3
    fidelity: float = 1.0
    name: str = "stubborn"

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> int:
        return 0

    def update(self, state: int, trial: Trial) -> int:
        return state + 1

    def propose(self, state: int, rng: np.random.Generator, number: int) -> Proposal | None:
        return Proposal(number, unrank(SPACE, number % self.kinds), self.fidelity)


def settings(name: str, **options: Any) -> StudySettings:
    return StudySettings(SPACE.id, ACCURACY, name, seed=5, options=options)


@pytest.mark.parametrize("name", HERE)
def test_the_history_is_that_of_the_driver(name: str, tmp_path: Path) -> None:
    with open_study(tmp_path, settings(name)) as study:
        expected = run_search(
            SPACE,
            make_strategy(name),
            Ranks(),
            study,
            SerialExecutor(),
            costs_of=lambda architecture: costs_of(SPACE, architecture),
            trials=40,
        ).history
    found = search_in_memory(SPACE, make_strategy(name), Ranks(), evaluations=40, seed=5, lag=4).history
    assert len(expected.failed) > 0
    # At low fidelities as many evaluations are more trials.
    assert len(found) >= len(expected) == 40
    assert found.comparable()[:40] == expected.comparable()


def test_it_can_be_stored_at_the_end(tmp_path: Path) -> None:
    done = search_in_memory(SPACE, make_strategy("local"), Ranks(), evaluations=30, seed=5)
    options = {decision.name: decision.options for decision in SPACE.decisions}
    with open_study(tmp_path, settings("local")) as study:
        store(done, study, options)
        with pytest.raises(StudyError, match="expected 0 trials in it, got 30; open a new one"):
            store(done, study, options)
    with read_study(tmp_path) as study:
        assert study.history().comparable() == done.history.comparable()
        assert study.stops()[-1]["reason"] == "trials"


def test_known_architectures_are_free() -> None:
    done = search_in_memory(SPACE, Stubborn(), Ranks(), evaluations=4, known_is_free=True)
    assert done.evaluations[:5] == (1, 2, 3, 3, 3)
    assert done.clock[:5] == (10, 20, 30, 30, 30)
    assert done.stop is StopReason.EXHAUSTED
    assert len(done.history) == REPEATS + 3
    assert done.history[3].metrics == done.history[0].metrics


def test_otherwise_they_are_asked_again_and_paid_for() -> None:
    asked: list[int] = []

    class Counting(Stubborn):
        def propose(self, state: int, rng: np.random.Generator, number: int) -> Proposal | None:
            asked.append(number)
            return super().propose(state, rng, number)

    done = search_in_memory(SPACE, Counting(), Ranks(), evaluations=4)
    assert done.evaluations == (1, 2, 3, 4)
    assert done.stop is StopReason.TRIALS
    assert [asked.count(number) for number in range(4)] == [1, 1, 1, ATTEMPTS]


def test_a_low_fidelity_costs_its_share() -> None:
    strategy = AtFidelity(make_strategy("random"), 0.06)
    done = search_in_memory(SPACE, strategy, Ranks(), evaluations=1.2)
    assert len(done.history) == 20
    assert done.evaluations[-1] == pytest.approx(1.2)
    assert done.clock[-1] == pytest.approx(12)
    with pytest.raises(ConfigError, match="evaluations: expected more than 0, got 0"):
        search_in_memory(SPACE, strategy, Ranks(), evaluations=0)


def test_time_that_is_over_lets_the_last_evaluation_end() -> None:
    done = search_in_memory(SPACE, make_strategy("random"), Ranks(), seconds=45)
    assert done.clock == (10, 20, 30, 40, 50)
    assert done.stop is StopReason.DEADLINE
    both = search_in_memory(SPACE, make_strategy("random"), Ranks(), seconds=45, evaluations=2)
    assert (len(both.history), both.stop) == (2, StopReason.TRIALS)


def test_seconds_that_are_not_known() -> None:
    class Timeless(Ranks):
        def look_up(self, proposal: Proposal, seed: int) -> Answer:
            return super().look_up(proposal, seed)._replace(seconds=None)

    done = search_in_memory(SPACE, make_strategy("random"), Timeless(), evaluations=2)
    assert np.isnan(done.clock).all()
    with pytest.raises(ConfigError, match="seconds: expected training times to count, the table has none"):
        search_in_memory(SPACE, make_strategy("random"), Timeless(), seconds=10)


@pytest.mark.parametrize("name", [name for name in HERE if isinstance(name, str)])
def test_what_is_refused_is_never_evaluated(name: str) -> None:
    evaluated: list[Architecture] = []

    class Noting(Ranks):
        def look_up(self, proposal: Proposal, seed: int) -> Answer:
            evaluated.append(proposal.architecture)
            return super().look_up(proposal, seed)

    def refuse(architecture: Architecture) -> str | None:
        return "too slow" if rank(SPACE, architecture) % 2 else None

    done = search_in_memory(
        SPACE, make_strategy(name), Noting(), evaluations=25, refuse=refuse, known_is_free=True
    )
    assert all(rank(SPACE, architecture) % 2 == 0 for architecture in evaluated)
    refused = [trial for trial in done.history if trial.reason == "too slow"]
    assert refused
    assert not any(trial.fits or trial.complete for trial in refused)
    assert done.evaluations[-1] >= 25 - 1e-6


def test_everything_refused_ends() -> None:
    done = search_in_memory(
        SPACE, Stubborn(), Ranks(), evaluations=1, refuse=lambda architecture: "no", known_is_free=True
    )
    assert (done.stop, len(done.history), done.evaluations[-1]) == (StopReason.EXHAUSTED, REPEATS + 3, 0)
    size = nats_size((3, 32, 32), 10)
    done = search_in_memory(
        size, make_strategy("random"), Ranks(size), evaluations=1, refuse=lambda architecture: "no"
    )
    assert (done.stop, len(done.history), done.evaluations[-1]) == (StopReason.EXHAUSTED, IDLE, 0)


def test_a_list_that_ends() -> None:
    done = search_in_memory(SPACE, Listed((unrank(SPACE, 1),)), Ranks(), evaluations=9)
    assert (done.stop, len(done.history)) == (StopReason.EXHAUSTED, 1)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (
            Listed((Architecture("elsewhere-00000000", ()),)),
            "listed, proposal 0: expected number 0 and an arch",
        ),
        (Stubborn(fidelity=1.5), "stubborn, proposal 0: fidelity: expected more than 0, at most 1, got 1.5"),
    ],
)
def test_wrong_strategies(strategy: Strategy, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        search_in_memory(SPACE, strategy, Ranks(), evaluations=5)


def test_proposals_beyond_the_budget_are_a_fault() -> None:
    with pytest.raises(StudyError, match=r"expected at most 1 macs, got .* so it is wrong"):
        search_in_memory(SPACE, Stubborn(), Ranks(), evaluations=5, budget={"macs": 1})


def test_nothing_to_stop_it() -> None:
    with pytest.raises(ConfigError, match="expected a number of evaluations or of seconds, got neither"):
        search_in_memory(SPACE, Stubborn(), Ranks())
    with pytest.raises(ConfigError, match="lag: expected 1 or more, got 0"):
        search_in_memory(SPACE, Stubborn(), Ranks(), evaluations=1, lag=0)


def test_those_who_watch_see_every_trial() -> None:
    seen: list[Trial] = []
    done = search_in_memory(SPACE, make_strategy("random"), Ranks(), evaluations=5, on_trial=seen.append)
    assert tuple(seen) == done.history.trials
