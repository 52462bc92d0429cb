"""The smallest that a space has, and which limits of a budget are to blame where nothing fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from netwright.errors import SpaceError, TooLargeError
from netwright.ir.runtime import FLASH_FIXED, RUNTIME
from netwright.space.architecture import Architecture
from netwright.space.compile import ExpressionSpace
from netwright.space.deployed import least_arena, limits_a_runtime, runtime_costs_of
from netwright.space.diagram import PEAK, Diagram
from netwright.space.frontier import extreme_path
from netwright.space.members import Budget, architecture_of, costs_of, diagram_of, of_expression, size

BRACKETS = 16
"""Limits on the peak for which a network with the least other costs is looked at."""


def smallest(space: ExpressionSpace, metric: str) -> int:
    """The smallest value of a cost in the whole space.

    Exact, but for the peak memory of large spaces with cells, where it may be a lower bound, and for the
    costs of a runtime, where it is one.
    """
    if metric in RUNTIME:
        return _least_of_runtime(space, metric)
    if metric == PEAK and of_expression(space).composed:
        return space.least_peak[0]
    diagram = diagram_of(space, {metric})
    if metric == PEAK:
        return max(diagram.base_peak, diagram.best(metric, min)[diagram.root])
    return diagram.least_total(diagram.term(metric))


def _least_of_runtime(space: ExpressionSpace, metric: str) -> int:
    head, arena, _ = RUNTIME
    if metric == head:
        return smallest(space, PEAK)
    if metric == arena:
        return least_arena(space)
    try:
        diagram = diagram_of(space, {"flash_floor"})
    except TooLargeError:
        return FLASH_FIXED
    return diagram.least_total(diagram.term("flash_floor")) + FLASH_FIXED


def _exactly_known(space: ExpressionSpace, metric: str) -> bool:
    """Whether ``smallest`` is exact for a cost."""
    if metric in RUNTIME:
        return False
    return metric != PEAK or not space.composed or space.least_peak[1]


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
            alone.append(Shortfall(metric, limit, least, True, _exactly_known(space, metric)))
    if alone or limits_a_runtime(budget):
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
    if not found and limits_a_runtime(budget):
        near = nearest(space, budget)
        if near is None:
            return f"no small architecture of {space.name} has an output that depends on the input"
        needs = ", ".join(f"{name} {near.costs[name]:,}" for name in budget)
        asked = ", ".join(f"{name} {limit:,}" for name, limit in budget.items())
        if near.excess <= 1:
            return (
                f"hardly any architecture of {space.name} fits the budget: none of those that were drawn "
                f"does, though one has {needs}; the budget is {asked}: raise it, or narrow the space"
            )
        return (
            f"no architecture of {space.name} was found that fits the budget, although some may: the nearest "
            f"of {near.looked_at} has {needs}; the budget is {asked}"
        )
    if not found:
        return f"{total}, although some fit each limit alone"
    first = found[0]
    if first.alone:
        needs = "the smallest needs" if first.exact else "every one needs more than"
        least = first.least - (not first.exact)
        return f"{total}: {needs} {first.metric} {least:,}; the budget is {first.limit:,}"
    parts = [f"{one.metric} {one.least:,} at least, the budget is {one.limit:,}" for one in found]
    return f"{total}: those within the other limits need " + "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Nearest:
    """The architecture that exceeds a budget by the least share, of those that were looked at.

    Attributes:
        architecture: the architecture.
        costs: all of its costs.
        excess: the largest of its costs in parts of their limits; at most 1 if it fits.
        looked_at: how many architectures were looked at.
    """

    architecture: Architecture
    costs: Mapping[str, int]
    excess: float
    looked_at: int


def nearest(space: ExpressionSpace, budget: Budget) -> Nearest | None:
    """Look for an architecture within a budget where small ones are, without a promise to find one.

    For a few limits on the peak memory, the architectures with the least interpreter structures, weights and
    MACs. So that a budget that only just can be kept is known to be.

    Args:
        space: the space.
        budget: upper limits by cost.

    Returns:
        The nearest; None if nothing that was looked at can be deployed.

    Raises:
        GraphError: if an op has no rule for the runtime.
    """
    best: Nearest | None = None
    seen: set[Architecture] = set()
    for architecture in small_ones(space, _peaked(space)):
        if architecture in seen:
            continue
        seen.add(architecture)
        costs = costs_of(space, architecture) | runtime_costs_of(space, architecture)
        if not costs.keys() >= budget.keys():
            continue
        excess = max((costs[name] / max(limit, 1) for name, limit in budget.items()), default=0.0)
        if best is None or excess < best.excess:
            best = Nearest(architecture, costs, excess, 0)
    return None if best is None else Nearest(best.architecture, best.costs, best.excess, len(seen))


def _peaked(space: ExpressionSpace) -> Diagram:
    try:
        return diagram_of(space, (PEAK, "macs"))
    except TooLargeError:
        return diagram_of(space, ("macs",))


def small_ones(space: ExpressionSpace, diagram: Diagram) -> Iterator[Architecture]:
    """For limits on the peak memory, the architectures of a diagram with the least of each other cost."""
    low = max(diagram.base_peak, diagram.best(PEAK, min)[diagram.root])
    high = max(diagram.base_peak, diagram.best(PEAK, max)[diagram.root])
    for step in range(BRACKETS + 1):
        limit = low + round((high - low) * (step / BRACKETS) ** 2)
        for metric in diagram.names:
            path = extreme_path(diagram, metric, {PEAK: limit}, largest=False)
            if path is not None:
                yield architecture_of(space, list(path.path))
