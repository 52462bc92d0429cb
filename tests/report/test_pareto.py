from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from netwright.report import pareto_front

# Few distinct values, so that ties and equal points are common; NaN and infinities among them.
_COSTS = st.sampled_from([0, 1, 2, 3, 2**60, 2**60 + 1, math.inf, math.nan])
_SHARES = st.sampled_from([0.0, 0.25, 0.5, 1.0, -math.inf, math.nan])


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[0] and one[1] >= other[1] and one != other


@given(st.lists(st.tuples(_COSTS, _SHARES), max_size=12))
def test_front_is_what_no_point_beats(points: list[tuple[float, float]]) -> None:
    known = [i for i, point in enumerate(points) if not any(math.isnan(part) for part in point)]
    expected = {i for i in known if not any(_beats(points[j], points[i]) for j in known)}

    front = pareto_front(points)

    assert set(front) == expected
    assert len(front) == len(expected)


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1)), max_size=12))
def test_front_is_in_ascending_order(points: list[tuple[float, float]]) -> None:
    front = pareto_front(points)

    assert [points[i] for i in front] == sorted(points[i] for i in front)


def test_nothing_has_no_front() -> None:
    assert pareto_front([]) == []


def test_equal_points_are_all_on_the_front() -> None:
    assert pareto_front([(1, 0.5), (2, 0.4), (1, 0.5)]) == [0, 2]
