"""Local search, step by step on a small space, and against figures of an independent program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netwright import blocks as B
from netwright.errors import ConfigError
from netwright.estimators.tables import Tabular, load_table
from netwright.seeding import rng_for
from netwright.space import (
    Architecture,
    ExpressionSpace,
    choice,
    compile_space,
    neighbours,
    repeat,
    sequential,
    unrank,
)
from netwright.space.canonical_forms import canonical
from netwright.spaces import nasbench201
from netwright.strategies import LocalSearch
from netwright.strategies.local_search import LISTED, LocalState, Result, Results
from netwright.study import search_in_memory
from netwright.testing import StrategyLaws
from netwright.testing.strategies import fold, search
from netwright.trial import Metric, Proposal, Strategy, Trial, TrialState

ACCURACY = Metric("accuracy", "share", "maximize")


def trial(proposal: Proposal, score: float | None) -> Trial:
    state = TrialState.FAILED if score is None else TrialState.COMPLETE
    return Trial(proposal, state, {} if score is None else {"accuracy": score}, {}, True, 0)


def start(small: ExpressionSpace, rank: int = 0, score: float = 0.5) -> LocalState:
    state = LocalSearch().init(small, {}, (ACCURACY,), 0)
    return LocalSearch().update(state, trial(Proposal(0, unrank(small, rank)), score))


def proposed(state: LocalState, number: int, seed: int = 0) -> Proposal:
    proposal = LocalSearch().propose(state, rng_for(seed, number), number)
    assert proposal is not None
    return proposal


def test_the_first_success_is_the_centre(small: ExpressionSpace) -> None:
    state = LocalSearch().init(small, {}, (ACCURACY,), 0)
    first = proposed(state, 0)
    assert first.parent is None
    state = LocalSearch().update(state, trial(first, None))
    assert state.centre is None
    state = LocalSearch().update(state, trial(replace(first, number=1), 0.25))
    assert state.centre is not None
    assert (state.centre.number, state.centre.score) == (1, 0.25)


def test_neighbours_are_tried_each_once_in_an_order_of_the_seed(small: ExpressionSpace) -> None:
    orders = []
    for seed in (0, 0, 1):
        state = LocalSearch().init(small, {}, (ACCURACY,), seed)
        state = LocalSearch().update(state, trial(Proposal(0, unrank(small, 0)), 0.5))
        order = []
        number = 1
        while state.centre is not None:
            proposal = proposed(state, number)
            assert proposal.parent == 0
            order.append(proposal.architecture)
            state = LocalSearch().update(state, trial(proposal, 0.4 if number % 3 else None))
            number += 1
        assert set(order) == set(neighbours(small, unrank(small, 0)))
        assert len(order) == len(set(order))
        assert state.restarts == 1
        orders.append(order)
    assert orders[0] == orders[1] != orders[2]


def test_it_moves_to_the_first_that_is_better(small: ExpressionSpace) -> None:
    state = start(small)
    equal = proposed(state, 1)
    state = LocalSearch().update(state, trial(equal, 0.5))
    assert state.centre is not None
    assert state.centre.number == 0
    better = proposed(state, 2)
    state = LocalSearch().update(state, trial(better, 0.6))
    assert state.centre is not None
    assert (state.centre.number, state.centre.architecture) == (2, better.architecture)
    assert proposed(state, 3).architecture in set(neighbours(small, better.architecture))


def test_known_neighbours_are_not_proposed_but_moved_to(small: ExpressionSpace) -> None:
    """A start whose every neighbour is known: it moves among them until something is unknown."""
    here = unrank(small, 0)
    around = list(neighbours(small, here))
    history = [trial(Proposal(k, architecture), 0.1 + k / 100) for k, architecture in enumerate(around)]
    state = fold(LocalSearch(), LocalSearch().init(small, {}, (ACCURACY,), 0), history)
    state = replace(state, centre=None)
    state = LocalSearch().update(state, trial(Proposal(len(around), here), 0.0))
    assert state.centre is not None
    assert state.centre.number in range(len(around))
    following = proposed(state, state.seen)
    assert following.architecture not in {here, *around}
    assert following.parent == state.centre.number


def test_results_of_elsewhere_are_remembered_only(small: ExpressionSpace) -> None:
    state = start(small, score=0.1)
    far = Proposal(1, unrank(small, 59))
    after = LocalSearch().update(state, trial(far, 0.9))
    assert after.centre == state.centre
    assert after.results.get(far.architecture) == Result(1, 0.9)


def test_when_all_neighbours_are_under_way_new_starts_are_proposed(small: ExpressionSpace) -> None:
    state = start(small)
    count = len(list(neighbours(small, unrank(small, 0))))
    assert proposed(state, 1 + count).parent is None
    assert proposed(state, 1).parent == 0


def test_exhaustion(small: ExpressionSpace) -> None:
    history = search(LocalSearch(), small, {}, ACCURACY, lag=1, trials=100, fails=lambda number: False)
    # A last start among sixty may be missed by all the attempts at a new one.
    assert len({one.proposal.architecture for one in history}) == 60
    assert len(history) <= 65


def test_a_budget_passes_neighbours_over(
    small: ExpressionSpace, costs: Mapping[Architecture, Mapping[str, int]]
) -> None:
    limit = sorted(cost["macs"] for cost in costs.values())[30]
    history = search(LocalSearch(), small, {"macs": limit}, ACCURACY, lag=1, trials=60)
    found = {one.proposal.architecture for one in history}
    assert found == {one for one, cost in costs.items() if cost["macs"] <= limit}


def test_a_neighbourhood_that_cannot_be_listed() -> None:
    deep = repeat("stage", B.depthwise(kernel=choice(3, 5, 7, 9)), depth=choice(1, 40))
    space = compile_space(sequential(deep, input=(2, 8, 8)), "deep")
    state = start(space)
    assert state.centre is not None
    assert len(state.centre.neighbours) > LISTED
    seen = []
    for number in range(1, 30):
        proposal = proposed(state, number)
        seen.append(proposal.architecture)
        state = LocalSearch().update(state, trial(proposal, 0.1))
    assert len(set(seen)) == 29
    assert {one["stage.depth"] for one in seen} == {40}


class TestInALargeSpace(StrategyLaws):
    """The laws where neighbours are drawn, not listed."""

    @pytest.fixture
    def strategy(self) -> Strategy:
        return LocalSearch()

    @pytest.fixture(autouse=True)
    def never_listed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("netwright.strategies.local_search.LISTED", 0)


def test_drawings_of_one_network_are_paid_for_once() -> None:
    space = nasbench201((3, 32, 32), 10, cells=1, channels=4)
    history = search(LocalSearch("nats"), space, {}, ACCURACY, lag=1, trials=40)
    keys = [canonical(space, one.proposal.architecture, "nats") for one in history]
    assert len(keys) == len(set(keys)) == 40
    with pytest.raises(ConfigError, match=r"local.distinct: expected one of"):
        LocalSearch("other")  # type: ignore[arg-type]


def test_it_has_one_objective(small: ExpressionSpace) -> None:
    with pytest.raises(ConfigError, match="strategy local: expected one objective, got accuracy, macs"):
        LocalSearch().init(small, {}, (ACCURACY, Metric("macs", "", "minimize")), 0)


def test_results_keep_what_they_were(small: ExpressionSpace) -> None:
    """Against plain dictionaries, one for each state."""
    rng = np.random.default_rng(0)
    results, plain = Results(), dict[Architecture, Result]()
    kept: list[tuple[Results, dict[Architecture, Result]]] = []
    for number in range(500):
        architecture = unrank(small, int(rng.integers(60)))
        result = Result(number, None if number % 5 == 0 else float(rng.random()))
        results, plain = results.adding(architecture, result), {**plain, architecture: result}
        kept.append((results, plain))
    everything = [unrank(small, index) for index in range(60)]
    for found, expected in kept[::25]:
        assert found.count == len(expected)
        assert [found.get(one) for one in everything] == [expected.get(one) for one in everything]
    assert len(results.layers) <= 7


@pytest.mark.slow
def test_nas_bench_201(shared_data: Path) -> None:
    """Figures of an independent program, CIFAR-100, 200 runs: 72.66, 73.37 and 73.51 after 50, 100, 300."""
    table = load_table("nasbench201", "cifar100", shared_data)
    test = table.column("test_accuracy").values
    reached = []
    for seed in range(200):
        done = search_in_memory(
            table.space, LocalSearch(), Tabular(table), evaluations=300, seed=seed, known_is_free=True
        )
        values = np.array([one.metrics["validation_accuracy"] for one in done.history])
        rows = [table.row(one.proposal.architecture) for one in done.history]
        spent = np.array(done.evaluations)
        reached.append([test[rows[int(values[spent <= k].argmax())]] for k in (50, 100, 300)])
    means = np.mean(reached, axis=0)
    errors = np.std(reached, axis=0, ddof=1) / np.sqrt(200)
    assert np.all(np.abs(means - [72.66, 73.37, 73.51]) <= 3 * np.sqrt(2) * errors + 0.005)
