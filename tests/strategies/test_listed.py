from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from netwright.seeding import rng_for
from netwright.space import Architecture, ExpressionSpace, iterate
from netwright.strategies import Listed
from netwright.study import SerialExecutor, StopReason, StudySettings, open_study, run_search
from netwright.trial import Context, Metric, Proposal, Trial, TrialState

ACCURACY = Metric("accuracy", "share", "maximize")


@pytest.fixture
def some(small: ExpressionSpace) -> tuple[Architecture, ...]:
    first, *_, last = iterate(small)
    return (last, first, last)


def test_the_list_in_its_order_and_then_nothing(some: tuple[Architecture, ...]) -> None:
    listed = Listed(some)
    state: Any = listed.init(None, {}, (ACCURACY,), 0)  # type: ignore[func-returns-value]
    proposals = [listed.propose(state, rng_for(0, number), number) for number in range(5)]
    assert proposals[:3] == [Proposal(number, some[number], 1.0) for number in range(3)]
    assert proposals[3:] == [None, None]


def test_at_the_fidelity_asked_for(some: tuple[Architecture, ...]) -> None:
    proposal = Listed(some, 0.5).propose(None, rng_for(0), 1)
    assert proposal == Proposal(1, some[1], 0.5)


def test_results_change_nothing(some: tuple[Architecture, ...]) -> None:
    listed = Listed(some)
    trial = Trial(Proposal(0, some[0]), TrialState.COMPLETE, {"accuracy": 0.5}, {}, fits=True, seed=0)
    assert listed.update(None, trial) is None  # type: ignore[func-returns-value]
    assert listed.propose(None, rng_for(0), 1) == listed.propose(None, rng_for(1), 1)


def test_an_empty_list_proposes_nothing() -> None:
    assert Listed(()).propose(None, rng_for(0), 0) is None


class Count:
    """Says how many trials it has had."""

    metrics = (ACCURACY,)

    def __init__(self) -> None:
        self.seen: list[Architecture] = []

    def __call__(self, proposal: Proposal, context: Context) -> dict[str, float]:
        self.seen.append(proposal.architecture)
        return {"accuracy": len(self.seen) / 10}


def test_in_a_study(small: ExpressionSpace, some: tuple[Architecture, ...], tmp_path: Path) -> None:
    """A repeated architecture is evaluated again, and the study says when the list is done."""
    settings = StudySettings(space=small.id, objective=ACCURACY, strategy="listed", seed=0)
    estimator, strategy = Count(), Listed(some)
    with open_study(tmp_path, settings) as study:
        result = run_search(
            small, strategy, estimator, study, SerialExecutor(), costs_of=lambda _: {}, trials=9
        )
    assert result.stop.reason is StopReason.EXHAUSTED
    assert estimator.seen == list(some)
