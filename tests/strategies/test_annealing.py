from __future__ import annotations

import math
from collections import Counter
from statistics import pstdev
from typing import Any

import pytest

from netwright import blocks as B
from netwright.errors import ConfigError
from netwright.seeding import rng_for, seed_for
from netwright.space import Architecture, ExpressionSpace, choice, compile_space, iterate, neighbours
from netwright.space import sequential as chain
from netwright.space.canonical_forms import canonical
from netwright.strategies import Annealing, make_strategy
from netwright.strategies.annealing import AnnealingState
from netwright.testing import StrategyLaws, example_space
from netwright.testing.strategies import search
from netwright.trial import Metric, Proposal, Strategy, Trial, TrialState

ACCURACY = Metric("accuracy", "share", "maximize")
SPACE = example_space()


def score(architecture: Architecture) -> float:
    return seed_for(0, "score", architecture.key) / 2**63


def trial(proposal: Proposal, value: float | None) -> Trial:
    state = TrialState.FAILED if value is None else TrialState.COMPLETE
    return Trial(proposal, state, {} if value is None else {"accuracy": value}, {}, fits=True, seed=0)


def at(strategy: Annealing, scores: list[float], seed: int = 0) -> tuple[AnnealingState, list[Architecture]]:
    """The state after trials 0, 1, ... of different architectures with these scores."""
    state = strategy.init(SPACE, {}, (ACCURACY,), seed)
    architectures = [architecture for architecture, _ in zip(iterate(SPACE), scores, strict=False)]
    for number, (architecture, value) in enumerate(zip(architectures, scores, strict=True)):
        state = strategy.update(state, trial(Proposal(number, architecture), value))
    return state, architectures


@pytest.mark.parametrize("lag", [1, 3])
def test_the_walk_is_that_of_metropolis(lag: int) -> None:
    """Where every proposal came from, followed a second time with the rule as the papers have it."""
    strategy = Annealing(temperature=2.0, cooling=0.98, opening=6)
    history = search(
        strategy,
        SPACE,
        {"params": 900},
        ACCURACY,
        trials=80,
        lag=lag,
        seed=3,
        score=lambda p: score(p.architecture),
    )
    moved = stayed = downhill = 0
    for number, one in enumerate(history):
        known = [t for t in history[: max(0, number - lag + 1)] if t.complete]
        if len(known) + min(number, lag - 1) < 6 or not known:
            assert one.proposal.parent is None
            continue
        opening, rest = known[:6], known[6:]
        here = max(opening, key=lambda t: (t.metrics["accuracy"], -t.number))
        spread = pstdev([t.metrics["accuracy"] for t in opening])
        moved = stayed = downhill = 0
        for there in rest:
            gain = there.metrics["accuracy"] - here.metrics["accuracy"]
            temperature = 2.0 * spread * 0.98**there.number
            chance = rng_for(3, "annealing", "accept", there.number).random()
            if chance < min(1.0, math.exp(min(gain, 0.0) / temperature)):
                here = there
                moved, downhill = moved + 1, downhill + (gain < 0)
            else:
                stayed += 1
        assert one.proposal.parent == here.number
        assert one.proposal.architecture in set(neighbours(SPACE, here.proposal.architecture))
    assert min(moved, stayed, downhill) > 3


def test_worse_networks_are_accepted_as_often_as_metropolis_says() -> None:
    """4000 seeds: within 3.5 standard deviations of exp(gain / T)."""
    strategy = Annealing(temperature=0.2, cooling=0.9, scale="absolute", opening=1)
    for gain in (-0.01, -0.1, -0.3):
        accepted = 0
        for seed in range(4000):
            state, architectures = at(strategy, [0.5, 0.5 + gain], seed)
            assert state.current is not None
            accepted += state.current.architecture == architectures[1]
        expected = math.exp(gain / (0.2 * 0.9))
        assert abs(accepted / 4000 - expected) < 3.5 * math.sqrt(expected * (1 - expected) / 4000)


def test_at_one_temperature_the_walk_visits_by_boltzmanns_law() -> None:
    """Where all have as many neighbours, visits are in proportion to exp(score / T)."""
    space = compile_space(
        chain(
            B.conv_bn_act(out=choice(2, 4, 6)), B.conv_bn_act(out=choice(2, 4, 6), kernel=1), input=(1, 4, 4)
        ),
        "nine",
    )
    scores = {architecture: k / 8 for k, architecture in enumerate(iterate(space))}
    strategy = Annealing(temperature=0.5, cooling=1.0, scale="absolute", opening=1)
    state = strategy.init(space, {}, (ACCURACY,), 0)
    visits: Counter[Architecture] = Counter()
    steps = 6000
    for number in range(steps):
        proposal = strategy.propose(state, rng_for(0, "walk", number), number)
        assert proposal is not None
        state = strategy.update(state, trial(proposal, scores[proposal.architecture]))
        assert state.current is not None
        visits[state.current.architecture] += 1
    weights = {architecture: math.exp(value / 0.5) for architecture, value in scores.items()}
    total = sum(weights.values())
    for architecture, weight in weights.items():
        assert visits[architecture] / steps == pytest.approx(weight / total, abs=0.025)


