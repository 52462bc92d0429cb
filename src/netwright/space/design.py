"""Design of search spaces: which sub-space has networks that make most of a device.

TinyNAS' rule [Lin et al. 2020, MCUNet, arXiv:2007.10319, Sec. 3.1]: among the networks of a sub-space that
fit the device, the more computation they do, the better they will be. So sub-spaces, one for each way to
settle a few decisions about the whole network (the resolution and the width), are compared by how the MACs of
those of their networks that fit are distributed. There this is estimated from 1,000 samples of each; here it
is computed, with bounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import ceil, floor, gcd, log, sqrt
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray

from netwright.errors import BudgetError, ConfigError, SpaceError
from netwright.seeding import integer_below, rng_for
from netwright.space.architecture import Architecture, Value
from netwright.space.compile import ExpressionSpace
from netwright.space.counting import CONFIDENCE, Count
from netwright.space.deployed import implied_limits, limits_a_runtime, with_structures
from netwright.space.diagram import Diagram
from netwright.space.distributions import Distribution
from netwright.space.fitting import Fitting, binding_limits, fit, within_peak
from netwright.space.members import Budget, architecture_of, checked_limits, fits, path_costs
from netwright.space.segments import counted_within, segments_of
from netwright.space.shares import share_interval
from netwright.space.shortfall import small_ones, why_nothing_fits
from netwright.space.tables import CompletionTables, plan, tabulate

GLOBALS = ("resolution", "width")
"""Names of the decisions that make sub-spaces, where none are given."""

DRAWS = 32
"""Networks of each sub-space that are planned one by one, unless it is said."""

FEW = 6
"""With fewer draws that fit than that, others are drawn, from those whose structures leave room."""

SHARE = 0.08
"""Part of the usual work that the tables of one sub-space may take, as there are many of them."""

CELLS = 4096
"""Finest grid of the one limited sum over which the mean is computed."""

POINTS = 129
"""Values at which a distribution is asked for."""

_SLACK = 1e-9
"""Relative; far more than rounding of floats adds up to."""

_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SubSpace:
    """One sub-space under a budget.

    Where the budget limits what a runtime needs, some of the networks that may fit are drawn and planned one
    by one, and distribution and mean are 95 % intervals from those that fit, not bounds.

    Attributes:
        settings: what it settles: decision name to option.
        size: number of its architectures.
        fitting: how many of them fit.
        distribution: how the metric is distributed among those; None if nothing is sure to fit.
        mean: bounds of its mean among those.
    """

    settings: Mapping[str, Value]
    size: int
    fitting: Count
    distribution: Distribution | None
    mean: tuple[float, float]

    @property
    def share(self) -> tuple[float, float]:
        """Bounds of the share that fits."""
        low, high = self.fitting.likely or (self.fitting.lower, self.fitting.upper)
        return low / self.size, high / self.size

    def quantile(self, share: float) -> tuple[int, int] | None:
        """Bounds of a quantile of the metric among those that fit; None if nothing is sure to fit."""
        return None if self.distribution is None else self.distribution.quantile(share)


@dataclass(frozen=True, slots=True)
class Design:
    """All sub-spaces under a budget, best first; see ``design``.

    Attributes:
        space: id of the space.
        metric: what is compared.
        names: the decisions that make the sub-spaces.
        ranked: sub-spaces of which something fits, by the middle of the bounds of the mean, largest first.
        empty: settings of the sub-spaces of which nothing fits.
    """

    space: str
    metric: str
    names: tuple[str, ...]
    ranked: tuple[SubSpace, ...]
    empty: tuple[Mapping[str, Value], ...]

    @property
    def best(self) -> SubSpace:
        """The winner."""
        return self.ranked[0]

    @property
    def sure(self) -> bool:
        """Whether the winner's lower bound is above the upper bound of every other."""
        return all(other.mean[1] < self.best.mean[0] for other in self.ranked[1:])


