from __future__ import annotations

import pytest

from netwright.errors import BudgetError
from netwright.space import Architecture, ExpressionSpace, fits
from netwright.strategies.candidates import candidates_in

Costs = dict[Architecture, dict[str, int]]


def test_fits_is_inclusive_in_every_cost(small: ExpressionSpace, costs: Costs) -> None:
    for architecture, cost in costs.items():
        assert fits(small, architecture, cost)
        assert fits(small, architecture, {})
        for metric in cost:
            assert not fits(small, architecture, {**cost, metric: cost[metric] - 1})


def test_candidates_are_those_that_fit(small: ExpressionSpace, costs: Costs) -> None:
    budget = {"peak_activation_bytes": sorted(cost["peak_activation_bytes"] for cost in costs.values())[30]}
    candidates = candidates_in(small, budget)
    found = {candidates.at(index) for index in range(candidates.upper)}
    assert found - {None} == {architecture for architecture in costs if fits(small, architecture, budget)}


def test_nothing_fits_says_what_the_smallest_needs(small: ExpressionSpace, costs: Costs) -> None:
    least = min(cost["params"] for cost in costs.values())
    with pytest.raises(BudgetError, match=f"the smallest needs params {least}; the budget is {least - 1}"):
        candidates_in(small, {"params": least - 1})
