"""Exact answers about a whole space: how many fit a budget, uniform draws of those, smallest and largest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from netwright.errors import BudgetError, SpaceError, TooLargeError
from netwright.seeding import integer_below, rng_for
from netwright.space.architecture import Architecture
from netwright.space.compile import ExpressionSpace
from netwright.space.deployed import check_countable, implied_limits, limits_a_runtime, tightest
from netwright.space.diagram import PEAK
from netwright.space.fitting import Fitting, fit
from netwright.space.frontier import extreme_path
from netwright.space.members import Budget, architecture_of, checked_limits, diagram_of, fits
from netwright.space.shares import share_interval
from netwright.space.shortfall import nearest, why_nothing_fits

_TRIES = 100_000
_PLANNED_TRIES = 1_000
"""Draws until nothing is taken to fit; where each is planned for a runtime, that is a minute or two."""

DRAWS = 400
"""Architectures that are looked at one by one where a limit is on a cost of a runtime: about a second."""


CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Count:
    """A number of architectures between two bounds, which agree where the arithmetic is exact.

    Attributes:
        lower: there are no fewer.
        upper: there are no more.
        likely: a 95 % interval of the number, where a limit can only be checked one by one, by draws; None
            otherwise.
    """

    lower: int
    upper: int
    likely: tuple[float, float] | None = field(default=None, repr=False)

    @property
    def exact(self) -> bool:
        """Whether the bounds agree."""
        return self.lower == self.upper


@dataclass(frozen=True, slots=True)
class Extreme:
    """A value of a cost and an architecture that has it."""

    value: int
    architecture: Architecture


@dataclass(frozen=True, slots=True)
class Extremes:
    """The smallest and the largest value of a cost."""

    smallest: Extreme
    largest: Extreme


def count(space: ExpressionSpace, budget: Budget | None = None) -> Count:
    """How many architectures fit a budget.

    Peak memory is exact. Sums (macs, params, weight bytes) are counted on a grid of the costs' greatest
    common divisor, which is exact; where that grid would be too fine, on a coarser one, once with costs
    rounded down and once rounded up, which gives bounds. What a runtime needs is known of each architecture
    but not counted: then ``upper`` is the number of those within bounds from below, ``DRAWS`` of these are
    looked at, and ``lower`` is the number of those seen to fit.

    Args:
        space: the space.
        budget: upper limits by cost; None or empty counts everything.

    Raises:
        BudgetError: if the budget names an unknown cost.
    """
    limits = checked_limits(space, budget)
    if limits_a_runtime(limits):
        return _counted_by_draws(fitting(space, limits))
    diagram = diagram_of(space, limits)
    upper = fit(diagram, limits, keep=False)
    if upper is None:
        return Count(0, 0)
    if upper.exact:
        return Count(upper.total, upper.total)
    lower = fit(diagram, limits, round_up=True, keep=False)
    return Count(lower.total if lower else 0, upper.total)


def _counted_by_draws(candidates: FittingArchitectures) -> Count:
    total = candidates.upper
    if total <= DRAWS:
        found = sum(candidates.at(index) is not None for index in range(total))
        return Count(found, found)
    rng = rng_for(0, "count")
    indices = [integer_below(rng, total) for _ in range(DRAWS)]
    fits_at = {index: candidates.at(index) is not None for index in dict.fromkeys(indices)}
    low, high = share_interval(sum(fits_at[index] for index in indices), DRAWS, CONFIDENCE)
    lower = sum(fits_at.values())
    if not lower:
        near = nearest(candidates.space, dict(candidates.limits))
        lower = int(near is not None and near.excess <= 1)
    return Count(lower, total, (low * total, high * total))


def sample(space: ExpressionSpace, rng: np.random.Generator, budget: Budget | None = None) -> Architecture:
    """Draw an architecture uniformly from exactly those that fit a budget.

    Args:
        space: the space.
        rng: the generator to draw from.
        budget: upper limits by cost, or None for all architectures.

    Raises:
        BudgetError: if nothing fits.
    """
    return fitting(space, budget).sample(rng)


@dataclass(frozen=True)
class FittingArchitectures:
    """The architectures that fit a budget, by index: for many draws, or draws without replacement.

    Indices of architectures that do not fit after all are skipped, so that draws are exactly uniform.

    Attributes:
        space: the space.
        upper: number of indices. All that fit are among them; where ``exact`` they are all there is.
        exact: whether every index fits.
        checked: whether limits are left that the table does not know of.
    """

    space: ExpressionSpace
    limits: tuple[tuple[str, int], ...]
    table: Fitting | None
    checked: bool = False

    @property
    def upper(self) -> int:
        """Number of indices."""
        return self.table.total if self.table else 0

    @property
    def exact(self) -> bool:
        """Whether every index is an architecture that fits."""
        return self.table is None or (self.table.exact and not self.checked)

    def at(self, index: int) -> Architecture | None:
        """The architecture with this index, or None if that one does not fit after all.

        Raises:
            SpaceError: if the index is out of range.
        """
        if self.table is None or not 0 <= index < self.upper:
            raise SpaceError(f"index: expected an integer from 0 to {self.upper - 1}, got {index}")
        return self._checked(self.table.path(index))

    def draw(self, choose: Callable[[int, Sequence[int]], int]) -> Architecture | None:
        """Make an architecture decision by decision, in the order of the network.

        Args:
            choose: is given the index of an active decision and the indices of those of its options with
                which an architecture that fits can be completed, and gives one of them.

        Returns:
            The architecture, or None if it does not fit after all; never None where ``exact``.

        Raises:
            BudgetError: if nothing fits.
        """
        if self.table is None:
            raise BudgetError(why_nothing_fits(self.space, dict(self.limits)))
        return self._checked(self.table.draw(choose))

    def _checked(self, path: list[tuple[int, int]]) -> Architecture | None:
        architecture = architecture_of(self.space, path)
        return architecture if self.exact or fits(self.space, architecture, dict(self.limits)) else None

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draw one uniformly: draw an index, and again while that one does not fit.

        Raises:
            BudgetError: if nothing fits.
        """
        tries = _PLANNED_TRIES if limits_a_runtime(dict(self.limits)) else _TRIES
        for _ in range(tries if self.upper else 0):
            architecture = self.at(integer_below(rng, self.upper))
            if architecture is not None:
                return architecture
        raise BudgetError(why_nothing_fits(self.space, dict(self.limits)))


