"""Exact answers about a whole space: how many, which one, the smallest and largest, those that fit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from netwright.errors import BudgetError, SpaceError, TooLargeError
from netwright.ir.cost import cost
from netwright.ir.latency import LATENCY
from netwright.seeding import integer_below
from netwright.space.architecture import Architecture, Value
from netwright.space.compile import ExpressionSpace
from netwright.space.composite import Tracked
from netwright.space.diagram import PEAK, Diagram
from netwright.space.fitting import Fitting, fit
from netwright.space.frontier import extreme_path

Budget = Mapping[str, int]
"""Inclusive upper limits by name of the cost, see ``ExpressionSpace.costs``."""

_TRIES = 100_000


@dataclass(frozen=True, slots=True)
class Count:
    """A number of architectures between two bounds, which agree where the arithmetic is exact."""

    lower: int
    upper: int

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


def size(space: ExpressionSpace) -> int:
    """Number of architectures, exact.

    >>> from netwright import blocks as B
    >>> from netwright.space import choice, compile_space, repeat, sequential
    >>> stage = repeat("stage", B.inverted_residual(out=8, kernel=choice(3, 5)), depth=choice(1, 2, 3))
    >>> size(compile_space(sequential(stage, input=(8, 8, 8)), "stage"))  # 2 + 4 + 8
    14
    """
    diagram = counting_diagram(space)
    return diagram.counts[diagram.root]


def counting_diagram(space: ExpressionSpace) -> Diagram:
    """The smallest diagram of a space, for questions that costs do not matter to."""
    return of_expression(space).paths


def diagram_of(space: ExpressionSpace, costs: Collection[str]) -> Diagram:
    """The diagram that answers questions about some costs.

    Raises:
        SpaceError: if the space is not made from an expression.
        TooLargeError: if it would be too large.
    """
    return of_expression(space).diagram_for(Tracked(any(name != PEAK for name in costs), PEAK in costs))


def of_expression(space: ExpressionSpace) -> ExpressionSpace:
    """The space itself, if exact answers can be given about it.

    Raises:
        SpaceError: if it is opaque.
    """
    if not isinstance(space, ExpressionSpace):
        raise SpaceError(
            f"space {getattr(space, 'id', space)!r}: exact answers need a space made from an expression; "
            "this one is opaque: use netwright.space.estimate_size, estimate_count, estimate_distribution or "
            "estimate_extremes, which sample"
        )
    return space


def unrank(space: ExpressionSpace, rank: int) -> Architecture:
    """The architecture with this rank; ranks 0 ... size - 1 are a bijection, stable within one space id.

    Args:
        space: the space.
        rank: an integer in ``[0, size)``.

    Raises:
        SpaceError: if the rank is out of range.
    """
    total = size(space)
    if not 0 <= rank < total:
        raise SpaceError(f"rank: expected an integer from 0 to {total - 1}, got {rank}")
    return architecture_of(space, counting_diagram(space).path(rank))


def rank(space: ExpressionSpace, architecture: Architecture) -> int:
    """The rank of an architecture; inverse of ``unrank``.

    Raises:
        SpaceError: if it is not an architecture of this space.
    """
    diagram = counting_diagram(space)
    counts = diagram.counts
    total = 0
    for index, option in walk(space, architecture, diagram):
        for edge in diagram.nodes[index].edges:
            if edge.option == option:
                break
            total += counts[edge.child]
    return total


def costs_of(space: ExpressionSpace, architecture: Architecture) -> dict[str, int]:
    """The exact costs of one architecture; of a chain without building it.

    Raises:
        SpaceError: if it is not an architecture of this space.
    """
    if of_expression(space).composed:
        graph = space.to_graph(architecture)
        found = cost(graph, dtype=space.dtype, memory_model=space.memory_model).totals()
        if space.latency is not None:
            found[LATENCY] = path_costs(space, architecture, diagram_of(space, {LATENCY}))[LATENCY]
        return found
    return path_costs(space, architecture, space.diagram)


def path_costs(space: ExpressionSpace, architecture: Architecture, diagram: Diagram) -> dict[str, int]:
    """The costs of one architecture as a diagram of its space has them."""
    sums, peak = diagram.base_sums, diagram.base_peak
    for index, option in walk(space, architecture, diagram):
        edge = diagram.edges_of(index)[option]
        sums = tuple(a + b for a, b in zip(sums, edge.sums, strict=True))
        peak = max(peak, edge.peak)
    return {**dict(zip(diagram.names, sums, strict=True)), PEAK: peak}


def count(space: ExpressionSpace, budget: Budget | None = None) -> Count:
    """How many architectures fit a budget.

    Peak memory is exact. Sums (macs, params, weight bytes) are counted on a grid of the costs' greatest
    common divisor, which is exact; where that grid would be too fine, on a coarser one, once with costs
    rounded down and once rounded up, which gives bounds.

    Args:
        space: the space.
        budget: upper limits by cost; None or empty counts everything.

    Raises:
        BudgetError: if the budget names an unknown cost.
    """
    limits = checked_limits(space, budget)
    diagram = diagram_of(space, limits)
    upper = fit(diagram, limits, keep=False)
    if upper is None:
        return Count(0, 0)
    if upper.exact:
        return Count(upper.total, upper.total)
    lower = fit(diagram, limits, round_up=True, keep=False)
    return Count(lower.total if lower else 0, upper.total)


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
        if not self.exact:
            costs = costs_of(self.space, architecture)
            if any(costs[name] > limit for name, limit in self.limits):
                return None
        return architecture

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draw one uniformly: draw an index, and again while that one does not fit.

        Raises:
            BudgetError: if nothing fits.
        """
        for _ in range(_TRIES if self.upper else 0):
            architecture = self.at(integer_below(rng, self.upper))
            if architecture is not None:
                return architecture
        raise BudgetError(why_nothing_fits(self.space, dict(self.limits)))


