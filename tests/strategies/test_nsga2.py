"""NSGA-II: what it keeps, what it refuses, and that it finds the front."""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netwright import blocks as B
from netwright.errors import ConfigError, StudyError
from netwright.pareto import hypervolume, nondominated
from netwright.seeding import rng_for, seed_for
from netwright.space import Architecture, ExpressionSpace, choice, compile_space, iterate, sequential
from netwright.strategies import NSGA2, RandomSearch
from netwright.trial import Metric, Proposal, Strategy, Trial, TrialState

Costs = dict[Architecture, dict[str, int]]
Table = Callable[[Architecture], tuple[float, float]]

ACCURACY = Metric("accuracy", "share", "maximize")
MACS = Metric("macs", "", "minimize")
BOTH = (ACCURACY, MACS)


def trial(
    proposal: Proposal,
    accuracy: float,
    macs: float,
    state: TrialState = TrialState.COMPLETE,
    fits: bool = True,
) -> Trial:
    complete = state is TrialState.COMPLETE
    return Trial(proposal, state, {"accuracy": accuracy, "macs": macs} if complete else {}, {}, fits, seed=0)


def run(strategy: Strategy, space: ExpressionSpace, table: Table, trials: int, seed: int) -> list[Trial]:
    """A whole search with a lag of 4 in which known networks are asked for again, as by the driver."""
    state = strategy.init(space, {}, BOTH, seed)
    done: list[Trial] = []
    seen: set[Architecture] = set()
    for number in range(trials):
        if number >= 4:
            state = strategy.update(state, done[number - 4])
        for attempt in range(50):
            proposal = strategy.propose(state, rng_for(seed, "propose", number, attempt), number)
            if proposal is None or proposal.architecture not in seen:
                break
        assert proposal is not None
        seen.add(proposal.architecture)
        done.append(trial(proposal, *table(proposal.architecture)))
    return done


def points_of(trials: list[Trial]) -> list[tuple[float, float]]:
    return [(one.metrics["accuracy"], -one.metrics["macs"]) for one in trials]


@pytest.fixture(scope="module")
def ladder() -> ExpressionSpace:
    """Eight independent decisions of three options: 6,561 networks."""
    layers = [B.conv_bn_act(out=1, kernel=choice(1, 3, 5, name=f"layer{n}")) for n in range(8)]
    return compile_space(sequential(*layers, B.classifier(classes=2), input=(1, 2, 2)), "ladder")


