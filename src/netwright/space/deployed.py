"""What a runtime on the device needs for the architectures of a space: of each exactly, of all from below."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from netwright.errors import TooLargeError
from netwright.ir.runtime import FLASH_FIXED, LEAST_PLANNING, RUNTIME, TAIL_FIXED, runtime_costs
from netwright.space.architecture import Architecture
from netwright.space.compile import ExpressionSpace
from netwright.space.composite import Tracked
from netwright.space.diagram import PEAK, Diagram
from netwright.space.fitting import Fitting, fit

REMEMBERED = 20_000
"""Architectures whose figures a space remembers."""

_HEAD, _ARENA, _FLASH = RUNTIME


def limits_a_runtime(limits: Collection[str]) -> bool:
    """Whether some of these costs are a runtime's, which only whole networks have."""
    return any(name in RUNTIME for name in limits)


def check_countable(space: ExpressionSpace, costs: Collection[str]) -> None:
    """Check that exact answers are possible about some costs.

    Raises:
        TooLargeError: if one of them is a runtime's.
    """
    if limits_a_runtime(costs):
        raise TooLargeError(
            f"{space.name}: how a runtime plans the memory is known of each network, but neither adds up nor "
            "is a maximum over its parts; sample: netwright.space.estimate_distribution and its like"
        )


def runtime_costs_of(space: ExpressionSpace, architecture: Architecture) -> dict[str, int]:
    """The exact costs of ``netwright.ir.runtime.RUNTIME`` of one architecture, remembered for a while.

    Returns:
        By name; nothing for a network part of whose output is zero whatever it is shown (in NAS-Bench-201 an
        eighth of all): there is nothing to deploy.

    Raises:
        SpaceError: if it is not an architecture of this space.
        GraphError: if an op has no rule for the runtime.
    """
    found = space.deployed.get(architecture)
    if found is None:
        found = runtime_costs(space.to_graph(architecture))
        if len(space.deployed) >= REMEMBERED:
            space.deployed.clear()
        space.deployed[architecture] = found
    return found


def _least_tail(diagram: Diagram) -> int:
    return diagram.least_total(diagram.term("tail_floor")) + TAIL_FIXED


def implied_limits(
    space: ExpressionSpace, limits: Mapping[str, int], diagram: Diagram | None = None
) -> dict[str, int]:
    """Limits on costs of a diagram that every architecture within some limits keeps.

    The planned activations are no less than the largest sum of live tensors; the arena has the structures of
    the interpreter beside them; the file holds at least the weights.

    Args:
        space: the space.
        limits: inclusive upper limits by cost.
        diagram: a part of the space's diagram, whose networks may all have larger structures.
    """
    own = {name: limit for name, limit in limits.items() if name not in RUNTIME}
    if len(own) == len(limits):
        return own
    peaks = [limits[name] for name in (PEAK, _HEAD) if name in limits]
    if _ARENA in limits:
        tail = space.least_tail if diagram is None else _least_tail(diagram)
        peaks.append(max(0, limits[_ARENA] - tail))
    if peaks:
        own[PEAK] = min(peaks)
    if _FLASH in limits:
        own["flash_floor"] = max(0, limits[_FLASH] - FLASH_FIXED)
    return own


def with_structures(
    implied: Mapping[str, int], limits: Mapping[str, int], diagram: Diagram
) -> dict[str, int]:
    """Implied limits, and one more on the interpreter's structures, where the arena is limited.

    They have what the smallest of all peaks leaves of the arena. In deep spaces this excludes most of what
    the peak alone would let pass; in shallow ones it only makes a table coarser.
    """
    if _ARENA not in limits:
        return dict(implied)
    peak = max(diagram.base_peak, diagram.best(PEAK, min)[diagram.root], LEAST_PLANNING)
    return {**implied, "tail_floor": max(0, limits[_ARENA] - peak - TAIL_FIXED)}


def tightest(diagram: Diagram, implied: Mapping[str, int], limits: Mapping[str, int]) -> Fitting | None:
    """The smaller of the tables without and with a limit on structures; None if nothing can fit."""
    first = fit(diagram, implied)
    if first is None or _ARENA not in limits:
        return first
    second = fit(diagram, with_structures(implied, limits, diagram))
    return None if second is None else min(first, second, key=lambda table: table.total)


def least_arena(space: ExpressionSpace, brackets: int = 32) -> int:
    """A lower bound of the arena of every architecture: no one needs less.

    A largest sum of live tensors and a sum of structures cannot both be least at once. So for ascending
    limits on the first the least of the second is looked up; between two limits an arena has at least the
    lower one and the structures that the higher one allows.

    Args:
        space: the space.
        brackets: how many limits.
    """
    try:
        diagram = space.diagram_for(Tracked())
    except TooLargeError:
        return space.least_peak[0] + space.least_tail
    term = diagram.term("tail_floor")
    low = max(diagram.base_peak, diagram.best(PEAK, min)[diagram.root])
    high = max(diagram.base_peak, diagram.best(PEAK, max)[diagram.root])
    bound, before = None, low
    for step in range(1, brackets + 1):
        # Finer where it matters: the least arena has a small peak.
        limit = low + round((high - low) * (step / brackets) ** 2)
        part = diagram.restricted(lambda _, edge, most=limit: edge.peak <= most)  # type: ignore[misc]
        if part is not None:
            found = max(before, LEAST_PLANNING) + part.least_total(term) + TAIL_FIXED
            bound = found if bound is None else min(bound, found)
        before = limit
    assert bound is not None, "the last limit leaves everything"
    return bound