def fitting(space: ExpressionSpace, budget: Budget | None = None) -> FittingArchitectures:
    """Index the architectures that fit a budget; see ``FittingArchitectures``."""
    limits = checked_limits(space, budget)
    try:
        table = fit(diagram_of(space, limits), limits)
    except TooLargeError:
        # Peak memory is what makes diagrams of cells large: without it there are a few indices more.
        sums = {name: limit for name, limit in limits.items() if name != PEAK}
        if sums == limits or space.least_peak[0] > limits[PEAK]:
            return FittingArchitectures(space, tuple(limits.items()), None)
        return FittingArchitectures(space, tuple(limits.items()), fit(diagram_of(space, sums), sums), True)
    return FittingArchitectures(space, tuple(limits.items()), table)


def extremes(space: ExpressionSpace, metric: str, budget: Budget | None = None) -> Extremes:
    """The smallest and largest value of a cost among the architectures that fit a budget, exact.

    Args:
        space: the space.
        metric: one of ``space.costs``.
        budget: upper limits by cost, or None for all architectures.

    Raises:
        BudgetError: if nothing fits, or a cost is unknown.
        SpaceError: if there are too many trade-offs between the costs to follow exactly.
    """
    checked_limits(space, {metric: 0})
    limits = checked_limits(space, budget)
    found = []
    for largest in (False, True):
        extreme = extreme_path(diagram_of(space, {metric, *limits}), metric, limits, largest=largest)
        if extreme is None:
            raise BudgetError(why_nothing_fits(space, limits))
        found.append(Extreme(extreme.value, architecture_of(space, list(extreme.path))))
    return Extremes(*found)


