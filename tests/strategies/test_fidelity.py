from __future__ import annotations

from dataclasses import replace

import pytest

from netwright.errors import ConfigError
from netwright.seeding import rng_for
from netwright.space import ExpressionSpace
from netwright.strategies import AtFidelity, Evolution, Listed, RandomSearch, make_strategy
from netwright.testing import StrategyLaws
from netwright.trial import Metric, Proposal, Strategy, Trial, TrialState


@pytest.mark.parametrize("inner", [Evolution(population=3, tournament=2), RandomSearch()])
def test_the_same_proposals_at_another_fidelity(
    inner: Strategy, small: ExpressionSpace, accuracy: Metric
) -> None:
    wrapped = AtFidelity(inner, 0.125)
    plain, low = (strategy.init(small, {}, (accuracy,), 7) for strategy in (inner, wrapped))
    for number in range(20):
        expected = inner.propose(plain, rng_for(7, number), number)
        proposal = wrapped.propose(low, rng_for(7, number), number)
        assert isinstance(expected, Proposal)
        assert proposal == replace(expected, fidelity=0.125)
        trial = Trial(
            proposal, TrialState.COMPLETE, {"accuracy": number % 7 / 10}, {}, fits=True, seed=number
        )
        plain, low = inner.update(plain, trial), wrapped.update(low, trial)
    assert wrapped.name == inner.name


def test_when_there_is_nothing_left() -> None:
    assert AtFidelity(Listed(()), 0.5).propose(None, rng_for(0), 0) is None


@pytest.mark.parametrize("fidelity", [0.0, -0.5, 1.01, float("nan")])
def test_a_share_that_is_none(fidelity: float) -> None:
    with pytest.raises(ConfigError, match="fidelity: expected more than 0, at most 1, got"):
        AtFidelity(RandomSearch(), fidelity)


class TestLaws(StrategyLaws):
    """With one that draws, one that learns, and one that chooses fidelities itself."""

    @pytest.fixture(params=["random", "evolution", "asha"])
    def strategy(self, request: pytest.FixtureRequest) -> Strategy:
        return AtFidelity(make_strategy(request.param), 0.2)
