"""The order of execution: a network that branches may need less memory in another one.

What is searched is the order of *units*: a node that becomes operators, with what is fused into it. A unit
runs in one piece. The head is the aim, as the planner gives it; the largest sum of live buffers is a bound
below it, and its least value over all orders is found exactly, set by set of units that have run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from netwright.errors import GraphError
from netwright.ir.graph import Graph, GraphBuilder, Tensor
from netwright.ir.tflm.kernels import scratch_sizes
from netwright.ir.tflm.lowering import lower
from netwright.ir.tflm.planner import Lifetime, aligned, plan
from netwright.ir.tflm.program import Operator, Program

LIMIT = 2000
"""Orders that are planned, and sets of units looked at, before the search is content with the best."""


def reordered(graph: Graph, order: Sequence[str]) -> Graph:
    """The same network with its nodes in another order of execution.

    Args:
        graph: the network.
        order: names of nodes. A node that is not named follows the last of those that it reads.

    Raises:
        GraphError: if a name is unknown or doubled, or a node would run before one that it reads.
    """
    names = {node.name for node in graph.nodes}
    unknown = [name for name in order if name not in names]
    if unknown or len(set(order)) != len(order):
        raise GraphError(f"order: expected names of nodes, each once, got {unknown or list(order)}")
    rank = {name: index for index, name in enumerate(order)}
    rank.setdefault(graph.nodes[0].name, -1)
    at: dict[str, int] = {}
    for node in graph.nodes:
        named = rank.get(node.name)
        at[node.name] = max(at[name] for name in node.inputs) if named is None else named
    build = GraphBuilder()
    handles: dict[str, Tensor] = {}
    for node in sorted(graph.nodes, key=lambda node: at[node.name]):
        missing = [name for name in node.inputs if name not in handles]
        if missing:
            raise GraphError(f"order: {node.name} would run before {missing[0]}, whose output it reads")
        handles[node.name] = build.apply(node.name, node.op, *(handles[name] for name in node.inputs))
    return build.finish(*(handles[name] for name in graph.outputs))


def best_order(graph: Graph, limit: int = LIMIT) -> tuple[str, ...]:
    """An order of execution with the smallest head.

    All orders are considered as long as they are at most ``limit``, or a bound shows that none is better;
    beyond that, stretches between points where only one unit can run are improved one by one. The same graph
    gives the same order, and where nothing is better its own.

    Args:
        graph: the network.
        limit: of orders planned, and of sets of units for the bound.

    Returns:
        Names of all nodes, for ``reordered``.

    Raises:
        GraphError: if an op has no rule.
    """
    own = tuple(node.name for node in graph.nodes)
    program = lower(graph)
    units = _units(program)
    if _only_one_order(units):
        return own
    found = _search(program, units, limit)
    if found == list(range(len(units))):
        return own
    names = [units[index].node for index in found]
    return tuple(node.name for node in reordered(graph, names).nodes)


@dataclass(frozen=True, slots=True)
class _Unit:
    """A node that becomes operators.

    Attributes:
        node: its name.
        operators: what it becomes.
        needs: the units whose outputs it reads, as a set of bits.
    """

    node: str
    operators: tuple[Operator, ...]
    needs: int


def _units(program: Program) -> list[_Unit]:
    by_node: dict[str, list[Operator]] = {}
    for operator in program.operators:
        by_node.setdefault(operator.node, []).append(operator)
    writer: dict[int, int] = {}
    units: list[_Unit] = []
    for number, (node, operators) in enumerate(by_node.items()):
        needs = 0
        for operator in operators:
            for index in operator.inputs:
                if index in writer and writer[index] != number:
                    needs |= 1 << writer[index]
            writer[operator.output] = number
        units.append(_Unit(node, tuple(operators), needs))
    return units


def _only_one_order(units: Sequence[_Unit]) -> bool:
    """Whether every unit reads the one before it, so that there is nothing to choose."""
    return all(later.needs >> number & 1 for number, (_, later) in enumerate(pairwise(units)))


# ------------------------------------------------------------------------------------------ the search


def _search(program: Program, units: Sequence[_Unit], limit: int) -> list[int]:
    own = list(range(len(units)))
    best, head = own, _head(program, units, own)
    bound = _least_live_sum(program, units, limit)
    if bound is not None:
        least, order = bound
        if head == least:
            return best
        reached = _head(program, units, order)
        if reached < head:
            best, head = order, reached
        if head == least:
            return best
    for tried, order in enumerate(_orders(units, 0, [])):
        if tried >= limit:
            return _improve(program, units, best, limit)
        reached = _head(program, units, order)
        if reached < head:
            best, head = order, reached
            if bound is not None and head == bound[0]:
                break
    return best


def _improve(program: Program, units: Sequence[_Unit], best: list[int], limit: int) -> list[int]:
    """Try all orders of one stretch after the other, up to ``limit`` each, until none is better."""
    head = _head(program, units, best)
    better = True
    while better:
        better = False
        for start, stop in _stretches(units, best):
            done = sum(1 << index for index in best[:start])
            stretch = set(best[start:stop])
            for number, middle in enumerate(_orders(units, done, [], stretch)):
                if number >= limit:
                    break
                order = best[:start] + middle + best[stop:]
                reached = _head(program, units, order)
                if reached < head:
                    best, head, better = order, reached, True
                    break
    return best


def _stretches(units: Sequence[_Unit], order: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Parts of an order between places where only one unit can run."""
    done = 0
    start = 0
    for place, index in enumerate(order):
        ready = [i for i in order[place:] if not units[i].needs & ~done]
        if len(ready) == 1:
            if place - start > 1:
                yield start, place
            start = place
        done |= 1 << index
    if len(order) - start > 1:
        yield start, len(order)


