"""No network twice: random search and evolution where different drawings are one network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from netwright import blocks as B
from netwright.ir.canonical import Rule
from netwright.seeding import rng_for
from netwright.space import (
    Architecture,
    ExpressionSpace,
    choice,
    compile_space,
    costs_of,
    iterate,
    repeat,
    sequential,
)
from netwright.space.canonical_forms import canonical
from netwright.strategies import Evolution, RandomSearch, make_strategy
from netwright.strategies.candidates import Known
from netwright.testing import StrategyLaws
from netwright.testing.strategies import proposals, search
from netwright.trial import Metric, Proposal, Strategy, Trial, TrialState
from tests.space.coarse import coarse_tables

ACCURACY = Metric("accuracy", "share", "maximize")


def skips(depth: int) -> ExpressionSpace:
    """Layers that may be left out: 3^depth drawings of 2^(depth + 1) - 1 networks, times two widths."""
    one, three = B.conv_bn_act(out=width(), kernel=1), B.depthwise(kernel=3)
    layers = repeat("s", choice({"skip": B.identity(), "one": one, "three": three}), depth=depth)
    first, last = B.conv_bn_act(out=width()), B.classifier(classes=2)
    return compile_space(sequential(first, layers, last, input=(1, 6, 6)), "skips")


def width() -> Any:
    return choice(2, 4, name="width")


@pytest.fixture(scope="module")
def space() -> ExpressionSpace:
    return skips(4)


@pytest.fixture(scope="module")
def keys(space: ExpressionSpace) -> dict[Architecture, str]:
    found = {one: canonical(space, one, "pruned") for one in iterate(space)}
    assert len(found) == 2 * 3**4
    assert len(set(found.values())) == 2 * (2**5 - 1)
    return found


@pytest.fixture(scope="module")
def budget(space: ExpressionSpace) -> dict[str, int]:
    return {"macs": sorted(costs_of(space, one)["macs"] for one in iterate(space))[120]}


def networks(history: list[Trial], keys: Mapping[Architecture, str]) -> list[str]:
    return [keys[trial.proposal.architecture] for trial in history]


def first_of_each(history: list[Trial], keys: Mapping[Architecture, str]) -> list[Architecture]:
    """What is left of a search if drawings of networks that came before are dropped."""
    found: dict[str, Architecture] = {}
    for trial in history:
        found.setdefault(keys[trial.proposal.architecture], trial.proposal.architecture)
    return list(found.values())


@pytest.mark.parametrize("lag", [1, 4])
@pytest.mark.parametrize("coarse", [False, True])
def test_random_search_leaves_out_what_it_had(
    space: ExpressionSpace, keys: dict[Architecture, str], budget: dict[str, int], lag: int, coarse: bool
) -> None:
    def both() -> tuple[list[Trial], list[Trial]]:
        plain = search(RandomSearch(), space, budget, ACCURACY, trials=200, lag=lag)
        return plain, search(RandomSearch("pruned"), space, budget, ACCURACY, trials=200, lag=lag)

    if coarse:
        with coarse_tables():
            plain, distinct = both()
    else:
        plain, distinct = both()
    assert len(plain) > len(distinct) > 30
    assert [one.proposal.architecture for one in distinct] == first_of_each(plain, keys)


def test_random_proposals_depend_on_seed_and_number_only(space: ExpressionSpace) -> None:
    strategy = RandomSearch("flat")
    start = strategy.init(space, {}, (ACCURACY,), seed=2)
    expected = [strategy.propose(start, rng_for(0), number) for number in range(30)]
    state = start
    for number in (0, 1, 2, 9):
        proposal = expected[number]
        assert proposal is not None
        state = strategy.update(state, Trial(proposal, TrialState.FAILED, {}, {}, fits=True, seed=0))
        assert [strategy.propose(state, rng_for(1), k) for k in range(30)] == expected
    assert state.found == 10
    assert len(state.known.keys) == 10


@pytest.mark.parametrize("rule", ["nats", "pruned", "flat", "skips"])
def test_evolution_proposes_no_network_of_its_history(
    space: ExpressionSpace, keys: dict[Architecture, str], budget: dict[str, int], rule: Rule
) -> None:
    strategy = Evolution(population=5, tournament=2, distinct=rule)
    for lag in (1, 3):
        for seed in range(3):
            history = search(strategy, space, budget, ACCURACY, trials=40, lag=lag, seed=seed)
            found = networks(history, keys)
            for number, key in enumerate(found):
                assert key not in found[: max(0, number - lag + 1)]
    plain = search(Evolution(population=5, tournament=2), space, budget, ACCURACY, trials=40)
    assert len(set(networks(plain, keys))) < len(plain)


def test_children_are_still_children(space: ExpressionSpace) -> None:
    history = search(Evolution(5, 3, "pruned"), space, {}, ACCURACY, trials=40, lag=1)
    children = [trial.proposal for trial in history if trial.proposal.parent is not None]
    assert len(children) > 25
    for child in children:
        assert child.parent is not None
        parent = history[child.parent].proposal.architecture
        assert sum(parent[name] != value for name, value in child.architecture) == 1


def test_evolution_ends_when_it_knows_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    space = skips(2)
    distinct = {canonical(space, one, "pruned") for one in iterate(space)}
    history = search(Evolution(4, 2, "pruned"), space, {}, ACCURACY, trials=100, lag=1)
    assert len(history) == len(distinct) == 2 * (2**3 - 1)
    monkeypatch.setattr("netwright.strategies.variation.DRAWS", 1)
    monkeypatch.setattr("netwright.strategies.variation.MUTATIONS", 0)
    assert len(search(Evolution(4, 2, "pruned"), space, {}, ACCURACY, trials=100, lag=1)) < len(distinct)


def test_failed_trials_are_known_too(space: ExpressionSpace) -> None:
    strategy = Evolution(3, 2, "pruned")
    state = strategy.init(space, {}, (ACCURACY,), 0)
    architecture = next(iterate(space))
    failed = Trial(Proposal(0, architecture), TrialState.FAILED, {}, {}, fits=True, seed=0)
    state = strategy.update(state, failed)
    assert state.members == ()
    assert state.known.keys == {canonical(space, architecture, "pruned")}


def test_without_a_rule_nothing_is_remembered(space: ExpressionSpace) -> None:
    known = Known()
    assert known.key(space, next(iterate(space))) is None
    assert known.adding(None) is known
    plain: list[tuple[Callable[..., Strategy], str]] = [(RandomSearch, "random"), (Evolution, "evolution")]
    for make, name in plain:
        assert proposals(search(make(), space, {}, ACCURACY)) == proposals(
            search(make_strategy(name, distinct=None), space, {}, ACCURACY)
        )


def test_known_is_a_value(space: ExpressionSpace) -> None:
    none = Known("flat")
    key = none.key(space, next(iterate(space)))
    assert key == canonical(space, next(iterate(space)), "flat")
    one = none.adding(key)
    assert not none.keys
    assert one.keys == {key}
    assert one.adding(key) is one


class DistinctLaws(StrategyLaws):
    """The laws of all strategies, in a space where every network has several drawings."""

    @pytest.fixture
    def space(self) -> ExpressionSpace:
        return skips(5)


class TestDistinctRandomSearch(DistinctLaws):
    any_order = True

    @pytest.fixture
    def strategy(self) -> Strategy:
        return make_strategy("random", distinct="pruned")


class TestDistinctEvolution(DistinctLaws):
    any_order = True

    @pytest.fixture
    def strategy(self) -> Strategy:
        return make_strategy("evolution", population=5, tournament=3, distinct="flat")
