"""Draws against the probabilities that each architecture must have."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright import blocks as B
from netwright.errors import BudgetError, SpaceError
from netwright.ir.cost import COSTS
from netwright.seeding import rng_for
from netwright.space import (
    Architecture,
    ExpressionSpace,
    choice,
    compile_space,
    costs_of,
    iterate,
    rank,
    repeat,
    sequential,
    size,
    unrank,
)
from netwright.space.drawing import draw_rows, sample_per_decision, without_replacement
from netwright.space.encoding import decode
from tests.space.coarse import coarse_tables
from tests.space.small_spaces import SmallSpace, small_spaces
from tests.space.test_encoding import disagreeing, trellis_space


@pytest.fixture(scope="module")
def stage() -> ExpressionSpace:
    """2 + 4 + 8 + 16 architectures, twice."""
    body = repeat(
        "s", B.inverted_residual(out=choice(4, 6, name="w"), kernel=choice(3, 5)), depth=choice(1, 2, 3, 4)
    )
    return compile_space(sequential(body, input=(8, 8, 8)), "stage")


def excess(found: Counter[Architecture], expected: dict[Architecture, float]) -> float:
    """Chi-square against expected frequencies in standard deviations above its mean; all seeds are fixed."""
    assert set(found) <= set(expected)
    freedom = len(expected) - 1
    statistic = sum((found[one] - number) ** 2 / number for one, number in expected.items())
    return (statistic - freedom) / math.sqrt(2 * freedom)


def evenly(members: Iterable[Architecture], draws: int) -> dict[Architecture, float]:
    listed = list(members)
    return dict.fromkeys(listed, draws / len(listed))


# ------------------------------------------------------------------------------------- per decision


def per_decision(space: ExpressionSpace) -> dict[Architecture, float]:
    """The probability of each architecture, from how many options each of its decisions has."""
    options = {decision.name: len(decision.options) for decision in space.decisions}
    return {one: math.prod(1 / options[name] for name, _ in one) for one in iterate(space)}


def test_per_decision_every_option_is_equally_likely(stage: ExpressionSpace) -> None:
    chances = per_decision(stage)
    assert sum(chances.values()) == pytest.approx(1)
    rng = rng_for(0, "draws")
    found = Counter(sample_per_decision(stage, rng) for _ in range(6000))
    assert excess(found, {one: 6000 * chance for one, chance in chances.items()}) < 3
    assert excess(found, evenly(chances, 6000)) > 50


def test_per_decision_where_decisions_rule_options_out() -> None:
    space = trellis_space()
    rng = rng_for(0, "draws")
    found = Counter(sample_per_decision(space, rng) for _ in range(500))
    assert set(found) == set(iterate(space))


@settings(max_examples=30, deadline=None)
@given(small_spaces(most=40), st.integers(0, 1000))
def test_per_decision_gives_members(small: SmallSpace, seed: int) -> None:
    space = compile_space(small.expression, "small")
    drawn = sample_per_decision(space, rng_for(seed))
    assert unrank(space, rank(space, drawn)) == drawn


# ------------------------------------------------------------------------------- without replacement


@settings(max_examples=40, deadline=None)
@given(small_spaces(most=60), st.integers(0, 2**64), st.sampled_from(["all", *COSTS]), st.booleans())
def test_everything_that_fits_comes_once(small: SmallSpace, seed: int, metric: str, coarse: bool) -> None:
    space = compile_space(small.expression, "small")
    costs = {one: costs_of(space, one) for one in iterate(space)}
    values = sorted(cost.get(metric, 0) for cost in costs.values())
    budget = {} if metric == "all" else {metric: values[len(values) // 2]}
    fit = {one for one, cost in costs.items() if all(cost[name] <= limit for name, limit in budget.items())}
    if coarse:
        with coarse_tables():
            drawn = list(without_replacement(space, seed, budget))
    else:
        drawn = list(without_replacement(space, seed, budget))
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == fit
    assert list(without_replacement(space, seed, budget)) == drawn or coarse


def test_the_beginning_is_uniform(stage: ExpressionSpace) -> None:
    for place in (0, 1, 7):
        found = Counter(next(islice(without_replacement(stage, seed), place, None)) for seed in range(3000))
        assert excess(found, evenly(iterate(stage), 3000)) < 3


def test_nothing_fits_is_said_at_once(stage: ExpressionSpace) -> None:
    least = min(costs_of(stage, one)["macs"] for one in iterate(stage))
    with pytest.raises(BudgetError, match=f"the smallest needs macs {least:,}; the budget is {least - 1:,}"):
        without_replacement(stage, 0, {"macs": least - 1})


def test_it_gives_up_where_practically_nothing_fits(
    stage: ExpressionSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netwright.space.drawing.MISSES", 0)
    middle = sorted(costs_of(stage, one)["macs"] for one in iterate(stage))[20]
    with coarse_tables(), pytest.raises(BudgetError, match=r"got 1 in a row that do not; .* of macs \d+"):
        list(without_replacement(stage, 1, {"macs": middle}))


# ------------------------------------------------------------------------------------- many at once


@pytest.mark.parametrize("word", [1, 2, 5, 62])
def test_rows_are_uniform_however_few_bits_are_drawn_at_once(
    stage: ExpressionSpace, word: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With few bits a draw is often not certain at first: that is where an error would hide.
    monkeypatch.setattr("netwright.space.drawing.WORD", word)
    monkeypatch.setattr("netwright.space.drawing.CHUNK", 1000)
    rows = draw_rows(stage, rng_for(word, "uniform"), 9000)
    assert excess(Counter(decode(stage, rows)), evenly(iterate(stage), 9000)) < 3


@pytest.mark.parametrize("make", [trellis_space, disagreeing])
def test_rows_of_other_spaces_are_uniform(make: Callable[[], ExpressionSpace]) -> None:
    space = make()
    draws = 200 * size(space)
    found = Counter(decode(space, draw_rows(space, rng_for(1, "draws"), draws)))
    assert excess(found, evenly(iterate(space), draws)) < 3


@settings(max_examples=40, deadline=None)
@given(small_spaces(most=40), st.integers(0, 1000), st.sampled_from([1, 62]))
def test_rows_are_members_and_all_can_come(small: SmallSpace, seed: int, word: int) -> None:
    space = compile_space(small.expression, "small")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("netwright.space.drawing.WORD", word)
        rows = draw_rows(space, rng_for(seed), 40 * size(space))
        again = draw_rows(space, rng_for(seed), 40 * size(space))
    assert np.array_equal(rows, again)
    # The chance that one of them is missing is 40 * exp(-40).
    assert set(decode(space, rows)) == set(iterate(space))


def test_rows_of_a_space_beyond_64_bits() -> None:
    """Shares of the depths are known: 3 layers in 9, 81 or 729 ways, with sizes of 30 digits and more."""
    layer = B.inverted_residual(out=8, kernel=choice(3, 5, 7), expand=choice(2, 3, 4))
    stages = [repeat(f"s{k}", layer, depth=choice(1, 2, 3)) for k in range(12)]
    space = compile_space(sequential(*stages, input=(8, 8, 8)), "long")
    assert size(space) == 819**12 > 2**64
    names = [decision.name for decision in space.decisions]
    rows = draw_rows(space, rng_for(0, "draws"), 20_000)
    for k in (0, 5, 11):
        found = np.bincount(rows[:, names.index(f"s{k}.depth")], minlength=3)
        expected = np.array([9, 81, 729]) / 819 * 20_000
        assert ((found - expected) ** 2 / expected).sum() < 13.8  # 0.1 % with two degrees of freedom


def test_how_many(stage: ExpressionSpace) -> None:
    assert draw_rows(stage, rng_for(0), 0).shape == (0, len(stage.decisions))
    with pytest.raises(SpaceError, match="number: expected at least 0, got -1"):
        draw_rows(stage, rng_for(0), -1)
