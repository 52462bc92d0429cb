"""Distributions against a look at all networks."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, isclose
from random import Random

import pytest
from hypothesis import given, settings

from netwright import blocks as B
from netwright.errors import BudgetError, SpaceError
from netwright.space import choice, compile_space, repeat, sequential
from netwright.space.distributions import Distribution, distribution
from tests.space.coarse import coarse_tables
from tests.space.small_spaces import SmallSpace, small_spaces
from tests.space.test_brute_force import TRIES, Truth, compiled, random_budget, randoms


def check_distribution(found: Distribution, costs: list[int], *, exact: bool) -> None:
    """Counts, quantiles and mean of a list of costs are within the bounds."""
    assert list(found.values) == sorted(set(found.values))
    costs = sorted(costs)
    for value, lower, upper in zip(found.values, found.lower, found.upper, strict=True):
        number = sum(cost <= value for cost in costs)
        assert lower <= number <= upper
    asked = [*costs, costs[0] - 1, costs[-1] + 1, (costs[0] + costs[-1]) // 2]
    for value in asked:
        lower, upper = found.at_most(value)
        assert lower <= sum(cost <= value for cost in costs) <= upper
    for share in (0.001, 0.25, 0.5, 0.8, 1.0):
        low, high = found.quantile(share)
        assert low <= costs[ceil(Fraction(str(share)) * len(costs)) - 1] <= high
    least, most = found.mean()
    mean = sum(costs) / len(costs)
    assert least <= mean + 1e-6
    assert mean <= most + 1e-6
    if exact:
        assert found.exact
        assert (found.lower[-1], found.values[-1]) == (len(costs), max(found.values[-1], costs[-1]))
        if found.complete:
            assert isclose(least, mean)
            assert isclose(most, mean)
            assert found.quantile(0.5)[0] == found.quantile(0.5)[1]


def check_distributions(truth: Truth, budget: Mapping[str, int]) -> None:
    for limits in ({}, dict(budget)):
        expected = truth.within(limits)
        for metric in truth.space.costs:
            if not expected:
                with pytest.raises(BudgetError, match="none of the"):
                    distribution(truth.space, metric, limits)
                continue
            costs = [truth.costs[architecture][metric] for architecture in expected]
            exact = len(set(limits) - {"peak_activation_bytes", metric}) <= 1
            for points in (1024, 7):
                check_distribution(
                    distribution(truth.space, metric, limits, points=points),
                    costs,
                    exact=exact and not limits,
                )


@settings(TRIES, max_examples=15)
@given(small_spaces(most=100), randoms)
def test_distributions_of_small_spaces(small: SmallSpace, random: Random) -> None:
    truth = compiled(small)
    budget = random_budget(random, truth)
    check_distributions(truth, budget)
    with coarse_tables():
        for limits in ({}, budget):
            expected = truth.within(limits)
            for metric in truth.space.costs:
                if expected:
                    found = distribution(truth.space, metric, limits)
                    check_distribution(found, [truth.costs[a][metric] for a in expected], exact=False)


@pytest.mark.slow
@settings(TRIES, max_examples=200)
@given(small_spaces(), randoms)
def test_distributions_of_two_hundred_small_spaces(small: SmallSpace, random: Random) -> None:
    truth = compiled(small)
    check_distributions(truth, random_budget(random, truth))


def test_questions_that_make_no_sense_are_refused() -> None:
    body = repeat("stage", B.conv_bn_act(out=4, kernel=choice(1, 3)), depth=choice(1, 2))
    space = compile_space(sequential(body, input=(2, 4, 4)), "two")
    found = distribution(space, "macs")
    with pytest.raises(SpaceError, match="quantile: expected a share above 0 and at most 1, got 0"):
        found.quantile(0)
    with pytest.raises(SpaceError, match="points: expected at least 2, got 1"):
        distribution(space, "macs", points=1)
    with pytest.raises(BudgetError, match="budget: expected limits on some of"):
        distribution(space, "speed")
    with pytest.raises(BudgetError, match="the smallest needs params"):
        distribution(space, "macs", {"params": 1})
