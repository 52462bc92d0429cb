from __future__ import annotations

import importlib
import math
from collections import Counter
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.devices import budget_for
from netwright.errors import BudgetError, SpaceError
from netwright.ir.graph import Graph
from netwright.seeding import rng_for
from netwright.space import Architecture, Decision, ExpressionSpace, every_cost_of
from netwright.spaces.mobilenet import mobilenet_tiny
from netwright.strategies.enumeration import Enumeration
from netwright.strategies.random_search import RandomSearch
from netwright.trial import Metric, Proposal, Trial, TrialState

Costs = dict[Architecture, dict[str, int]]

RANDOM = RandomSearch()


def trial(proposal: Proposal, state: TrialState = TrialState.COMPLETE, accuracy: float = 0.5) -> Trial:
    return Trial(proposal, state, {"accuracy": accuracy}, {}, fits=True, seed=0)


def sequence(state: Enumeration, upto: int, lag: int | None = None) -> list[Architecture | None]:
    """The first proposals; with a lag, the state knows all trials but the last ``lag``."""
    proposals: list[Proposal | None] = []
    for number in range(upto):
        if lag is not None and number >= lag and (known := proposals[number - lag]) is not None:
            state = RANDOM.update(state, trial(known))
        proposals.append(RANDOM.propose(state, rng_for(0, number), number))
    return [None if proposal is None else proposal.architecture for proposal in proposals]


def median_budget(costs: Costs) -> dict[str, int]:
    return {
        metric: sorted(cost[metric] for cost in costs.values())[place]
        for metric, place in (("macs", 30), ("params", 35))
    }


def those_that_fit(costs: Costs, budget: dict[str, int]) -> set[Architecture]:
    return {
        architecture
        for architecture, cost in costs.items()
        if all(cost[metric] <= limit for metric, limit in budget.items())
    }


def coarsen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no room for exact counts, so that costs are rounded."""
    monkeypatch.setattr(importlib.import_module("netwright.space.fitting"), "UNFOLDED_LIMIT", 0)
    monkeypatch.setattr(importlib.import_module("netwright.space.tables"), "WORK_LIMIT", 100)


@pytest.fixture(params=["exact grid", "coarse grid"])
def coarse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the space can afford only a grid on which more candidates seem to fit than do."""
    if request.param == "coarse grid":
        coarsen(monkeypatch)
    return bool(request.param == "coarse grid")


@pytest.mark.parametrize("lag", [None, 1, 4])
def test_exactly_what_fits_each_once_then_nothing(
    small: ExpressionSpace, costs: Costs, accuracy: Metric, coarse: bool, lag: int | None
) -> None:
    budget = median_budget(costs)
    fitting = those_that_fit(costs, budget)
    state = RANDOM.init(small, budget, (accuracy,), seed=3)
    assert state.candidates.exact is not coarse
    assert (state.candidates.upper > len(fitting)) is coarse
    proposed = sequence(state, len(fitting) + 3, lag)
    assert proposed[-3:] == [None] * 3
    assert len(proposed[:-3]) == len(fitting)
    assert set(proposed[:-3]) == fitting


def test_without_a_budget_everything_comes(small: ExpressionSpace, costs: Costs, accuracy: Metric) -> None:
    proposed = sequence(RANDOM.init(small, {}, (accuracy,), seed=0), 61)
    assert set(proposed[:-1]) == set(costs)
    assert proposed[-1] is None


def test_a_proposal_depends_on_seed_and_number_only(
    small: ExpressionSpace, costs: Costs, accuracy: Metric, coarse: bool
) -> None:
    state = RANDOM.init(small, median_budget(costs), (accuracy,), seed=1)
    expected = sequence(state, 20)
    assert sequence(RANDOM.init(small, median_budget(costs), (accuracy,), seed=1), 20) == expected
    for lag in (1, 2, 7):
        assert sequence(state, 20, lag) == expected
    later = RANDOM.update(state, trial(Proposal(12, next(iter(costs)))))
    for number in reversed(range(20)):
        for rng_seed in (0, 1):
            proposal = RANDOM.propose(later, rng_for(rng_seed, "other"), number)
            assert proposal is not None
            assert proposal == Proposal(number, expected[number] or pytest.fail("nothing proposed"))


def test_results_change_nothing(small: ExpressionSpace, costs: Costs, accuracy: Metric, coarse: bool) -> None:
    state = RANDOM.init(small, median_budget(costs), (accuracy,), seed=1)
    proposal = RANDOM.propose(state, rng_for(0), 0)
    assert proposal is not None
    after = {
        RANDOM.propose(RANDOM.update(state, trial(proposal, *result)), rng_for(0), 1)
        for result in ((TrialState.COMPLETE, 1.0), (TrialState.COMPLETE, 0.0), (TrialState.FAILED, 0.0))
    }
    assert after == {RANDOM.propose(state, rng_for(0), 1)}