def global_decisions(space: ExpressionSpace, names: Sequence[str] | None = None) -> tuple[str, ...]:
    """The decisions that make the sub-spaces.

    Args:
        space: the space.
        names: of named decisions; by default those of ``GLOBALS`` that the space has.

    Raises:
        SpaceError: if a decision is unknown, or the space has none of those that are the default.
    """
    known = [decision.name for decision in space.decisions]
    if names is None:
        found = tuple(name for name in GLOBALS if name in known)
        if not found:
            raise SpaceError(
                f"{space.name}: expected a decision about the whole network, {' or '.join(GLOBALS)}, to make "
                f"sub-spaces; it has none; name other ones of its {len(known)}: {', '.join(known[:8])} ..."
            )
        return found
    for name in names:
        if name not in known:
            raise SpaceError(f"{name}: {space.name} has no such decision; expected some of {known}")
    if not names or len(set(names)) < len(names):
        raise SpaceError(f"sub-spaces: expected the names of different decisions, got {tuple(names)}")
    return tuple(names)


def design(
    space: ExpressionSpace,
    budget: Budget,
    names: Sequence[str] | None = None,
    *,
    metric: str = "macs",
    draws: int = DRAWS,
) -> Design:
    """Compare the sub-spaces of a space by what their networks within a budget can afford.

    The space is compiled once; its diagram is restricted for each sub-space. A single limit that binds is
    counted finely. The distribution under such a limit takes a table over two sums at once, on a coarser
    grid, so that its bounds are further apart; the mean comes from first moments on the fine grid.

    Args:
        space: a space made from an expression.
        budget: upper limits by cost.
        names: the decisions that make the sub-spaces; by default ``resolution`` and ``width``.
        metric: ``macs``, or another cost that adds up.
        draws: networks of each sub-space that are planned one by one, where the budget limits what a runtime
            needs; more of them make the intervals narrower. At least 2.

    Raises:
        ConfigError: if there are fewer draws than 2.
        BudgetError: if nothing fits, or a cost is unknown.
        SpaceError: if a decision is unknown or the metric does not add up.

    >>> from netwright import blocks as B
    >>> from netwright.space import choice, compile_space, sequential
    >>> width = choice(8, 16, 24, name="width")
    >>> body = sequential(
    ...     B.conv_bn_act(out=width, kernel=choice(1, 3)), input=(1, choice(4, 8, name="resolution"), ...)
    ... )
    >>> found = design(compile_space(body, "six"), {"peak_activation_bytes": 700})
    >>> dict(found.best.settings), found.best.mean, len(found.ranked)
    ({'resolution': 8, 'width': 8}, (2560.0, 2560.0), 4)
    """
    if metric not in space.sums:
        raise SpaceError(f"metric: expected one of {', '.join(space.sums)}, got {metric!r}")
    if draws < 2:
        raise ConfigError(f"design: expected at least 2 draws, got {draws}")
    limits = checked_limits(space, budget)
    chosen = global_decisions(space, names)
    ranked, empty = [], []
    for settings, diagram in _sub_diagrams(space, chosen):
        found = (
            _drawn(space, settings, diagram, limits, diagram.term(metric), draws)
            if limits_a_runtime(limits)
            else _measured(settings, diagram, limits, diagram.term(metric))
        )
        if found is None:
            empty.append(settings)
        else:
            ranked.append(found)
    if not ranked:
        raise BudgetError(why_nothing_fits(space, limits))
    ranked.sort(key=lambda sub: -sum(sub.mean))
    return Design(space.id, metric, chosen, tuple(ranked), tuple(empty))


def _sub_diagrams(
    space: ExpressionSpace, names: Sequence[str]
) -> Iterator[tuple[Mapping[str, Value], Diagram]]:
    """Every way to settle the decisions, with what is left of the diagram."""
    known = [decision.name for decision in space.decisions]
    indices = [known.index(name) for name in names]
    parts: dict[tuple[int, ...], Diagram] = {(): space.diagram}
    for index in indices:
        options = range(len(space.decisions[index].options))
        parts = {
            (*taken, option): part
            for (taken, whole), option in product(parts.items(), options)
            if (part := _settled(whole, index, option)) is not None
        }
    for taken, part in parts.items():
        pairs = zip(indices, taken, strict=True)
        yield {known[index]: space.decisions[index].options[option] for index, option in pairs}, part


