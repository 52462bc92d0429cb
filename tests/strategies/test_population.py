"""Parts of population-based strategies."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.errors import StudyError
from netwright.pareto import nondominated
from netwright.seeding import rng_for
from netwright.space import Architecture
from netwright.strategies.population import (
    Member,
    crowded_merits,
    member_of,
    member_within,
    tournament,
    violation_of,
    without_the_oldest,
    without_the_worst,
)
from netwright.trial import Metric, Proposal, Trial, TrialState

NETWORK = Architecture("space", (("width", 8),))
OBJECTIVES = (Metric("accuracy", "share", "maximize"), Metric("macs", "", "minimize"))
POINTS = st.lists(st.tuples(*[st.integers(0, 4).map(float)] * 2), min_size=1, max_size=9)


def trial(number: int = 0, accuracy: float = 0.5, macs: int = 100, fits: bool = True) -> Trial:
    costs = {"macs": macs, "params": 10}
    return Trial(Proposal(number, NETWORK), TrialState.COMPLETE, {"accuracy": accuracy}, costs, fits, seed=0)


def members(*points: tuple[float, ...], violations: list[float] | None = None) -> list[Member]:
    beyond = violations or [0.0] * len(points)
    return [Member(n, NETWORK, point, v) for n, (point, v) in enumerate(zip(points, beyond, strict=True))]


def numbers(some: tuple[Member, ...]) -> list[int]:
    return [member.number for member in some]


def test_a_trial_as_a_member() -> None:
    assert member_of(trial(3), OBJECTIVES) == Member(3, NETWORK, (0.5, -100.0))
    assert member_of(trial(3, accuracy=math.nan), OBJECTIVES) is None
    assert member_of(trial(3, fits=False), OBJECTIVES) is None
    assert member_of(replace(trial(3), state=TrialState.FAILED), OBJECTIVES) is None
    with pytest.raises(StudyError, match="trial 0: expected the objective 'latency' among its metrics"):
        member_of(trial(), (*OBJECTIVES, Metric("latency", "ms", "minimize")))


def test_violations_add_up_as_shares_of_the_limits() -> None:
    beyond = trial(macs=150, fits=False)
    assert violation_of(beyond, {"macs": 100, "params": 5}) == 0.5 + 1.0
    assert violation_of(beyond, {"macs": 100, "params": 20}) == 0.5
    assert violation_of(beyond, {"macs": 200}) == math.inf  # it does not fit for another reason
    assert violation_of(trial(macs=150), {"macs": 100}) == 0
    assert member_within(beyond, OBJECTIVES, {"macs": 100}) == Member(0, NETWORK, (0.5, -150.0), 0.5)


def test_what_fits_comes_before_what_does_not() -> None:
    some = members((0.9, 9), (0.1, 1), (0.8, 8), violations=[0.1, 0.0, 0.3])
    merits = crowded_merits(some)
    assert sorted(range(3), key=merits.__getitem__, reverse=True) == [1, 0, 2]


def test_the_lower_front_first_then_the_less_crowded() -> None:
    some = members((0, 4), (1, 3), (1.5, 2.5), (4, 0), (0, 0))
    merits = crowded_merits(some)
    assert [merit[0] for merit in merits] == [0, 0, 0, 0, -1]
    # Neighbours of 1 are 0 and 2, of 2 they are 1 and 3: all ranges are 4.
    assert merits[1] == (0, 1.5 / 4 + 1.5 / 4)
    assert merits[2] == (0, 3 / 4 + 3 / 4)
    assert [numbers(without_the_worst(some, count)) for count in (4, 3)] == [[0, 1, 2, 3], [0, 2, 3]]


@given(POINTS, st.integers(1, 9))
def test_survivors_are_on_the_lowest_fronts(points: list[tuple[float, float]], count: int) -> None:
    some = members(*points)
    kept = without_the_worst(some, count)
    assert len(kept) == min(count, len(some))
    assert numbers(kept) == sorted(numbers(kept))
    front = nondominated(points)
    if len(front) <= count:
        assert set(front) <= set(numbers(kept))
    else:
        assert set(numbers(kept)) <= set(front)


def test_of_equals_the_youngest_survives() -> None:
    assert numbers(without_the_worst(members(*[(1.0, 1.0)] * 5), 3)) == [
        0,
        3,
        4,
    ]  # the ends are never crowded


@given(st.permutations(range(6)))
def test_the_oldest_dies_whenever_it_comes(order: list[int]) -> None:
    some = members(*[(float(n),) for n in range(6)])
    alive: tuple[Member, ...] = ()
    for number in order:
        alive = without_the_oldest(alive, some[number], 3)
    assert numbers(alive) == [3, 4, 5]


def test_of_equals_the_first_drawn_wins() -> None:
    some = members(*[(1.0,)] * 4)
    winners = {tournament(some, 3, rng_for(0, k), lambda i: (some[i].score,)).number for k in range(60)}
    assert winners == {0, 1, 2, 3}


def test_the_best_of_all_wins_a_large_tournament() -> None:
    some = members(*[(float(a), float(b)) for a, b in product(range(3), range(3))])
    merits = crowded_merits(some)
    assert tournament(some, 200, rng_for(0), merits.__getitem__).scores == (2.0, 2.0)