def test_trials_come_in_any_order(
    small: ExpressionSpace, costs: Costs, accuracy: Metric, coarse: bool
) -> None:
    start = RANDOM.init(small, median_budget(costs), (accuracy,), seed=1)
    trials = [trial(Proposal(number, next(iter(costs)))) for number in range(6)]
    states = []
    for order in (trials, trials[::-1], trials[3:] + trials[:3]):
        state = start
        for one in order:
            state = RANDOM.update(state, one)
        states.append((state.found, state.position))
    assert len(set(states)) == 1


def test_a_state_is_not_changed_by_its_use(small: ExpressionSpace, costs: Costs, accuracy: Metric) -> None:
    state = RANDOM.init(small, median_budget(costs), (accuracy,), seed=1)
    before = (state.found, state.position, state.order)
    sequence(state, 10, lag=1)
    assert (state.found, state.position, state.order) == before
    with pytest.raises(AttributeError):
        state.found = 3  # type: ignore[misc]


def uneven(seen: Counter[Architecture], expected: float) -> float:
    """Chi-square in standard deviations above its mean; all seeds are fixed, so no luck is involved."""
    freedom = len(seen) - 1
    statistic = sum((count - expected) ** 2 / expected for count in seen.values())
    return (statistic - freedom) / math.sqrt(2 * freedom)


def test_every_place_of_the_sequence_is_uniform(
    small: ExpressionSpace, costs: Costs, accuracy: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    coarsen(monkeypatch)
    for budget in ({}, median_budget(costs)):
        fitting = those_that_fit(costs, budget)
        draws = 20 * len(fitting)
        proposed = [sequence(RANDOM.init(small, budget, (accuracy,), seed), 3) for seed in range(draws)]
        for number in range(3):
            seen = Counter(architectures[number] or pytest.fail("none") for architectures in proposed)
            assert set(seen) == fitting
            assert uneven(seen, 20) < 3


def test_nothing_fits(small: ExpressionSpace, costs: Costs, accuracy: Metric) -> None:
    least = min(cost["macs"] for cost in costs.values())
    with pytest.raises(BudgetError, match=f"the smallest needs macs {least:,}; the budget is 5"):
        RANDOM.init(small, {"macs": 5}, (accuracy,), seed=0)
    assert sequence(RANDOM.init(small, {"macs": least}, (accuracy,), seed=0), 2)[1] is None


def test_candidates_of_which_none_fits(
    small: ExpressionSpace, costs: Costs, accuracy: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    coarsen(monkeypatch)
    state = RANDOM.init(small, median_budget(costs), (accuracy,), seed=0)
    none_fits = replace(state, candidates=replace(state.candidates, limits=(("macs", 5),)))
    with pytest.raises(BudgetError, match="the smallest needs macs 13,080; the budget is 5"):
        RANDOM.propose(none_fits, rng_for(0), 0)


def test_it_gives_up_where_practically_nothing_fits(
    small: ExpressionSpace, costs: Costs, accuracy: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    coarsen(monkeypatch)
    monkeypatch.setattr(importlib.import_module("netwright.strategies.enumeration"), "MISSES", 0)
    budget = median_budget(costs)
    state = RANDOM.init(small, budget, (accuracy,), seed=0)
    with pytest.raises(
        BudgetError, match=r"expected an architecture that fits for proposal \d+, got 1 in a row"
    ):
        sequence(state, 60)


@dataclass(frozen=True)
class OpaqueSpace:
    id: str = "opaque-0"
    decisions: tuple[Decision, ...] = ()

    def to_graph(self, architecture: Architecture) -> Graph:
        raise LookupError(architecture)


def test_opaque_spaces_are_refused_with_the_reason(accuracy: Metric) -> None:
    with pytest.raises(
        SpaceError, match="expected a space made from an expression, got OpaqueSpace; build it"
    ):
        RANDOM.init(OpaqueSpace(), {}, (accuracy,), seed=0)


@settings(max_examples=20)
@given(st.integers(0, 2**63 - 1))
def test_a_large_space_under_a_device_and_limits_by_hand(seed: int) -> None:
    state = RANDOM.init(TINY, TINY_BUDGET, (Metric("accuracy", "share", "maximize"),), seed)
    proposed = sequence(state, 15, lag=4)
    assert None not in proposed
    assert len(set(proposed)) == 15
    for architecture in proposed:
        assert architecture is not None
        assert TINY_BUDGET.check(every_cost_of(TINY, architecture)).fits


TINY = mobilenet_tiny((1, 16, 16), 10)
TINY_BUDGET = budget_for("stm32f446", max_sram="32KB")