def _settled(diagram: Diagram, decision: int, option: int) -> Diagram | None:
    nodes = diagram.nodes
    return diagram.restricted(lambda index, edge: nodes[index].decision != decision or edge.option == option)


def _measured(
    settings: Mapping[str, Value], diagram: Diagram, limits: Mapping[str, int], term: int
) -> SubSpace | None:
    size = diagram.counts[diagram.root]
    peaked = within_peak(diagram, limits)
    reduced, binding = binding_limits(diagram, limits)
    if reduced is None or peaked is None:
        return None
    most = reduced.base_sums[term] + reduced.best(reduced.names[term], max)[reduced.root]
    most = min(most, limits.get(diagram.names[term], most))
    others = [(index, limit) for index, limit in binding if index != term]
    found = _by_segments(reduced, others, term, most) or _distribution(reduced, others, term, most)
    if not binding:
        total = reduced.counts[reduced.root]
        return SubSpace(
            settings, size, Count(total, total), _closed(found, Count(total, total)), _mean(reduced, term)
        )
    if len(binding) == 1 and others:
        fitting, mean = _moments(reduced, term, *others[0])
        total = peaked.counts[peaked.root]
        found = _clipped(found, _distribution(peaked, [], term, most), fitting, total)
        return SubSpace(settings, size, fitting, _closed(found, fitting), mean)
    fitting = Count(found.lower[-1], found.upper[-1])
    if fitting.upper == 0:
        return None
    if fitting.lower == 0:
        return SubSpace(settings, size, fitting, None, (float(found.values[0]), float(most)))
    return SubSpace(settings, size, fitting, found, found.mean())


def _drawn(
    space: ExpressionSpace,
    settings: Mapping[str, Value],
    diagram: Diagram,
    limits: Mapping[str, int],
    term: int,
    draws: int,
) -> SubSpace | None:
    """Look at draws from those that may fit; None if none can, or none of the draws does.

    The mean over those that may fit is known; the draws only have to tell by how much it is another one over
    those that do, a control variate, which takes far fewer of them than the mean itself.
    """
    implied = implied_limits(space, limits, diagram)
    around, table = _measured(settings, diagram, implied, term), fit(diagram, implied)
    if around is None or table is None:
        return None
    metric, least = diagram.names[term], diagram.least_total(term)
    values, fitting, seen = _look(space, settings, diagram, table, limits, metric, draws)
    if sum(fitting) >= FEW:
        change, error = _change_of_mean(values, fitting)
        low, high = around.mean[0] + change - error, around.mean[1] + change + error
    else:
        table = fit(diagram, with_structures(implied, limits, diagram))
        if table is None:
            return None
        values, fitting, seen = _look(space, settings, diagram, table, limits, metric, draws)
        low, high = float(least), around.mean[1]
    hits = [value for value, fit_too in zip(values, fitting, strict=True) if fit_too]
    if not hits:
        # Where next to nothing fits, small networks do if anything does.
        small = next((one for one in small_ones(space, diagram) if fits(space, one, limits)), None)
        if small is None:
            return None
        hits, seen = [path_costs(space, small, diagram)[metric]], {small}
    elif sum(fitting) < FEW and len(hits) > 1:
        middle, error = fmean(hits), 1.96 * stdev(hits) / sqrt(len(hits))
        low, high = middle - error, middle + error
    share = share_interval(sum(fitting), draws, CONFIDENCE)
    count = Count(len(seen), table.total, (share[0] * table.total, share[1] * table.total))
    bounds = (max(float(least), low), min(max(*map(float, hits), around.mean[1]), high))
    return SubSpace(settings, around.size, count, _band(metric, hits), bounds)


def _look(
    space: ExpressionSpace,
    settings: Mapping[str, Value],
    diagram: Diagram,
    table: Fitting,
    limits: Mapping[str, int],
    metric: str,
    draws: int,
) -> tuple[list[int], list[bool], set[Architecture]]:
    """Draw from a table: the metric of each, whether it fits, and which ones do."""
    rng = rng_for(0, "design", repr(dict(settings)))
    values, fitting = [], []
    seen: set[Architecture] = set()
    for _ in range(draws):
        architecture = architecture_of(space, table.path(integer_below(rng, table.total)))
        values.append(path_costs(space, architecture, diagram)[metric])
        fitting.append(fits(space, architecture, limits))
        if fitting[-1]:
            seen.add(architecture)
    return values, fitting, seen