def trade_off(architecture: Architecture) -> tuple[float, float]:
    """Larger kernels are more accurate and dearer, by amounts that differ from layer to layer."""
    gains = [seed_for(0, name) % 7 + 1 for name, _ in architecture]
    sizes = [(int(value) - 1) // 2 for _, value in architecture]
    accuracy = sum(gain * math.sqrt(size) for gain, size in zip(gains, sizes, strict=True))
    return accuracy, float(sum(size**2 * (n + 1) for n, size in enumerate(sizes)))


def test_it_finds_the_front_and_random_search_does_not(ladder: ExpressionSpace) -> None:
    """300 of 6,561 networks, ten seeds: 9 to 19 of the 38 points of the true front, against 0 to 4."""
    everything = [(accuracy, -macs) for accuracy, macs in map(trade_off, iterate(ladder))]
    front = {everything[index] for index in nondominated(everything)}
    assert len(front) == 38
    found = {
        strategy.name: [
            len(front & set(points_of(run(strategy, ladder, trade_off, 300, seed)))) for seed in range(10)
        ]
        for strategy in (NSGA2(), RandomSearch())
    }
    assert all(a > b for a, b in zip(found["nsga2"], found["random"], strict=True))
    assert np.mean(found["nsga2"]) > 3 * np.mean(found["random"])


@pytest.mark.slow
def test_accuracy_and_latency_on_nas_bench_201(shared_data: Path) -> None:
    """The hypervolume that is still missing after 300 of 15,625 networks; 1.8 and 3.5 % over 30 seeds."""
    edges = tuple(f"edge{index}" for index in range(6))
    layers = [B.conv_bn_act(out=1, kernel=choice(1, 3, 5, 7, 9, name=edge)) for edge in edges]
    space = compile_space(sequential(*layers, B.classifier(classes=2), input=(1, 2, 2)), "cell")
    with gzip.open(shared_data / "nb201.csv.gz", "rt") as table:
        rows = {
            row["code"]: (float(row["cifar100_val200"]), float(row["cifar100_gpu_latency_s"]))
            for row in csv.DictReader(table)
        }

    def measured(architecture: Architecture) -> tuple[float, float]:
        return rows["".join(str((int(architecture[edge]) - 1) // 2) for edge in edges)]

    reference = (0.0, -max(latency for _, latency in rows.values()))
    best = hypervolume([(accuracy, -latency) for accuracy, latency in rows.values()], reference)
    missing = {
        strategy.name: np.mean(
            [
                1 - hypervolume(points_of(run(strategy, space, measured, 300, seed)), reference) / best
                for seed in range(15)
            ]
        )
        for strategy in (NSGA2(), RandomSearch())
    }
    assert missing["nsga2"] < 0.7 * missing["random"]


def test_nothing_that_dominates_is_lost(small: ExpressionSpace, costs: Costs) -> None:
    """The front of all results is in the population while there is room for it."""
    strategy = NSGA2(population=20)
    state = strategy.init(small, {}, BOTH, 0)
    done: list[Trial] = []
    for number in range(50):
        proposal = strategy.propose(state, rng_for(1, number), number)
        assert proposal is not None
        architecture = proposal.architecture
        accuracy = costs[architecture]["params"] + 50 * (seed_for(0, architecture.key) % 5)
        done.append(trial(proposal, accuracy, costs[architecture]["macs"]))
        state = strategy.update(state, done[-1])
        best = {points_of(done)[index] for index in nondominated(points_of(done))}
        alive = {member.scores for member in state.members}
        assert len(alive) <= 20
        if len(best) < 15:
            assert best <= alive


def test_children_come_from_members(small: ExpressionSpace, costs: Costs) -> None:
    strategy = NSGA2(population=6)
    state, children = strategy.init(small, {}, BOTH, 0), 0
    for number in range(40):
        proposal = strategy.propose(state, rng_for(2, number), number)
        assert proposal is not None
        alive = {member.number: member.architecture for member in state.members}
        if number < 6:
            assert proposal.parent is None
        elif proposal.parent is not None:
            children += 1
            assert proposal.parent in alive
            assert proposal.architecture not in alive.values()
        state = strategy.update(state, trial(proposal, number / 40, costs[proposal.architecture]["macs"]))
    assert children > 25


def test_failed_and_nan_trials_never_become_parents(small: ExpressionSpace, costs: Costs) -> None:
    strategy = NSGA2(population=4)
    state = strategy.init(small, {}, BOTH, 0)
    first = next(iter(costs))
    for number, (accuracy, how) in enumerate([(0.5, TrialState.FAILED), (math.nan, TrialState.COMPLETE)]):
        state = strategy.update(state, trial(Proposal(number, first), accuracy, 5, how))
    assert state.members == ()
    assert state.seen == 2
    proposal = strategy.propose(state, rng_for(0), 9)
    assert proposal is not None
    assert proposal.parent is None


def test_what_does_not_fit_is_the_next_best(small: ExpressionSpace, costs: Costs) -> None:
    """As of a study that was made with another budget: the least violation first, and gone at last."""
    strategy = NSGA2(population=2)
    limit = sorted(one["macs"] for one in costs.values())[20]
    state = strategy.init(small, {"macs": limit}, BOTH, 0)
    architectures = list(costs)
    for number, beyond in enumerate((3, 1, 2)):
        done = trial(Proposal(number, architectures[number]), 0.9, 5, fits=False)
        state = strategy.update(state, replace(done, costs={"macs": limit + beyond}))
    assert [member.number for member in state.members] == [1, 2]
    state = strategy.update(state, trial(Proposal(3, architectures[3]), 0.1, 5))
    assert [member.number for member in state.members] == [1, 3]
    state = strategy.update(state, trial(Proposal(4, architectures[4]), 0.05, 6))
    assert [member.number for member in state.members] == [3, 4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": 0}, "nsga2.population: expected an integer of at least 1, got 0"),
        ({"tournament": True}, "nsga2.tournament: expected an integer of at least 1, got True"),
        ({"crossover": 1.5}, "nsga2.crossover: expected a number from 0 to 1, got 1.5"),
        ({"crossover": "often"}, "nsga2.crossover: expected a number from 0 to 1, got 'often'"),
        ({"distinct": "names"}, "nsga2.distinct: expected one of .*, or None, got 'names'"),
    ],
)
def test_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        NSGA2(**options)  # type: ignore[arg-type]


def test_no_objective(small: ExpressionSpace) -> None:
    with pytest.raises(ConfigError, match="strategy nsga2: expected one objective or more, got none"):
        NSGA2().init(small, {}, (), 0)


def test_a_missing_objective(small: ExpressionSpace, costs: Costs) -> None:
    strategy = NSGA2()
    state = strategy.init(small, {}, (ACCURACY, Metric("latency", "ms", "minimize")), 0)
    with pytest.raises(StudyError, match="trial 0: expected the objective 'latency' among its metrics"):
        strategy.update(state, trial(Proposal(0, next(iter(costs))), 0.5, 5))
