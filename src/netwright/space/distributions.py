"""How a cost is distributed over all architectures, or over those that fit a budget.

Sums are tabulated as in ``netwright.space.tables``: the table at the root counts the architectures within
every remaining budget at once, which is the cumulative distribution. On the grid of the costs' greatest
common divisor it is exact; on a coarser one costs are rounded down for an upper bound of every count and up
for a lower one. Peak memory is a maximum: for every threshold the paths within it are counted.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from math import ceil, nan

import numpy as np

from netwright.errors import BudgetError, SpaceError
from netwright.space.compile import ExpressionSpace
from netwright.space.deployed import check_countable
from netwright.space.diagram import PEAK, Diagram
from netwright.space.fitting import binding_limits, conditioned_parts, fit
from netwright.space.members import Budget, checked_limits, diagram_of
from netwright.space.shortfall import why_nothing_fits
from netwright.space.tables import plan, tabulate

PEAK_THRESHOLDS = 24
"""Thresholds of peak memory where each needs a count of its own, as there are limits on sums too."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """The cumulative distribution of a cost, with bounds.

    Attributes:
        metric: name of the cost.
        values: costs, ascending.
        lower: for each value no more than the number of architectures whose cost is at most this.
        upper: for each value no less than that number.
        complete: whether every cost that occurs is among the values.
    """

    metric: str
    values: tuple[int, ...]
    lower: tuple[int, ...]
    upper: tuple[int, ...]
    complete: bool

    @property
    def exact(self) -> bool:
        """Whether the bounds agree at every value."""
        return self.lower == self.upper

    def at_most(self, value: int) -> tuple[int, int]:
        """Bounds of the number of architectures whose cost is at most a value."""
        below = bisect_right(self.values, value) - 1
        known = self.complete or (below >= 0 and self.values[below] == value)
        above = below if known else min(below + 1, len(self.values) - 1)
        return self.lower[below] if below >= 0 else 0, self.upper[above] if above >= 0 else 0

    def quantile(self, share: float) -> tuple[int, int]:
        """Bounds of the smallest cost that at least this share of the architectures do not exceed.

        Args:
            share: above 0 and at most 1.

        Raises:
            SpaceError: if it is not.
        """
        if not 0 < share <= 1:
            raise SpaceError(f"quantile: expected a share above 0 and at most 1, got {share}")
        # The total has bounds as well: each side takes the one that is further out.
        low = bisect_left(self.upper, _portion(share, self.lower[-1]))
        high = bisect_left(self.lower, _portion(share, self.upper[-1]))
        least = self.values[low] if self.complete or not low else self.values[low - 1] + 1
        return least, self.values[min(high, len(self.values) - 1)]

    def mean(self) -> tuple[float, float]:
        """Bounds of the mean cost."""
        early = [min(count, self.lower[-1]) for count in self.upper]
        late = [*self.lower[:-1], self.upper[-1]]
        ends = [value if self.complete else before + 1 for before, value in pairwise(self.values)]
        return _mean([self.values[0], *ends], early), _mean(self.values, late)


def _mean(values: Sequence[int], counts: Sequence[int]) -> float:
    """Mean where ``counts`` are cumulative; nan if nothing is sure to be counted."""
    steps = [counts[0], *(after - before for before, after in pairwise(counts))]
    total = sum(count * value for count, value in zip(steps, values, strict=True))
    return float(Fraction(total, counts[-1])) if counts[-1] else nan


def _portion(share: float, total: int) -> int:
    """At least this share of a number that may not fit a float; the share is taken as it is written."""
    return max(1, ceil(Fraction(str(share)) * total))


def distribution(
    space: ExpressionSpace, metric: str, budget: Budget | None = None, *, points: int = 1024
) -> Distribution:
    """The distribution of a cost over the architectures that fit a budget.

    Args:
        space: the space.
        metric: one of ``space.costs``.
        budget: upper limits by cost, or None for all architectures.
        points: number of values at which it is asked for, at most.

    Raises:
        BudgetError: if nothing fits, or a cost is unknown.
        SpaceError: if ``points`` is below 2.
        TooLargeError: if an exact answer would take too much.

    >>> from netwright import blocks as B
    >>> from netwright.space import choice, compile_space, sequential
    >>> body = sequential(B.conv_bn_act(out=choice(8, 16, 24), kernel=1), input=(2, 1, 1))
    >>> found = distribution(compile_space(body, "three"), "macs")
    >>> found.quantile(0.5), found.at_most(40), found.exact
    ((32, 32), (2, 2), True)
    """
    if points < 2:
        raise SpaceError(f"points: expected at least 2, got {points}")
    checked_limits(space, {metric: 0})
    limits = checked_limits(space, budget)
    check_countable(space, limits)
    diagram = diagram_of(space, {metric, *limits})
    found = (
        _of_peak(diagram, limits, points)
        if metric == PEAK
        else _of_sum(diagram, diagram.term(metric), limits, points)
    )
    if found is None or not found.upper[-1]:
        raise BudgetError(why_nothing_fits(space, limits))
    return found


def _of_sum(diagram: Diagram, term: int, limits: dict[str, int], points: int) -> Distribution | None:
    reduced, binding = binding_limits(diagram, limits)
    if reduced is None:
        return None
    least = reduced.least_total(term)
    most = reduced.base_sums[term] + reduced.best(reduced.names[term], max)[reduced.root]
    own = limits.get(diagram.names[term])
    most = most if own is None else min(most, own)
    asked = [(index, limit) for index, limit in binding if index != term] + [(term, most)]
    parts = [
        part
        for part in conditioned_parts(reduced, [index for index, _ in asked])
        if all(part.least_total(index) <= limit for index, limit in asked)
    ]
    upper_tables, exact, unit = [], True, 0
    for part in parts:
        chosen, unrounded = plan(part, asked, round_up=False, keep=False, share=1 / len(parts))
        exact &= unrounded
        unit = max(unit, next(t.unit for t in chosen.terms if t.index == term))
        upper_tables.append(tabulate(chosen, keep=False))
    unit = unit if exact and len(parts) == 1 else 1
    values, complete = _grid(least, most, unit, points)
    upper = tuple(sum(table.within(term, value) for table in upper_tables) for value in values)
    if exact:
        return Distribution(diagram.names[term], values, upper, upper, complete)
    lower_tables = [
        tabulate(plan(part, asked, round_up=True, keep=False, share=1 / len(parts))[0], keep=False)
        for part in parts
    ]
    lower = tuple(sum(table.within(term, value) for table in lower_tables) for value in values)
    if not binding:
        # Without other limits the whole space is known to be within the largest value.
        lower = (*lower[:-1], reduced.counts[reduced.root])
        upper = (*upper[:-1], reduced.counts[reduced.root])
    return Distribution(diagram.names[term], values, lower, upper, complete)


def _grid(least: int, most: int, unit: int, points: int) -> tuple[tuple[int, ...], bool]:
    """Values from the least to the most, multiples of a unit apart, and whether these are all there are."""
    steps = (most - least) // unit
    if steps < points:
        values = [least + step * unit for step in range(steps + 1)]
    else:
        values = [least + steps * point // (points - 1) * unit for point in range(points)]
    return tuple(dict.fromkeys([*values, most])), steps < points


def _of_peak(diagram: Diagram, limits: dict[str, int], points: int) -> Distribution | None:
    reduced, binding = binding_limits(diagram, limits)
    if reduced is None:
        return None
    peaks = {max(edge.peak, reduced.base_peak) for node in reduced.nodes for edge in node.edges}
    least = max(reduced.base_peak, reduced.best(PEAK, min)[reduced.root])
    thresholds = sorted(peak for peak in peaks if peak >= least) or [least]
    most = PEAK_THRESHOLDS if binding else points
    complete = len(thresholds) <= most
    if len(thresholds) > most:
        last = len(thresholds) - 1
        thresholds = [thresholds[last * point // (most - 1)] for point in range(most)]
    if not binding:
        counts = tuple(_within_peaks(reduced, thresholds))
        return _trimmed(Distribution(PEAK, tuple(thresholds), counts, counts, complete))
    sums = {name: limit for name, limit in limits.items() if name != PEAK}
    upper, lower = [], []
    for threshold in thresholds:
        asked = {**sums, PEAK: threshold}
        found = fit(reduced, asked, keep=False)
        upper.append(found.total if found else 0)
        if found is None or found.exact:
            lower.append(upper[-1])
        else:
            low = fit(reduced, asked, round_up=True, keep=False)
            lower.append(low.total if low else 0)
    return _trimmed(Distribution(PEAK, tuple(thresholds), tuple(lower), tuple(upper), complete))


def _trimmed(found: Distribution) -> Distribution:
    """Without the values that no architecture is within, but for the last of them where some are missing."""
    start = next((index for index, count in enumerate(found.upper) if count), len(found.upper) - 1)
    start = start if found.complete else max(start - 1, 0)
    return replace(found, values=found.values[start:], lower=found.lower[start:], upper=found.upper[start:])


def _within_peaks(diagram: Diagram, thresholds: Sequence[int]) -> list[int]:
    """For each threshold the number of paths whose peak is within it; Python integers, never rounded."""
    limits = np.array(thresholds, dtype=np.int64)
    counts: list[np.ndarray] = []
    for node in diagram.nodes:
        if node.decision < 0:
            counts.append(np.ones(len(limits), dtype=object))
            continue
        total = np.zeros(len(limits), dtype=object)
        for edge in node.edges:
            start = int(np.searchsorted(limits, edge.peak))
            total[start:] += counts[edge.child][start:]
        counts.append(total)
    final = counts[diagram.root]
    return [
        int(number) if limit >= diagram.base_peak else 0
        for limit, number in zip(thresholds, final, strict=True)
    ]