def _change_of_mean(values: Sequence[int], fitting: Sequence[bool]) -> tuple[float, float]:
    """By how much the mean of those that fit is above that of all, and half of a 95 % interval of it."""
    everywhere = fmean(values)
    within = fmean(value for value, fit_too in zip(values, fitting, strict=True) if fit_too)
    share = sum(fitting) / len(fitting)
    # How much each draw moves the difference: that of a ratio, linearised.
    moves = [
        fit_too * (value - within) / share - (value - everywhere)
        for value, fit_too in zip(values, fitting, strict=True)
    ]
    return within - everywhere, 1.96 * stdev(moves) / sqrt(len(moves))


def _band(metric: str, hits: Sequence[int]) -> Distribution:
    """How draws are distributed, with the band that holds the truth everywhere at once.

    [Massart 1990, doi:10.1214/aop/1176990746]
    """
    values = sorted(set(hits))
    reach = sqrt(len(hits) * log(2 / (1 - CONFIDENCE)) / 2)
    below = [sum(hit <= value for hit in hits) for value in values]
    lower = [max(0, floor(count - reach)) for count in below[:-1]]
    upper = [min(len(hits), ceil(count + reach)) for count in below[:-1]]
    return Distribution(
        metric, tuple(values), (*lower, len(hits)), (*upper, len(hits)), complete=len(values) == 1
    )


