"""The architectures of a space one by one: their ranks, their costs, their paths through its diagram."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import inf

from netwright.errors import BudgetError, GraphError, SpaceError, TooLargeError
from netwright.ir.cost import cost
from netwright.ir.latency import LATENCY
from netwright.ir.runtime import FLOORS, RUNTIME
from netwright.space.architecture import Architecture, Value
from netwright.space.compile import ExpressionSpace
from netwright.space.composite import Tracked
from netwright.space.deployed import implied_limits, limits_a_runtime, runtime_costs_of
from netwright.space.diagram import PEAK, Diagram

Budget = Mapping[str, int]
"""Inclusive upper limits by name of the cost, see ``ExpressionSpace.costs``."""


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
    else:
        counted = path_costs(space, architecture, space.diagram)
        found = {name: counted[name] for name in space.costs}
    return found


def every_cost_of(space: ExpressionSpace, architecture: Architecture) -> dict[str, int]:
    """The exact costs of one architecture, those of the runtime too, which take a few milliseconds.

    A network that cannot be deployed, see ``runtime_costs_of``, or that has an op without a rule for the
    runtime, has no costs there.

    Raises:
        SpaceError: if it is not an architecture of this space.
    """
    found = costs_of(space, architecture)
    if space.runtime:
        with suppress(GraphError):
            found |= runtime_costs_of(space, architecture)
    return found


def fits(space: ExpressionSpace, architecture: Architecture, budget: Budget) -> bool:
    """Whether the costs of an architecture are within a budget; of a chain without building what cannot be.

    What cannot be deployed, see ``runtime_costs_of``, does not fit a budget of a runtime.

    Raises:
        SpaceError: if it is not an architecture of this space.
        BudgetError: if the budget names an unknown cost.
        GraphError: if the budget limits costs of a runtime, for which an op has no rule.
    """
    if not budget:
        return True
    implied = implied_limits(space, checked_limits(space, budget))
    try:
        # It was made when the fitting architectures were indexed; building the network takes far longer.
        costs = _along_path(space, architecture, diagram_of(space, implied))
    except TooLargeError:
        costs = costs_of(space, architecture)
        implied = {name: limit for name, limit in budget.items() if name in costs}
    if any(costs[name] > limit for name, limit in implied.items()):
        return False
    if not limits_a_runtime(budget):
        return True
    planned = {name: limit for name, limit in budget.items() if name in RUNTIME}
    return keeps(runtime_costs_of(space, architecture), planned)


def keeps(costs: Mapping[str, int], limits: Budget) -> bool:
    """Whether costs are within limits; what cannot be deployed lacks those of a runtime, and keeps none."""
    return all(costs.get(name, inf) <= limit for name, limit in limits.items())


def path_costs(space: ExpressionSpace, architecture: Architecture, diagram: Diagram) -> dict[str, int]:
    """The costs of one architecture as a diagram of its space has them."""
    found = _along_path(space, architecture, diagram)
    return {name: value for name, value in found.items() if name not in FLOORS}


def _along_path(space: ExpressionSpace, architecture: Architecture, diagram: Diagram) -> dict[str, int]:
    """The same with the floors of what a runtime needs."""
    sums, peak = diagram.base_sums, diagram.base_peak
    for index, option in walk(space, architecture, diagram):
        edge = diagram.edges_of(index)[option]
        sums = tuple(a + b for a, b in zip(sums, edge.sums, strict=True))
        peak = max(peak, edge.peak)
    return {**dict(zip(diagram.names, sums, strict=True)), PEAK: peak}


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
    known, limits = of_expression(space).limits, dict(budget or {})
    for name in limits:
        if name not in known:
            hint = "; give the space a latency table" if name == LATENCY else ""
            if name in RUNTIME:
                hint = (
                    f"; it is known of int8 networks, this space has {space.dtype} and {space.memory_model}: "
                    "limit peak_activation_bytes and weight_bytes instead"
                )
            raise BudgetError(f"budget: expected limits on some of {known}, got {name!r}{hint}")
    return limits
