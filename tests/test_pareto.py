"""Dominance, fronts, crowding and hypervolume against brute force and against Optuna."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from optuna._hypervolume import compute_hypervolume
from optuna.trial import create_trial

from netwright.pareto import (
    as_shares,
    crowding,
    dominates,
    hypervolume,
    nondominated,
    sorted_fronts,
    spread_over,
    volume_added,
)
from netwright.seeding import rng_for

Points = list[tuple[float, ...]]

# Few distinct values, so that ties and equal points are common; infinities among them.
VALUES = st.sampled_from([-math.inf, -1.0, 0.0, 0.5, 1.0, 2.0, math.inf])


def points_of(values: st.SearchStrategy[float], most: int = 12) -> st.SearchStrategy[Points]:
    """Lists of points of one to four objectives."""
    return st.integers(1, 4).flatmap(lambda m: st.lists(st.tuples(*[values] * m), max_size=most))


def beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Domination by its definition, in other words than the code's."""
    differences = [(a > b) - (a < b) for a, b in zip(one, other, strict=True)]
    return min(differences) >= 0 and max(differences) > 0


@given(points_of(VALUES))
def test_front_is_what_no_point_beats(points: Points) -> None:
    assert all(dominates(a, b) == beats(a, b) for a, b in product(points, points))
    expected = [i for i, one in enumerate(points) if not any(beats(other, one) for other in points)]
    assert nondominated(points) == expected


@given(points_of(VALUES), st.data())
def test_fronts_are_peeled_off_one_by_one(points: Points, data: st.DataObject) -> None:
    limits = st.sampled_from([0.0, 0.0, 0.5, 2.0, math.inf])
    violations = [data.draw(limits) for _ in points]

    def first(i: int, j: int) -> bool:
        """Constraint domination as the paper defines it."""
        if violations[i] == 0 and violations[j] == 0:
            return beats(points[i], points[j])
        return violations[i] < violations[j]

    expected, left, number = {}, set(range(len(points))), 0
    while left:
        front = {i for i in left if not any(first(j, i) for j in left)}
        expected.update(dict.fromkeys(front, number))
        left -= front
        number += 1
    assert sorted_fronts(points, violations) == [expected[i] for i in range(len(points))]


@given(points_of(VALUES))
def test_the_first_front_is_the_pareto_front(points: Points) -> None:
    assert [i for i, front in enumerate(sorted_fronts(points)) if front == 0] == nondominated(points)


def test_a_front_as_optuna_has_it() -> None:
    """Three objectives, two to be minimised, with equal values among them."""
    rng = rng_for(0, "optuna")
    for count in (1, 5, 40):
        values = rng.integers(0, 6, (count, 3)).astype(float)
        study = optuna.create_study(directions=["maximize", "minimize", "minimize"])
        for row in values:
            study.add_trial(create_trial(values=row.tolist()))
        found = nondominated([(a, -b, -c) for a, b, c in values])
        assert [trial.number for trial in study.best_trials] == found


def test_crowding_by_hand() -> None:
    """Distances to both neighbours, as shares of the ranges 4 and 10; the ends are at infinity."""
    points: Points = [(0, 10), (1, 4), (2, 3), (4, 0)]
    assert crowding(points) == [
        math.inf,
        pytest.approx(2 / 4 + 7 / 10),
        pytest.approx(3 / 4 + 4 / 10),
        math.inf,
    ]
    assert crowding([]) == []
    assert crowding([(1, 2)]) == [math.inf]
    assert crowding([(1, 1), (1, 1), (1, 1)]) == [math.inf, 0.0, math.inf]


def test_crowding_with_infinite_scores() -> None:
    assert crowding([(-math.inf, 3), (0, 2), (1, 1)]) == [math.inf, 1.0, math.inf]


@settings(max_examples=60, deadline=None)
@given(points_of(st.sampled_from([-0.5, 0.0, 0.25, 0.5, 1.0, 1.5]), most=9))
def test_hypervolume_as_optuna_has_it(points: Points) -> None:
    objectives = len(points[0]) if points else 2
    # Optuna minimises, and takes no point that is somewhere worse than the reference.
    kept = [point for point in points if min(point) >= 0]
    losses = -np.array(kept).reshape(-1, objectives)
    expected = compute_hypervolume(losses, np.zeros(objectives))
    assert hypervolume(points, (0.0,) * objectives) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_hypervolume_by_inclusion_and_exclusion(objectives: int) -> None:
    """The union of boxes: sums over all subsets of the product of the smallest sides."""
    points = rng_for(1, "boxes", objectives).random((7, objectives)) + 0.1
    expected = 0.0
    for mask in range(1, 2**7):
        chosen = points[[bool(mask >> bit & 1) for bit in range(7)]]
        expected -= (-1) ** len(chosen) * float(chosen.min(axis=0).prod())
    assert hypervolume([tuple(p) for p in points], (0.0,) * objectives) == pytest.approx(expected)


def test_hypervolume_of_many_points() -> None:
    """A hundred points of a front of three objectives."""
    angles = rng_for(2, "front").random((100, 3)) + 0.01
    points = angles / np.linalg.norm(angles, axis=1, keepdims=True)
    expected = compute_hypervolume(-points, np.zeros(3))
    assert hypervolume([tuple(p) for p in points], (0, 0, 0)) == pytest.approx(expected)


@given(points_of(st.sampled_from([-0.5, 0.25, 0.5, 1.0, 1.5]), most=8))
def test_a_point_adds_the_difference(points: Points) -> None:
    if points:
        origin = (0.0,) * len(points[0])
        gain = hypervolume(points, origin) - hypervolume(points[1:], origin)
        assert volume_added(points[0], points[1:], origin) == pytest.approx(gain, abs=1e-12)


def test_no_points_no_volume() -> None:
    assert hypervolume([], (0, 0)) == 0
    assert hypervolume([(0, 5), (-1, 7)], (0, 0)) == 0


def test_shares_of_the_box() -> None:
    """An accuracy from 0 to 1, and a cost whose limit is 200."""
    shares = as_shares([(0.5, -100), (0.25, -200)], (0, -200), (1, 0))
    assert shares == [(0.5, 0.5), (0.25, 0.0)]
    assert hypervolume(shares, (0, 0)) == 0.25


@given(points_of(st.floats(0, 1, width=32), most=15), st.integers(1, 6))
@example([(0.0,), (1.0,), (5.6e-175,)], 3)
def test_spread_points_are_the_farthest(points: Points, count: int) -> None:
    if not points:
        return
    chosen = spread_over(points, count, first=0)
    assert chosen[0] == 0
    assert len({points[i] for i in chosen}) == len(chosen) == min(count, len(set(points)))


def test_spread_goes_to_the_ends_first() -> None:
    points: Points = [(0, 4), (1, 3), (2, 2), (3, 1), (4, 0)]
    assert spread_over(points, 3, first=4) == [4, 0, 2]


def test_spread_scales_the_objectives() -> None:
    """Bytes do not drown shares."""
    points: Points = [(0.9, -1e6), (0.5, -9e5), (0.89, -1e5), (0.88, -2e5)]
    assert spread_over(points, 3, first=0)[:2] == [0, 1]


def test_equal_points_are_taken_once() -> None:
    some: Any = [(1.0, 1.0)] * 4
    assert spread_over(some, 3, first=2) == [2]
