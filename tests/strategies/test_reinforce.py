from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from netwright.errors import ConfigError
from netwright.seeding import rng_for, seed_for
from netwright.space import Architecture, ExpressionSpace, iterate
from netwright.space.canonical_forms import canonical
from netwright.strategies import Reinforce, make_strategy
from netwright.strategies.controller import Choice
from netwright.strategies.reinforce import ReinforceState, _choices
from netwright.testing import StrategyLaws, example_space
from netwright.testing.strategies import proposals, search
from netwright.trial import Metric, Proposal, Strategy, Trial, TrialState
from tests.space.coarse import coarse_tables

ACCURACY = Metric("accuracy", "share", "maximize")
Costs = dict[Architecture, dict[str, int]]


def score(architecture: Architecture) -> float:
    return seed_for(0, "score", architecture.key) / 2**63


def trial(number: int, architecture: Architecture, value: float | None) -> Trial:
    state = TrialState.FAILED if value is None else TrialState.COMPLETE
    metrics = {} if value is None else {"accuracy": value}
    return Trial(Proposal(number, architecture), state, metrics, {}, fits=True, seed=0)


def warmed(strategy: Reinforce, space: ExpressionSpace, budget: dict[str, int]) -> ReinforceState:
    """A controller that prefers some architectures, since its parameters are larger than at the start."""
    state = strategy.init(space, budget, (ACCURACY,), 0)
    return replace(state, vector=state.vector * 8)


def log_probability(state: ReinforceState, architecture: Architecture) -> float:
    walk = state.controller.walk(state.vector)
    total = 0.0
    for choice in _choices(state, architecture):
        total += math.log(walk.odds(choice.options)[choice.taken])
        walk.take(choice.row)
    return total


def half(costs: Costs) -> dict[str, int]:
    return {name: sorted(cost[name] for cost in costs.values())[35] for name in ("macs", "params")}


@pytest.mark.parametrize("limited", [False, True])
def test_it_is_a_distribution_over_exactly_what_fits(
    small: ExpressionSpace, costs: Costs, limited: bool
) -> None:
    """On a space whose decisions depend on each other; and what is drawn has these probabilities."""
    budget = half(costs) if limited else {}
    strategy = Reinforce(hidden=8)
    state = warmed(strategy, small, budget)
    fitting = [a for a, cost in costs.items() if all(cost[name] <= most for name, most in budget.items())]
    odds = {architecture: math.exp(log_probability(state, architecture)) for architecture in fitting}
    assert sum(odds.values()) == pytest.approx(1)
    assert max(odds.values()) > 2 * min(odds.values())
    draws = 3000
    seen: Counter[Architecture] = Counter()
    for number in range(draws):
        proposal = strategy.propose(state, rng_for(4, number), number)
        assert proposal is not None
        seen[proposal.architecture] += 1
    assert set(seen) <= set(fitting)
    statistic = sum((seen[a] - draws * p) ** 2 / (draws * p) for a, p in odds.items())
    freedom = len(fitting) - 1
    assert abs(statistic - freedom) < 4 * math.sqrt(2 * freedom)