def test_without_temperature_it_never_goes_downhill() -> None:
    state, architectures = at(Annealing(temperature=0, opening=1), [0.5, 0.4, 0.5, 0.6, 0.1])
    assert state.current is not None
    assert state.current.architecture == architectures[3]
    # Equal is not worse.
    state, architectures = at(Annealing(temperature=0, opening=1), [0.5, 0.4, 0.5])
    assert state.current is not None
    assert state.current.architecture == architectures[2]


def test_hot_walks_go_everywhere() -> None:
    state, architectures = at(Annealing(1e12, 1.0, "absolute", opening=1), [0.5, -1e3, 0.5, 0.0])
    assert state.current is not None
    assert state.current.architecture == architectures[3]


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_the_unit_of_the_objective_does_not_matter(factor: float) -> None:
    strategy = Annealing(temperature=1.0)
    plain = search(strategy, SPACE, {}, ACCURACY, score=lambda p: score(p.architecture))
    other = search(strategy, SPACE, {}, ACCURACY, score=lambda p: factor * score(p.architecture))
    assert [one.proposal for one in other] == [one.proposal for one in plain]


def test_the_temperature_falls_by_trial_number() -> None:
    strategy = Annealing(temperature=2.0, cooling=0.5, opening=2)
    state, _ = at(strategy, [0.2, 0.4])
    assert strategy.temperature_of(state, 0) == pytest.approx(2 * 0.1)
    assert strategy.temperature_of(state, 3) == pytest.approx(2 * 0.1 / 8)
    absolute = Annealing(temperature=2.0, cooling=0.5, scale="absolute")
    assert absolute.temperature_of(state, 1) == 1.0


def test_failures_do_not_move_the_walk() -> None:
    strategy = Annealing(opening=2)
    state, architectures = at(strategy, [0.2, 0.4])
    later = state
    for number, value in enumerate((None, float("nan"), float("inf"), float("-inf")), start=2):
        later = strategy.update(later, trial(Proposal(number, architectures[0]), value))
    assert (later.current, later.opening, later.seen) == (state.current, state.opening, 6)


def test_where_no_neighbour_fits_it_draws(
    small: ExpressionSpace, costs: dict[Architecture, dict[str, int]]
) -> None:
    cheapest = min(costs, key=lambda architecture: costs[architecture]["macs"])
    strategy = Annealing(opening=1)
    state = strategy.init(small, {"macs": costs[cheapest]["macs"]}, (ACCURACY,), 0)
    state = strategy.update(state, trial(Proposal(0, cheapest), 0.5))
    assert strategy.propose(state, rng_for(0), 1) == Proposal(1, cheapest)


def test_no_network_twice(small: ExpressionSpace) -> None:
    history = search(Annealing(opening=3, distinct="flat"), small, {}, ACCURACY, trials=70, lag=1)
    keys = [canonical(small, one.proposal.architecture, "flat") for one in history]
    assert len(set(keys)) == len(keys) == 60


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -1}, r"annealing\.temperature: expected a number of at least 0, got -1"),
        ({"temperature": float("inf")}, r"annealing\.temperature: expected a number of at least 0, got inf"),
        ({"temperature": "hot"}, r"annealing\.temperature: expected a number of at least 0, got 'hot'"),
        ({"cooling": 0}, r"annealing\.cooling: expected a number above 0, at most 1, got 0"),
        ({"cooling": 1.1}, r"annealing\.cooling: expected a number above 0, at most 1, got 1\.1"),
        ({"scale": "log"}, r"annealing\.scale: expected one of spread, absolute, got 'log'"),
        ({"opening": 0}, r"annealing\.opening: expected an integer of at least 1, got 0"),
        ({"distinct": "all"}, r"annealing\.distinct: expected one of nats, "),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_strategy("annealing", **options)


class TestLaws(StrategyLaws):
    """A walk that begins soon and is hot enough to go both ways."""

    @pytest.fixture
    def strategy(self) -> Strategy:
        return make_strategy("annealing", opening=3, temperature=0.5)
