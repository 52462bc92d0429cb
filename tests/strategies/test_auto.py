"""What the searches with a surrogate model do besides the laws that every strategy keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.errors import ConfigError
from netwright.estimators.tables import Tabular, load_table
from netwright.seeding import rng_for, seed_for
from netwright.space import Architecture, ExpressionSpace, canonical, costs_of, extremes, rank, size
from netwright.spaces.mobilenet import mobilenet_tiny
from netwright.spaces.nasbench201 import nasbench201
from netwright.strategies import Auto, Bananas, GaussianProcess, make_strategy
from netwright.strategies.pool import BEST, DRAWN, EARLY, VARIED
from netwright.study import search_in_memory
from netwright.testing.strategies import search
from netwright.trial import Metric, Proposal, Strategy, Trial, TrialState

SCORE = Metric("score", "", "maximize")
CELLS = nasbench201((3, 16, 16), 10, cells=1, channels=4)
MODELS: tuple[Callable[[], Strategy], ...] = (Auto, GaussianProcess, Bananas)


def scored(proposal: Proposal, value: float | None) -> Trial:
    state = TrialState.FAILED if value is None else TrialState.COMPLETE
    metrics = {} if value is None else {"score": value}
    return Trial(proposal, state, metrics, {}, fits=True, seed=0)


def convolutions(architecture: Architecture) -> float:
    """Rises with every 3x3 convolution, and a little with every skip."""
    values = [value for _, value in architecture]
    return values.count("nor_conv_3x3") + 0.1 * values.count("skip_connect")


def run(
    strategy: Strategy,
    space: ExpressionSpace,
    trials: int,
    value: Callable[[Architecture], float],
    seed: int = 0,
) -> tuple[Any, list[Trial]]:
    state, history = strategy.init(space, {}, (SCORE,), 0), []
    for number in range(trials):
        proposal = strategy.propose(state, rng_for(0, number), number)
        assert proposal is not None
        history.append(scored(proposal, value(proposal.architecture)))
        state = strategy.update(state, history[-1])
    return state, history


@pytest.mark.parametrize("make", MODELS)
def test_the_model_leads_to_the_best(make: Callable[[], Strategy]) -> None:
    """Among 15,625 cells, the one of convolutions alone, which 40 random ones do not come near."""
    _, history = run(make(), CELLS, 40, convolutions)
    assert max(convolutions(trial.proposal.architecture) for trial in history) >= 5
    _, other = run(make_strategy("random"), CELLS, 40, convolutions)
    assert max(convolutions(trial.proposal.architecture) for trial in other) < 5


@pytest.mark.parametrize("make", MODELS)
def test_children_know_their_parents(make: Callable[[], Strategy]) -> None:
    """A parent is a trial that was known, and differs in one decision."""
    _, history = run(make(), CELLS, 30, convolutions)
    children = [trial.proposal for trial in history if trial.proposal.parent is not None]
    assert len(children) > 5
    for child in children:
        parent = history[child.parent or 0].proposal.architecture
        pairs = zip(child.architecture.choices, parent.choices, strict=True)
        assert sum(one != two for one, two in pairs) == 1


def test_a_network_is_not_tried_in_another_drawing() -> None:
    _, history = run(Auto(), CELLS, 60, convolutions)
    keys = [canonical(CELLS, trial.proposal.architecture, "flat") for trial in history[Auto().initial :]]
    assert len(set(keys)) == len(keys)


def test_with_several_under_way_proposals_differ() -> None:
    """One that is asked again gives another; so does a later number from a state a step ahead."""
    state, _ = run(Auto(), CELLS, 20, convolutions)
    asked = {Auto().propose(state, rng_for(1, attempt), 23).architecture for attempt in range(30)}  # type: ignore[union-attr]
    assert len(asked) == 4
    alone = {Auto().propose(state, rng_for(1, attempt), 20).architecture for attempt in range(5)}  # type: ignore[union-attr]
    assert len(alone) == 1
    assert alone < asked


@pytest.mark.parametrize("make", MODELS)
def test_failures_are_not_repeated_and_teach_nothing(make: Callable[[], Strategy]) -> None:
    strategy = make()
    state, _ = run(strategy, CELLS, 25, convolutions)
    best = strategy.propose(state, rng_for(0), 25)
    assert best is not None
    failed = strategy.update(state, scored(best, None))
    again = strategy.propose(failed, rng_for(0), 26)
    assert again is not None
    assert again.architecture != best.architecture
    assert failed.pool.scored == state.pool.scored


@pytest.mark.parametrize("make", MODELS)
def test_a_small_space_is_searched_to_its_end(make: Callable[[], Strategy], small: ExpressionSpace) -> None:
    """Each of 60 once, and then nothing."""
    history = search(make(), small, {}, SCORE, lag=1, trials=100, fails=lambda number: False)
    assert sorted(rank(small, trial.proposal.architecture) for trial in history) == list(range(size(small)))


@pytest.mark.parametrize("make", MODELS)
def test_scale_and_offset_of_the_scores_do_not_matter(make: Callable[[], Strategy]) -> None:
    """Accuracy as a share and in percent is the same search, as far as rounding goes."""
    one = run(make(), CELLS, 14, lambda a: convolutions(a))[1]
    two = run(make(), CELLS, 14, lambda a: 64 * convolutions(a) - 128)[1]
    assert [trial.proposal for trial in one] == [trial.proposal for trial in two]


def test_constant_scores_are_no_division_by_zero() -> None:
    with np.errstate(all="raise"):
        for make in MODELS:
            run(make(), CELLS, 25, lambda architecture: 0.5)


def test_the_pool_is_bounded_and_all_of_it_fits() -> None:
    space = mobilenet_tiny((1, 28, 28), 10)
    budget = {"macs": 2_000_000, "peak_activation_bytes": 20_000}
    state = make_strategy("auto").init(space, budget, (SCORE,), 0)
    for number in range(EARLY + 20):
        before = state.pool
        proposal = Proposal(number, before.drawn[number % len(before.drawn)])
        value = seed_for(0, proposal.architecture.key) / 2**63
        state = Auto().update(state, scored(proposal, value))
        pool = state.pool
        assert len(pool.drawn) <= DRAWN
        assert len(pool.varied) <= VARIED
        new = [one for one in pool.varied if one not in before.varied]
        assert len(new) <= (10 if number < EARLY else 5)
        parents = {one.number for one in pool.best}
        assert {parent for _, parent in new} <= parents
        for architecture, _ in new:
            costs = costs_of(space, architecture)
            assert all(costs[name] <= limit for name, limit in budget.items())
    assert len(state.pool.best) == BEST
    assert all(one.score >= two.score for one, two in pairwise(state.pool.best))


def test_a_space_where_nothing_can_be_learned() -> None:
    """Every block is constant within the budget of the smallest network: it is proposed, then nothing."""
    space = mobilenet_tiny((1, 8, 8), 10)
    least = extremes(space, "params").smallest.value
    history = search(Auto(), space, {"params": least}, SCORE, lag=1, trials=30)
    assert all(costs_of(space, trial.proposal.architecture)["params"] == least for trial in history)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, None])
@pytest.mark.parametrize("name", ["auto", "gp", "bananas", "tpe", "optuna-gp"])
def test_initial_of_the_wrong_kind(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"{name}\.initial: expected an integer of at least 1, got "):
        make_strategy(name, initial=value)


def test_states_of_equal_histories_are_equal() -> None:
    one, history = run(Auto(), CELLS, 12, convolutions)
    other = Auto().init(CELLS, {}, (SCORE,), 0)
    for trial in history:
        other = Auto().update(other, trial)
    assert one == other
    assert replace(one, keys=frozenset()) != one


@pytest.mark.slow
def test_the_bars_on_a_table(shared_data: Path) -> None:
    """Mean validation regret of a few seeds; benchmarks/auto_ablation.py has more, and all data sets."""
    bars: Mapping[str, float] = {"cifar100": 0.15, "cifar10": 0.05}
    for dataset, bar in bars.items():
        table = load_table("nasbench201", dataset, str(shared_data))
        source = Tabular(table)
        best = float(np.nanmax(table.column("validation_accuracy", epochs=200).values))
        regrets = []
        for seed in range(6):
            done = search_in_memory(
                table.space, Auto(), source, evaluations=50, seed=seed, known_is_free=True
            )
            found = [trial.metrics["validation_accuracy"] for trial in done.history]
            regrets.append(best - max(found))
        assert np.mean(regrets) <= bar