def test_the_expected_update_is_the_gradient_of_the_expected_score(small: ExpressionSpace) -> None:
    """[Williams 1992, theorem 1], by enumeration: sum of p R grad log p against differences of sum of p R."""
    state = warmed(Reinforce(hidden=4), small, {})
    architectures = list(iterate(small))
    shape = state.controller

    def expected_score(vector: np.ndarray[Any, np.dtype[np.float64]]) -> float:
        at = replace(state, vector=vector)
        return sum(math.exp(log_probability(at, one)) * score(one) for one in architectures)

    found = np.zeros(shape.size)
    for one in architectures:
        p = math.exp(log_probability(state, one))
        found += p * shape.gradient(state.vector, _choices(state, one), score(one), 0.0)
    rng = rng_for(5)
    for _ in range(5):
        direction = rng.normal(size=shape.size)
        step = 1e-5 * direction
        slope = (expected_score(state.vector + step) - expected_score(state.vector - step)) / 2e-5
        assert found @ direction == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_updates_are_those_of_torchs_adam(small: ExpressionSpace) -> None:
    """With the advantages of the paper's baseline, computed a second time from the list of scores."""
    strategy = Reinforce(hidden=6, learning_rate=0.05, entropy=0.03, decay=0.8)
    state = strategy.init(small, {}, (ACCURACY,), 3)
    parameters = torch.nn.Parameter(torch.tensor(state.vector.copy()))
    adam = torch.optim.Adam([parameters], lr=0.05, betas=(0.9, 0.999), eps=1e-8, maximize=True)
    scores: list[float] = []
    squares: list[float] = []

    def average(values: list[float]) -> float:
        weights = [0.8 ** (len(values) - 1 - k) for k in range(len(values))]
        return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)

    for number, architecture in zip(range(12), iterate(small), strict=False):
        value = 60 + 20 * score(architecture)
        if scores:
            surprise = value - average(scores)
            squares.append(surprise**2)
            advantage = surprise / math.sqrt(average(squares))
            choices = _choices(state, architecture)
            parameters.grad = torch.tensor(state.controller.gradient(state.vector, choices, advantage, 0.03))
            adam.step()
        scores.append(value)
        state = strategy.update(state, trial(number, architecture, value))
        np.testing.assert_allclose(state.vector, parameters.detach().numpy(), rtol=1e-9, atol=1e-12)
        assert state.steps == number


def test_one_score_teaches_nothing(small: ExpressionSpace) -> None:
    strategy = Reinforce(entropy=0.5)
    state = strategy.init(small, {}, (ACCURACY,), 0)
    first, second, *_ = iterate(small)
    once = strategy.update(state, trial(0, first, 0.7))
    assert (once.vector == state.vector).all()
    assert once.baseline.value == pytest.approx(0.7)
    better, worse = (strategy.update(once, trial(1, second, value)) for value in (0.8, 0.6))
    assert (better.vector != once.vector).any()
    before = log_probability(once, second)
    assert log_probability(worse, second) < before < log_probability(better, second)


def test_the_entropy_bonus_evens_the_odds(small: ExpressionSpace) -> None:
    """Along the architecture that was evaluated, towards even odds at every step."""
    architecture = list(iterate(small))[-1]

    def entropy(state: ReinforceState) -> float:
        walk = state.controller.walk(state.vector)
        total = 0.0
        for choice in _choices(state, architecture):
            odds = walk.odds(choice.options)
            total -= float(odds @ np.log(odds))
            walk.take(choice.row)
        return total

    strategy = Reinforce(entropy=1.0, learning_rate=0.001)
    state = warmed(strategy, small, {})
    most = sum(math.log(len(choice.options)) for choice in _choices(state, architecture))
    found = [entropy(state)]
    for number in range(13):
        state = strategy.update(state, trial(number, architecture, 0.5))
        found.append(entropy(state))
    # The first trial is the baseline of the others.
    assert found[0] == found[1] < found[5] < found[9] < found[13] < most


def test_it_learns() -> None:
    """Networks that share most of their choices with a hidden one score best, and become the likely ones."""
    space = example_space()
    target = next(a for a in iterate(space) if score(a) > 0.99)
    strategy = Reinforce()

    def shared(proposal: Proposal) -> float:
        return len(set(proposal.architecture) & set(target)) / len(set(target))

    gains = []
    for seed in range(3):
        history = search(
            strategy, space, {}, ACCURACY, trials=80, seed=seed, score=shared, fails=lambda number: False
        )
        values = [one.metrics["accuracy"] for one in history]
        gains.append(np.mean(values[-20:]) - np.mean(values[:20]))
    assert min(gains) > 0.1