def _by_segments(
    diagram: Diagram, others: Sequence[tuple[int, int]], term: int, most: int
) -> Distribution | None:
    """The distribution of a sum up to ``most`` under a limit on another one; None if it takes the tables."""
    if len(others) != 1:
        return None
    index, limit = others[0]
    segments = segments_of(diagram, index, term)
    if segments is None:
        return None
    least = diagram.least_total(term)
    span = max(0, most - least)
    values = tuple(dict.fromkeys(least + span * point // (POINTS - 1) for point in range(POINTS)))
    beyond = [value - diagram.base_sums[term] for value in values]
    lower, upper = (
        counted_within(segments, limit - diagram.base_sums[index], beyond, round_up=round_up)
        for round_up in (True, False)
    )
    return Distribution(diagram.names[term], values, lower, upper, complete=False)


def _distribution(diagram: Diagram, others: Sequence[tuple[int, int]], term: int, most: int) -> Distribution:
    """The distribution of a sum up to ``most`` under limits on other sums, on a grid that is quickly done."""
    asked = [*others, (term, most)]
    chosen, exact = plan(diagram, asked, round_up=False, keep=False, share=SHARE)
    unit = next(one.unit for one in chosen.terms if one.index == term)
    least = diagram.least_total(term)
    steps = max(0, most - least) // unit
    complete = exact and steps < POINTS
    places = range(steps + 1) if complete else (steps * point // (POINTS - 1) for point in range(POINTS))
    values = tuple(dict.fromkeys([*(least + place * unit for place in places), max(least, most)]))

    def counted(tables: CompletionTables) -> tuple[int, ...]:
        return tuple(tables.within(term, value) for value in values)

    upper = counted(tabulate(chosen, keep=False))
    if exact:
        return Distribution(diagram.names[term], values, upper, upper, complete)
    rounded, _ = plan(diagram, asked, round_up=True, keep=False, share=SHARE)
    return Distribution(diagram.names[term], values, counted(tabulate(rounded, keep=False)), upper, complete)


def _clipped(found: Distribution, free: Distribution, fitting: Count, size: int) -> Distribution:
    """Tighten a distribution under a limit by that without it, which is known better.

    Of those at most v, no more fit than there are. And of those that fit, no more are above v than there are.
    """
    lower, upper = [], []
    for value, low, high in zip(found.values, found.lower, found.upper, strict=True):
        free_low, free_high = free.at_most(value)
        upper.append(min(high, free_high, fitting.upper))
        lower.append(max(low, fitting.lower - (size - free_low)))
    return replace(found, lower=tuple(lower), upper=tuple(upper))


def _closed(found: Distribution, fitting: Count) -> Distribution:
    """With what is known of the total at the last value."""
    lower = tuple(min(count, fitting.upper) for count in found.lower[:-1])
    return replace(found, lower=(*lower, fitting.lower), upper=(*found.upper[:-1], fitting.upper))


def _mean(diagram: Diagram, term: int) -> tuple[float, float]:
    """The mean of a sum over all paths, exact but for the last rounding."""
    totals: list[int] = []
    for node in diagram.nodes:
        totals.append(
            sum(totals[edge.child] + edge.sums[term] * diagram.counts[edge.child] for edge in node.edges)
        )
    mean = float(Fraction(totals[diagram.root], diagram.counts[diagram.root])) + diagram.base_sums[term]
    return mean, mean


def _moments(diagram: Diagram, term: int, index: int, limit: int) -> tuple[Count, tuple[float, float]]:
    """How many paths keep a limit on one sum, and bounds of the mean of another sum among these.

    Nodes carry for every remaining budget the number of completions within it and the total of the other sum
    over these. Rounded down, some paths too many are within the limit; rounded up, some are missing. What is
    between has a known number and total, so the mean is least if as many as possible of it cost the least.
    """
    unit, room = _grid(diagram, index, limit)
    exact = room // unit <= CELLS
    unit = unit if exact else -(-room // CELLS)
    most_paths, most_total = _within(diagram, term, index, room, unit, round_up=False)
    few_paths, few_total = (
        (most_paths, most_total) if exact else _within(diagram, term, index, room, unit, round_up=True)
    )
    low, high = (
        diagram.least_total(term),
        diagram.base_sums[term] + diagram.best(diagram.names[term], max)[diagram.root],
    )
    if exact and most_paths < 2**53:
        fitting = Count(int(most_paths), int(most_paths))
    else:
        # At least one fits: a single limit that nothing keeps leaves no diagram.
        fitting = Count(
            max(1, int(few_paths * (1 - _SLACK))),
            min(ceil(most_paths * (1 + _SLACK)), diagram.counts[diagram.root]),
        )
    if few_paths == 0:
        return fitting, (float(low), float(high))
    between, total = max(0.0, most_paths - few_paths), max(0.0, most_total - few_total)
    span = max(1, high - low)
    cheap = min(max(0.0, (between * high - total) / span), between)
    dear = min(max(0.0, (total - between * low) / span), between)
    least = (few_total + cheap * low) / (few_paths + cheap)
    most = (few_total + dear * high) / (few_paths + dear)
    return fitting, (max(least * (1 - _SLACK), low), min(most * (1 + _SLACK), high))


def _grid(diagram: Diagram, index: int, limit: int) -> tuple[int, int]:
    """The greatest common divisor of a sum's differences, and what the limit leaves for them."""
    least = diagram.best(diagram.names[index], min)
    unit = gcd(
        *(
            edge.sums[index] + least[edge.child] - least[number]
            for number, node in enumerate(diagram.nodes)
            for edge in node.edges
        )
    )
    return max(1, unit), limit - diagram.base_sums[index] - least[diagram.root]


def _within(
    diagram: Diagram, term: int, index: int, room: int, unit: int, *, round_up: bool
) -> tuple[float, float]:
    """Number of paths within the limit on one sum, and the total of another sum over these."""
    least = diagram.best(diagram.names[index], min)
    cells = room // unit + 1
    tables: list[tuple[_Array, _Array]] = []
    for number, node in enumerate(diagram.nodes):
        if node.decision < 0:
            tables.append((np.ones(cells), np.zeros(cells)))
            continue
        paths, totals = np.zeros(cells), np.zeros(cells)
        for edge in node.edges:
            extra = edge.sums[index] + least[edge.child] - least[number]
            start = -(-extra // unit) if round_up else extra // unit
            if start < cells:
                before, total = tables[edge.child]
                paths[start:] += before[: cells - start]
                totals[start:] += total[: cells - start] + edge.sums[term] * before[: cells - start]
        tables.append((paths, totals))
    found, beyond_base = (float(table[-1]) for table in tables[diagram.root])
    return found, beyond_base + diagram.base_sums[term] * found
