"""The Pareto front of accuracy against one cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

from netwright.pareto import nondominated


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Find the points that no other point beats.

    A point beats another if it costs no more, is no less accurate, and differs in at least one of the two.
    Equal points do not beat each other, so all of them are on the front or none is.

    Args:
        points: ``(cost, accuracy)`` pairs: cost is minimised, accuracy maximised. A pair with a NaN is not
            compared and never on the front.

    Returns:
        Indices into ``points`` in ascending order of cost, equal points in the order in which they stand.

    >>> pareto_front([(3, 0.9), (1, 0.7), (2, 0.6), (2, 0.8)])
    [1, 3, 0]
    """
    known = [index for index, point in enumerate(points) if not any(map(math.isnan, point))]
    front = nondominated([(points[index][1], -points[index][0]) for index in known])
    return sorted((known[index] for index in front), key=lambda index: points[index][0])