def _orders(
    units: Sequence[_Unit], done: int, before: list[int], among: set[int] | None = None
) -> Iterator[list[int]]:
    """All orders of units, of ``among`` if given, that respect what each needs; the own order comes first."""
    left = [i for i in (range(len(units)) if among is None else sorted(among)) if not done >> i & 1]
    if not left:
        yield before
        return
    for index in left:
        if not units[index].needs & ~done:
            yield from _orders(units, done | 1 << index, [*before, index], among)


def _head(program: Program, units: Sequence[_Unit], order: Sequence[int]) -> int:
    """The head of the units in an order."""
    first: dict[int, int] = dict.fromkeys(program.inputs, 0)
    last: dict[int, int] = dict.fromkeys(program.inputs, 0)
    scratch: list[Lifetime] = []
    tensors = program.tensors
    time = 0
    for number in order:
        for operator in units[number].operators:
            time += 1
            output = operator.output
            first[output] = last[output] = time
            for index in operator.inputs:
                if index in first:
                    last[index] = time
            for size in _scratch(program, operator):
                scratch.append(Lifetime(aligned(size), time, time))
    for index in program.outputs:
        last[index] = time
    buffers = [Lifetime(aligned(tensors[index].bytes), first[index], last[index]) for index in first]
    return plan(buffers + scratch).bytes


def _scratch(program: Program, operator: Operator) -> tuple[int, ...]:
    return scratch_sizes(operator.kind, prod(program.tensors[operator.output].shape))


# ------------------------------------------------------------------------------------------- the bound


def _least_live_sum(program: Program, units: Sequence[_Unit], limit: int) -> tuple[int, list[int]] | None:
    """The least peak of live buffers over all orders, with an order; None beyond ``limit`` sets of units.

    For every set of units that can have run, only the best peak on the way to it matters: what is alive then
    does not depend on the order in which they ran.
    """
    keepers = _keepers(program, units)
    sizes = {index: aligned(program.tensors[index].bytes) for index in keepers}
    everything = (1 << len(units)) - 1
    level: dict[int, tuple[int, list[int]]] = {0: (0, [])}
    looked_at = 0
    for _ in units:
        after: dict[int, tuple[int, list[int]]] = {}
        for done, (peak, order) in level.items():
            alive = [i for i, (writer, readers) in keepers.items() if writer & ~done == 0 and readers & ~done]
            for number, unit in enumerate(units):
                if done >> number & 1 or unit.needs & ~done:
                    continue
                reached = max(peak, _peak_of(program, unit, alive, sizes, keepers, done | 1 << number))
                known = after.get(done | 1 << number)
                if known is None or (reached, [*order, number]) < known:
                    after[done | 1 << number] = (reached, [*order, number])
        looked_at += len(after)
        if looked_at > limit:
            return None
        level = after
    return level[everything]


def _keepers(program: Program, units: Sequence[_Unit]) -> dict[int, tuple[int, int]]:
    """For every activation the units that write and that read it, as sets of bits.

    What the caller reads has a reader beyond all units, so that it stays.
    """
    writer: dict[int, int] = dict.fromkeys(program.inputs, 0)
    readers: dict[int, int] = dict.fromkeys(program.inputs, 0)
    for number, unit in enumerate(units):
        for operator in unit.operators:
            writer[operator.output] = 1 << number
            readers.setdefault(operator.output, 0)
            for index in operator.inputs:
                if index in readers:
                    readers[index] |= 1 << number
    for index in program.outputs:
        readers[index] |= 1 << len(units)
    return {index: (writer[index], readers[index]) for index in writer}


def _peak_of(
    program: Program,
    unit: _Unit,
    alive: Sequence[int],
    sizes: dict[int, int],
    keepers: dict[int, tuple[int, int]],
    done: int,
) -> int:
    """The largest sum of live buffers while a unit runs; ``done`` holds the unit itself too."""
    last: dict[int, int] = {}
    for place, operator in enumerate(unit.operators):
        for index in operator.inputs:
            last[index] = place
    held = set(alive)
    peak = 0
    for place, operator in enumerate(unit.operators):
        held.add(operator.output)
        scratch = sum(aligned(size) for size in _scratch(program, operator))
        peak = max(peak, scratch + sum(sizes[index] for index in held))
        for index in {*operator.inputs, operator.output}:
            if index in held and last.get(index, place) <= place and not keepers[index][1] & ~done:
                held.discard(index)
    return peak