def smallest(space: ExpressionSpace, metric: str) -> int:
    """The smallest value of a cost in the whole space.

    Exact, but for the peak memory of large spaces with cells, where it may be a lower bound.
    """
    if metric == PEAK and of_expression(space).composed:
        return space.least_peak[0]
    diagram = diagram_of(space, {metric})
    if metric == PEAK:
        return max(diagram.base_peak, diagram.best(metric, min)[diagram.root])
    return diagram.least_total(diagram.term(metric))


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A limit that is too low.

    Attributes:
        metric: the cost.
        limit: the limit.
        least: what the smallest architecture needs: of all, or of those within the other limits.
        alone: whether the limit is too low whatever the others are.
        exact: whether the smallest needs just so much; else every one needs at least so much.
    """

    metric: str
    limit: int
    least: int
    alone: bool
    exact: bool


def shortfalls(space: ExpressionSpace, budget: Budget) -> tuple[Shortfall, ...]:
    """The limits to blame for it that nothing fits: those that are too low alone, else all that can be told.

    What cannot be said of a cost (too many trade-offs, or the others contradict each other) is left out.
    """
    alone = []
    for metric, limit in budget.items():
        least = smallest(space, metric)
        if least > limit:
            exact = metric != PEAK or not space.composed or space.least_peak[1]
            alone.append(Shortfall(metric, limit, least, True, exact))
    if alone:
        return tuple(alone)
    together = []
    for metric, limit in budget.items():
        others = {name: bound for name, bound in budget.items() if name != metric}
        with suppress(SpaceError):
            extreme = extreme_path(diagram_of(space, {metric, *others}), metric, others, largest=False)
            if extreme is not None:
                together.append(Shortfall(metric, limit, extreme.value, False, True))
    return tuple(together)


def why_nothing_fits(space: ExpressionSpace, budget: Budget) -> str:
    """Say in one sentence what the smallest architecture needs and what the budget is."""
    total = f"none of the {size(space):,} architectures of {space.name} fits the budget"
    found = shortfalls(space, budget)
    if not found:
        return f"{total}, although some fit each limit alone"
    first = found[0]
    if first.alone:
        needs = "the smallest needs" if first.exact else "every one needs more than"
        least = first.least - (not first.exact)
        return f"{total}: {needs} {first.metric} {least:,}; the budget is {first.limit:,}"
    parts = [f"{one.metric} {one.least:,} at least, the budget is {one.limit:,}" for one in found]
    return f"{total}: those within the other limits need " + "; ".join(parts)


def iterate(space: ExpressionSpace) -> Iterator[Architecture]:
    """All architectures in the order of their ranks, in constant memory."""
    for index in range(size(space)):
        yield unrank(space, index)


def walk(space: ExpressionSpace, architecture: Architecture, diagram: Diagram) -> list[tuple[int, int]]:
    """The path of an architecture through a diagram: ``(node index, option index)`` from the root on.

    Raises:
        SpaceError: if it is not an architecture of this space.
    """
    settled = space.lookup.settled(architecture)
    if settled is not None:
        path = _follow(diagram, settled)
        if path is not None and len(path) == len(settled):
            return path
    recorded = space.recorded(architecture)  # says what is wrong
    numbers = {decision.name: number for number, decision in enumerate(space.decisions)}
    path = _follow(diagram, {numbers[name]: option for name, option in recorded.items()})
    assert path is not None, "an architecture is a path of every diagram of its space"
    return path


WALKS = 4096
"""Walks that a space remembers: strategies vary the same few architectures again and again."""


@dataclass(frozen=True, slots=True)
class Walked:
    """The path of an architecture through the counting diagram.

    Attributes:
        choices: those of the architecture.
        path: ``(node index, option index)`` from the root on.
        taken: option of each decision, in the order of the path.
        changeable: the decisions with more than one option, in the order of the path.
        places: for each decision where it stands on the path.
        slots: for each decision where it stands in the architecture.
    """

    choices: tuple[tuple[str, Value], ...]
    path: tuple[tuple[int, int], ...]
    taken: Mapping[int, int]
    changeable: tuple[int, ...]
    places: Mapping[int, int]
    slots: Mapping[int, int]


def walked(space: ExpressionSpace, architecture: Architecture) -> Walked:
    """The path of an architecture through the counting diagram, remembered for a while.

    Raises:
        SpaceError: if it is not an architecture of this space.
    """
    known = of_expression(space).walks
    found: Walked | None = known.get(architecture)
    if found is None:
        diagram = counting_diagram(space)
        path = tuple(walk(space, architecture, diagram))
        taken = {diagram.nodes[index].decision: option for index, option in path}
        found = Walked(
            architecture.choices,
            path,
            taken,
            tuple(decision for decision in taken if len(space.decisions[decision].options) > 1),
            {decision: place for place, decision in enumerate(taken)},
            {decision: slot for slot, decision in enumerate(sorted(taken))},
        )
        if len(known) >= WALKS:
            known.clear()
        known[architecture] = found
    return found


def _follow(diagram: Diagram, settled: Mapping[int, int]) -> list[tuple[int, int]] | None:
    """The path that takes these options; None if one is missing or not possible."""
    path = []
    index = diagram.root
    nodes = diagram.nodes
    while (decision := nodes[index].decision) >= 0:
        option = settled.get(decision)
        edge = None if option is None else diagram.edges_of(index).get(option)
        if option is None or edge is None:
            return None
        path.append((index, option))
        index = edge.child
    return path


def architecture_of(space: ExpressionSpace, path: list[tuple[int, int]]) -> Architecture:
    """The architecture of a path of ``(decision index, option index)``."""
    return space.lookup.architecture(path)


def checked_limits(space: ExpressionSpace, budget: Budget | None) -> dict[str, int]:
    """A budget as a dictionary.

    Raises:
        BudgetError: if it names an unknown cost.
    """
    known, limits = of_expression(space).costs, dict(budget or {})
    for name in limits:
        if name not in known:
            hint = "; give the space a latency table" if name == LATENCY else ""
            raise BudgetError(f"budget: expected limits on some of {known}, got {name!r}{hint}")
    return limits
