"""Several objectives at once: what dominates what, fronts, crowding, hypervolume.

A *point* is the scores of one thing by several objectives; larger is better in each, as ``score_of`` gives
them. NaN is no score; infinities are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Point = Sequence[float]


def dominates(left: Point, right: Point) -> bool:
    """Whether a point is nowhere worse than another, and somewhere better.

    >>> dominates((0.9, -5), (0.8, -5)), dominates((0.9, -5), (0.8, -4)), dominates((1, 1), (1, 1))
    (True, False, False)
    """
    return all(a >= b for a, b in zip(left, right, strict=True)) and tuple(left) != tuple(right)


def nondominated(points: Sequence[Point]) -> list[int]:
    """The points that no other dominates: the Pareto front. Of equal points all are on it, or none is.

    Args:
        points: the scores of each, all of one length.

    Returns:
        Indices in ascending order.

    >>> nondominated([(0.9, -5), (0.7, -1), (0.6, -2), (0.9, -5)])
    [0, 1, 3]
    """
    front: list[int] = []
    found: list[tuple[float, ...]] = []
    # What dominates a point comes before it here, and so does one on the front that does; equal points
    # follow each other.
    for index in sorted(range(len(points)), key=lambda i: tuple(points[i]), reverse=True):
        point = tuple(points[index])
        if found and point == found[-1]:
            front.append(index)
        elif not any(dominates(other, point) for other in found):
            front.append(index)
            found.append(point)
    return sorted(front)


def sorted_fronts(points: Sequence[Point], violations: Sequence[float] | None = None) -> list[int]:
    """The front that each point is on: 0 for those that none dominates, 1 for the next without these ...

    Fast non-dominated sorting under constraint domination [Deb et al. 2002, doi:10.1109/4235.996017, III.A
    and VI]: what keeps all limits dominates what does not, and of two that do not, the one that violates
    them less dominates.

    Args:
        points: the scores of each, all of one length.
        violations: how far each is beyond its limits, 0 if it keeps them all; None if all do.

    >>> sorted_fronts([(3, 1), (2, 2), (1, 1), (0, 0)]), sorted_fronts([(3, 1), (2, 2), (1, 1)], [1, 0, 0])
    ([0, 0, 1, 2], [2, 0, 1])
    """
    if not points:
        return []
    scores = np.asarray(points, dtype=np.float64)
    no_worse = (scores[:, None, :] >= scores[None, :, :]).all(axis=2)
    before = no_worse & ~no_worse.T
    if violations is not None:
        beyond = np.asarray(violations, dtype=np.float64)
        both_fit = (beyond[:, None] == 0) & (beyond[None, :] == 0)
        before = np.where(both_fit, before, beyond[:, None] < beyond[None, :])
    fronts = np.zeros(len(scores), dtype=np.int64)
    dominating = before.sum(axis=0)
    left = np.ones(len(scores), dtype=bool)
    number = 0
    while left.any():
        front = left & (dominating == 0)
        fronts[front] = number
        left &= ~front
        dominating = dominating - before[front].sum(axis=0)
        number += 1
    return [int(front) for front in fronts]


def crowding(points: Sequence[Point]) -> list[float]:
    """The crowding distance of each point of one front [Deb et al. 2002, doi:10.1109/4235.996017, III.B].

    Over all objectives, the distance between the two neighbours of a point, as a share of the distance
    between the smallest and the largest; points that are the smallest or largest have infinity. An objective
    of which the largest distance is not finite counts for its two ends only.

    >>> crowding([(0, 4), (1, 3), (4, 0)])
    [inf, 2.0, inf]
    """
    count = len(points)
    if not count:
        return []
    distances = [0.0] * count
    for objective in range(len(points[0])):
        order = sorted(range(count), key=lambda i, o=objective: points[i][o])  # type: ignore[misc]
        values = [points[index][objective] for index in order]
        distances[order[0]] = distances[order[-1]] = math.inf
        if values[0] == values[-1]:
            continue
        span = values[-1] - values[0]
        if span == math.inf:
            continue
        for place in range(1, count - 1):
            distances[order[place]] += (values[place + 1] - values[place - 1]) / span
    return distances


def spread_over(points: Sequence[Point], count: int, first: int) -> list[int]:
    """Some points that lie far from each other: each next one is the farthest from those before.

    Distances are Euclidean, with every objective scaled to its range over the points. Farthest-point
    traversal is at most twice as far from the best cover there is [Gonzalez 1985,
    doi:10.1016/0304-3975(85)90224-5].

    Args:
        points: finite scores of each, all of one length.
        count: how many points at most.
        first: the index that the list begins with.

    Returns:
        Indices, of which no two have equal points; of equally far ones the first.

    >>> spread_over([(0, 10), (1, 9), (5, 5), (10, 0)], 3, first=0)
    [0, 3, 2]
    """
    scores = np.asarray(points, dtype=np.float64)
    span = scores.max(axis=0) - scores.min(axis=0)
    scaled = (scores - scores.min(axis=0)) / np.where(span > 0, span, 1)
    chosen = [first]
    nearest = _distances(scaled, first)
    while len(chosen) < count and nearest.max() > 0:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, _distances(scaled, chosen[-1]))
    return chosen


def _distances(points: npt.NDArray[np.float64], index: int) -> npt.NDArray[np.float64]:
    """Of all points from one. The root of a sum of squares would be 0 where points differ by 1e-200."""
    distances: npt.NDArray[np.float64] = np.hypot.reduce(points - points[index], axis=1)
    return distances


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """The volume that is dominated by some point and dominates a reference point, exact.

    The sum of what each point adds to those before it [While et al. 2012, doi:10.1109/TEVC.2010.2077298].

    Args:
        points: the scores of each; points that are not better than the reference in every objective count
            for nothing.
        reference: finite scores that the volume is measured from.

    >>> hypervolume([(3, 1), (1, 2)], (0, 0))
    4.0
    >>> hypervolume([(3, 1), (1, 2)], (2, 0))
    1.0
    """
    return _volume([tuple(p - r for p, r in zip(point, reference, strict=True)) for point in points])


def volume_added(point: Point, others: Sequence[Point], reference: Point) -> float:
    """How much larger the hypervolume of some points is with one more.

    >>> volume_added((3, 1), [(1, 2)], (0, 0))
    2.0
    """
    shifted = [tuple(p - r for p, r in zip(one, reference, strict=True)) for one in (point, *others)]
    return _added(shifted[0], shifted[1:])


def _volume(points: Sequence[tuple[float, ...]]) -> float:
    """The hypervolume from the origin."""
    positive = [point for point in points if min(point) > 0]
    front = sorted({positive[index] for index in nondominated(positive)}, reverse=True)
    if front and len(front[0]) == 2:
        # From the largest first value to the smallest, each reaches higher than the one before.
        below = [0.0, *(second for _, second in front)]
        return float(sum(first * (second - low) for (first, second), low in zip(front, below, strict=False)))
    return sum((_added(point, front[:number]) for number, point in enumerate(front)), start=0.0)


def _added(point: tuple[float, ...], others: Sequence[tuple[float, ...]]) -> float:
    """What a point adds to others: its box without what they have of it."""
    if min(point) <= 0:
        return 0.0
    return math.prod(point) - _volume([tuple(map(min, point, other)) for other in others])


def as_shares(points: Sequence[Point], reference: Point, ideal: Point) -> list[tuple[float, ...]]:
    """Points on a scale on which the reference is at 0 and the ideal at 1, in every objective.

    The hypervolume of these, from the origin, is the share of the box between reference and ideal.

    >>> as_shares([(0.75, -50)], (0.5, -100), (1, 0))
    [(0.5, 0.5)]
    """
    low: npt.NDArray[np.float64] = np.asarray(reference, dtype=np.float64)
    width = np.asarray(ideal, dtype=np.float64) - low
    return [tuple(float(x) for x in (np.asarray(point) - low) / width) for point in points]