def fitting(space: ExpressionSpace, budget: Budget | None = None) -> FittingArchitectures:
    """Index the architectures that fit a budget; see ``FittingArchitectures``."""
    limits = checked_limits(space, budget)
    wanted, checked = tuple(limits.items()), limits_a_runtime(limits)
    implied = implied_limits(space, limits)
    try:
        table = tightest(diagram_of(space, implied), implied, limits)
    except TooLargeError:
        # Peak memory is what makes diagrams of cells large: without it there are a few indices more.
        sums = {name: limit for name, limit in implied.items() if name != PEAK}
        if sums == implied or space.least_peak[0] > implied[PEAK]:
            return FittingArchitectures(space, wanted, None)
        return FittingArchitectures(space, wanted, fit(diagram_of(space, sums), sums), True)
    return FittingArchitectures(space, wanted, table, checked)


def extremes(space: ExpressionSpace, metric: str, budget: Budget | None = None) -> Extremes:
    """The smallest and largest value of a cost among the architectures that fit a budget, exact.

    Args:
        space: the space.
        metric: one of ``space.costs``.
        budget: upper limits by cost, or None for all architectures.

    Raises:
        BudgetError: if nothing fits, or a cost is unknown.
        TooLargeError: if a cost of a runtime is asked for or limited.
        SpaceError: if there are too many trade-offs between the costs to follow exactly.
    """
    checked_limits(space, {metric: 0})
    limits = checked_limits(space, budget)
    check_countable(space, (metric, *limits))
    found = []
    for largest in (False, True):
        extreme = extreme_path(diagram_of(space, {metric, *limits}), metric, limits, largest=largest)
        if extreme is None:
            raise BudgetError(why_nothing_fits(space, limits))
        found.append(Extreme(extreme.value, architecture_of(space, list(extreme.path))))
    return Extremes(*found)