def test_failures_and_strange_scores_teach_nothing(small: ExpressionSpace) -> None:
    strategy = Reinforce()
    state = strategy.init(small, {}, (ACCURACY,), 0)
    architecture = next(iterate(small))
    for value in (None, math.nan, math.inf, -math.inf):
        assert strategy.update(state, trial(0, architecture, value)) is state


def test_states_cannot_be_written_to(small: ExpressionSpace) -> None:
    strategy = Reinforce()
    state = strategy.init(small, {}, (ACCURACY,), 0)
    for one in (state, strategy.update(state, trial(0, next(iterate(small)), 0.5))):
        for array in (one.vector, one.mean, one.square):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1.0


def test_the_unit_of_the_objective_does_not_matter(small: ExpressionSpace) -> None:
    plain = search(Reinforce(), small, {}, ACCURACY, score=lambda p: score(p.architecture))
    other = search(Reinforce(), small, {}, ACCURACY, score=lambda p: 1e6 * score(p.architecture))
    assert proposals(plain) == proposals(other)


@pytest.mark.parametrize("lag", [1, 4])
def test_where_the_tables_are_rounded_only_what_fits_is_proposed(
    small: ExpressionSpace, costs: Costs, lag: int
) -> None:
    budget = half(costs)
    with coarse_tables():
        history = search(Reinforce(), small, budget, ACCURACY, lag=lag)
    assert len(history) == 40
    for one in history:
        assert all(costs[one.proposal.architecture][name] <= limit for name, limit in budget.items())


def test_no_network_twice(small: ExpressionSpace) -> None:
    history = search(Reinforce(distinct="flat"), small, {}, ACCURACY, trials=70, lag=1)
    keys = [canonical(small, one.proposal.architecture, "flat") for one in history]
    assert len(set(keys)) == len(keys)
    assert len(keys) > 50


def test_steps_leave_out_what_is_no_choice(small: ExpressionSpace, costs: Costs) -> None:
    """Under a budget that only the cheapest keeps there is nothing to decide."""
    cheapest = min(costs, key=lambda architecture: costs[architecture]["macs"])
    strategy = Reinforce()
    state = strategy.init(small, {"macs": costs[cheapest]["macs"]}, (ACCURACY,), 0)
    assert _choices(state, cheapest) == []
    assert strategy.propose(state, rng_for(0), 0) == Proposal(0, cheapest)
    for number in range(3):
        state = strategy.update(state, trial(number, cheapest, number / 3))
    assert state.steps == 2


def test_rows_of_options(small: ExpressionSpace) -> None:
    state = Reinforce().init(small, {}, (ACCURACY,), 0)
    counts = [len(decision.options) for decision in small.decisions]
    assert state.controller.rows == sum(counts)
    assert state.offsets == tuple(sum(counts[:k]) for k in range(len(counts)))
    last = list(iterate(small))[-1]
    chosen = _choices(state, last)
    assert all(isinstance(choice, Choice) for choice in chosen)
    assert len(chosen) == len(last.choices)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 0}, r"reinforce\.hidden: expected an integer of at least 1, got 0"),
        ({"learning_rate": 0}, r"reinforce\.learning_rate: expected a number above 0, got 0"),
        ({"learning_rate": "fast"}, r"reinforce\.learning_rate: expected a number above 0, got 'fast'"),
        ({"entropy": -1}, r"reinforce\.entropy: expected a number of at least 0, got -1"),
        ({"decay": 1}, r"reinforce\.decay: expected a number from 0 to below 1, got 1"),
        ({"distinct": "all"}, r"reinforce\.distinct: expected one of nats, "),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_strategy("reinforce", **options)


class TestLaws(StrategyLaws):
    """A controller that learns so fast that every trial shows in the next proposals."""

    @pytest.fixture
    def strategy(self) -> Strategy:
        return make_strategy("reinforce", hidden=8, learning_rate=0.3, entropy=0.1)
