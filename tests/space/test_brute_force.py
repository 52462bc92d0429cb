"""Every exact answer about a space against a look at all of its networks, on random small spaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from netwright.errors import BudgetError, SpaceError
from netwright.seeding import rng_for
from netwright.space import (
    Architecture,
    ExpressionSpace,
    compile_space,
    costs_of,
    count,
    extremes,
    fitting,
    iterate,
    mutate,
    neighbours,
    rank,
    sample,
    size,
    smallest,
    unrank,
    why_nothing_fits,
)
from tests.space.coarse import coarse_tables
from tests.space.small_spaces import SmallSpace, small_spaces

Costs = Mapping[str, int]


@dataclass(frozen=True)
class Truth:
    """A compiled space, and what the interpreter found: every network with its costs."""

    space: ExpressionSpace
    costs: Mapping[Architecture, Costs]

    def within(self, budget: Costs) -> set[Architecture]:
        return {
            architecture
            for architecture, costs in self.costs.items()
            if all(costs[metric] <= limit for metric, limit in budget.items())
        }


def compiled(small: SmallSpace, **options: Any) -> Truth:
    """Compile, and check the bijection and the graphs on the way."""
    space = compile_space(small.expression, "small", **options)
    order = [decision.name for decision in space.decisions]
    costs: dict[Architecture, Costs] = {}
    for member in small.members:
        choices = tuple(sorted(member.choices.items(), key=lambda item: order.index(item[0])))
        architecture = Architecture(space.id, choices)
        assert architecture not in costs
        graph = member.graph()
        assert space.to_graph(architecture) == graph
        assert space.architecture(dict(reversed(choices))) == architecture
        costs[architecture] = member.costs(**options)
    return Truth(space, costs)


def check_ranks(truth: Truth) -> None:
    space = truth.space
    assert size(space) == len(truth.costs)
    listed = list(iterate(space))
    assert set(listed) == set(truth.costs)
    assert len(listed) == len(truth.costs)
    assert [rank(space, architecture) for architecture in listed] == list(range(len(listed)))
    for wrong in (-1, len(listed)):
        with pytest.raises(
            SpaceError, match=f"rank: expected an integer from 0 to {len(listed) - 1}, got {wrong}"
        ):
            unrank(space, wrong)


def check_costs(truth: Truth) -> None:
    for architecture, costs in truth.costs.items():
        assert costs_of(truth.space, architecture) == costs
        assert Architecture.from_json(architecture.to_json()) == architecture
    for metric in truth.space.costs:
        values = [costs[metric] for costs in truth.costs.values()]
        assert smallest(truth.space, metric) == min(values)
        found = extremes(truth.space, metric)
        assert (found.smallest.value, found.largest.value) == (min(values), max(values))
        for extreme in (found.smallest, found.largest):
            assert truth.costs[extreme.architecture][metric] == extreme.value


EXACT_SUMS = 3
"""How many sums can be limited at once so that the numbers are exact; beyond, they are bounds."""


def check_budget(truth: Truth, budget: Costs, *, exact: bool) -> None:
    space, expected = truth.space, truth.within(budget)
    number = count(space, budget)
    assert number.lower <= len(expected) <= number.upper
    table = fitting(space, budget)
    assert len(expected) <= table.upper
    if exact and len(set(budget) - {"peak_activation_bytes"}) <= EXACT_SUMS:
        assert number.exact
        assert table.exact
        assert table.upper == len(expected)
    listed = [table.at(index) for index in range(table.upper)]
    found = [architecture for architecture in listed if architecture is not None]
    assert len(found) == len(expected)
    assert set(found) == expected
    rng = rng_for(len(expected), "test")
    if expected:
        assert {sample(space, rng, budget) for _ in range(3)} <= expected
        assert table.sample(rng) in expected
    else:
        check_nothing_fits(truth, budget)
    for metric in truth.space.costs:
        if expected:
            values = [truth.costs[architecture][metric] for architecture in expected]
            extreme = extremes(space, metric, budget)
            assert (extreme.smallest.value, extreme.largest.value) == (min(values), max(values))
            for one in (extreme.smallest, extreme.largest):
                assert one.architecture in expected
                assert truth.costs[one.architecture][metric] == one.value


def check_nothing_fits(truth: Truth, budget: Costs) -> None:
    space = truth.space
    reason = why_nothing_fits(space, budget)
    for call in (lambda: sample(space, rng_for(0), budget), lambda: extremes(space, "macs", budget)):
        with pytest.raises(BudgetError) as raised:
            call()
        assert str(raised.value) == reason
    assert reason.startswith(f"none of the {size(space):,} architectures of small fits the budget")
    alone = [m for m, limit in budget.items() if min(c[m] for c in truth.costs.values()) > limit]
    if alone:
        least = min(costs[alone[0]] for costs in truth.costs.values())
        assert f"the smallest needs {alone[0]} {least:,}; the budget is {budget[alone[0]]:,}" in reason
    else:
        # No limit is at fault alone.
        assert reason.endswith("although some fit each limit alone") or any(
            f"{metric} " in reason and f"the budget is {limit:,}" in reason
            for metric, limit in budget.items()
        )


def check_neighbours(truth: Truth, architecture: Architecture) -> None:
    """A neighbour differs in one decision; what both have besides is equal."""
    own = dict(architecture.choices)
    expected = set()
    for other in truth.costs:
        theirs = dict(other.choices)
        different = [name for name in own if name in theirs and own[name] != theirs[name]]
        if len(different) == 1:
            expected.add(other)
    listed = list(neighbours(truth.space, architecture))
    assert len(listed) == len(set(listed))
    assert set(listed) == expected
    rng = rng_for(0, architecture.key)
    if expected:
        assert {mutate(truth.space, architecture, rng) for _ in range(5)} <= expected
    else:
        with pytest.raises(SpaceError, match="no active decision of this architecture of small has another"):
            mutate(truth.space, architecture, rng)


def random_budget(random: Random, truth: Truth) -> dict[str, int]:
    """Limits at, just below or just above what some network costs, on one cost or several."""
    networks = list(truth.costs.values())
    metrics = random.sample(truth.space.costs, k=random.randint(1, len(truth.space.costs)))
    return {metric: random.choice(networks)[metric] + random.choice([-1, 0, 0, 1]) for metric in metrics}


def check(small: SmallSpace, random: Random) -> None:
    truth = compiled(small)
    check_ranks(truth)
    check_costs(truth)
    check_budget(truth, {}, exact=True)
    for _ in range(3):
        budget = random_budget(random, truth)
        check_budget(truth, budget, exact=True)
        with coarse_tables():
            check_budget(truth, budget, exact=False)
    for architecture in random.sample(list(truth.costs), k=min(3, len(truth.costs))):
        check_neighbours(truth, architecture)


randoms = st.randoms(use_true_random=True)

# A space is made of one seed, so there is nothing that hypothesis could make smaller.
TRIES = settings(
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@settings(TRIES, max_examples=30)
@given(small_spaces(most=150), randoms)
def test_small_spaces(small: SmallSpace, random: Random) -> None:
    check(small, random)


@pytest.mark.slow
@settings(TRIES, max_examples=200)
@given(small_spaces(), randoms)
def test_two_hundred_small_spaces(small: SmallSpace, random: Random) -> None:
    check(small, random)


@settings(TRIES, max_examples=10)
@given(
    small_spaces(most=60),
    st.sampled_from(["float32", "float16"]),
    st.sampled_from(["standard", "inplace-depthwise"]),
)
def test_other_number_formats_and_memory_models(small: SmallSpace, dtype: str, memory_model: str) -> None:
    check_costs(compiled(small, dtype=dtype, memory_model=memory_model))
