from __future__ import annotations

import itertools

import pytest

from netwright.errors import ConfigError
from netwright.seeding import rng_for
from netwright.space import Architecture, ExpressionSpace, iterate, size
from netwright.space.canonical_forms import canonical
from netwright.spaces.nasbench201 import nasbench201
from netwright.strategies import Grid
from netwright.strategies.enumeration import InOrder
from netwright.testing.strategies import search
from netwright.trial import Metric, Trial, TrialState
from tests.space.coarse import coarse_tables

Costs = dict[Architecture, dict[str, int]]


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("lag", [1, 4])
def test_everything_that_fits_in_the_order_of_ranks(
    small: ExpressionSpace, costs: Costs, accuracy: Metric, lag: int, coarse: bool
) -> None:
    budgets = [
        {},
        {"macs": sorted(cost["macs"] for cost in costs.values())[25]},
        {
            metric: sorted(cost[metric] for cost in costs.values())[40]
            for metric in ("params", "peak_activation_bytes")
        },
    ]

    def found(budget: dict[str, int]) -> list[Trial]:
        return search(Grid(), small, budget, accuracy, trials=100, lag=lag)

    for budget in budgets:
        if coarse:
            with coarse_tables():
                history = found(budget)
        else:
            history = found(budget)
        # `costs` is in the order of the ranks.
        assert [trial.proposal.architecture for trial in history] == [
            architecture
            for architecture, cost in costs.items()
            if all(cost[metric] <= limit for metric, limit in budget.items())
        ]


def test_proposals_depend_on_the_number_alone(small: ExpressionSpace, accuracy: Metric) -> None:
    start = Grid().init(small, {}, (accuracy,), seed=1)
    everything = list(iterate(small))
    for seed, number in itertools.product((0, 1), (59, 3, 0, 17)):
        proposal = Grid().propose(start, rng_for(seed), number)
        assert proposal is not None
        assert proposal.architecture == everything[number]
        start = Grid().update(start, Trial(proposal, TrialState.FAILED, {}, {}, fits=True, seed=0))
    assert Grid().propose(start, rng_for(0), 60) is None


def test_no_network_twice(accuracy: Metric) -> None:
    """The first thousand of the 15,625 drawings of NAS-Bench-201, with equal networks left out."""
    space = nasbench201((3, 32, 32), 10)
    keys: dict[str, Architecture] = {}
    for architecture in itertools.islice(iterate(space), 1000):
        keys.setdefault(canonical(space, architecture, "nats"), architecture)
    assert len(keys) < 600
    history = search(Grid("nats"), space, {}, accuracy, trials=len(keys))
    assert [trial.proposal.architecture for trial in history] == list(keys.values())


def test_the_state_does_not_grow(accuracy: Metric) -> None:
    space = nasbench201((3, 32, 32), 10)
    state = Grid().init(space, {}, (accuracy,), 0)
    for number in (0, 10_000, size(space) - 1):
        proposal = Grid().propose(state, rng_for(0), number)
        assert proposal is not None
        state = Grid().update(state, Trial(proposal, TrialState.FAILED, {}, {}, fits=True, seed=0))
        assert (state.found, state.position, len(state.known.keys)) == (number + 1, number + 1, 0)


def test_a_rule_that_there_is_not() -> None:
    with pytest.raises(ConfigError, match=r"grid\.distinct: expected one of nats, pruned, flat, skips, or"):
        Grid("all")  # type: ignore[arg-type]


def test_the_order_of_numbers_of_any_size() -> None:
    assert [InOrder(3)(k) for k in range(3)] == [0, 1, 2]
    assert InOrder(10**30)(10**29) == 10**29
