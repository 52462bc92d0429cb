"""The part of a diagram within limits: counted, and indexed for sampling."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from netwright.space.diagram import PEAK, Diagram, DiagramNode, Edge
from netwright.space.tables import CompletionTables, Rooms, plan, tabulate

UNFOLDED_LIMIT = 20_000
"""Nodes up to which what was spent is kept in them rather than tabulated."""


@dataclass(frozen=True, slots=True)
class _Everything:
    """All paths of a diagram, where no limit on a sum binds."""

    diagram: Diagram

    @property
    def total(self) -> int:
        return self.diagram.counts[self.diagram.root]

    def path(self, index: int) -> list[tuple[int, int]]:
        return self.diagram.path(index)

    @property
    def start(self) -> tuple[int, Rooms]:
        return self.diagram.root, ()

    def onward(self, node: int, rooms: Rooms) -> list[tuple[int, int, Rooms]]:
        return [(edge.option, edge.child, ()) for edge in self.diagram.nodes[node].edges]


@dataclass(frozen=True)
class Fitting:
    """The paths within the limits (with costs rounded down: all of them and perhaps a few more), by index.

    Attributes:
        exact: whether no cost was rounded.
        total: number of indices.
    """

    exact: bool
    total: int
    _parts: tuple[_Everything | CompletionTables, ...]

    def path(self, index: int) -> list[tuple[int, int]]:
        """The path with an index in ``[0, total)`` as ``(decision, option)`` pairs."""
        for part in self._parts:
            if index < part.total:
                return part.path(index)
            index -= part.total
        raise IndexError(f"expected an index below {self.total}, got {index + self.total}")

    def draw(self, choose: Callable[[int, Sequence[int]], int]) -> list[tuple[int, int]]:
        """Make a path decision by decision.

        Args:
            choose: is given a decision and those of its options with which something within the limits can be
                completed, in ascending order, and gives one of them.

        Returns:
            The path as ``(decision, option)`` pairs.
        """
        found: list[tuple[int, int]] = []
        places = [(part, *part.start) for part in self._parts]
        while True:
            part, node, _ = places[0]
            decision = part.diagram.nodes[node].decision
            if decision < 0:
                return found
            # Several parts only at the start: they differ in the first decision.
            onward = {
                option: (part, child, rooms)
                for part, node, left in places
                for option, child, rooms in part.onward(node, left)
            }
            option = choose(decision, sorted(onward))
            found.append((decision, option))
            places = [onward[option]]


def within_peak(diagram: Diagram, limits: Mapping[str, int]) -> Diagram | None:
    """The part of a diagram that stays within the limit on peak memory; None if there is none."""
    limit = limits.get(PEAK)
    if limit is None:
        return diagram
    if diagram.base_peak > limit:
        return None
    return diagram.restricted(lambda _, edge: edge.peak <= limit)


def binding_limits(
    diagram: Diagram, limits: Mapping[str, int]
) -> tuple[Diagram | None, list[tuple[int, int]]]:
    """Reduce a diagram to edges that are on a path within each single limit.

    Returns:
        The reduced diagram, or None if nothing is left, and ``(index of a sum, limit)`` for those
        limits on sums that some path of it exceeds.
    """
    found = within_peak(diagram, limits)
    binding: list[tuple[int, int]] = []
    for index, name in enumerate(diagram.names):
        if name not in limits or found is None:
            continue
        limit = limits[name]
        here: Diagram = found
        if here.base_sums[index] + here.best(name, max)[here.root] <= limit:
            continue
        arrivals, least = here.cheapest_arrivals(index), here.best(name, min)
        if arrivals[here.root] + least[here.root] > limit:
            return None, []
        found = here.restricted(
            lambda parent, edge, a=arrivals, m=least, i=index, most=limit: (  # type: ignore[misc]
                a[parent] + edge.sums[i] + m[edge.child] <= most
            )
        )
        binding.append((index, limit))
    return found, binding


def fit(
    diagram: Diagram, limits: Mapping[str, int], *, round_up: bool = False, keep: bool = True
) -> Fitting | None:
    """Tabulate the paths within limits.

    Args:
        diagram: the diagram of a space.
        limits: inclusive upper limits by cost.
        round_up: round costs up to the grid rather than down, which gives a lower bound of the total.
        keep: whether the tables are kept for ``path``; without them the grid can be finer.

    Returns:
        The table, or None if nothing fits.
    """
    reduced, binding = binding_limits(diagram, limits)
    if reduced is None:
        return None
    if not binding:
        return Fitting(True, reduced.counts[reduced.root], (_Everything(reduced),))
    known, unfolded = _unfolded(reduced, binding)
    if known and unfolded is None:
        return None
    if unfolded is not None:
        return Fitting(True, unfolded.counts[unfolded.root], (_Everything(unfolded),))
    parts: list[CompletionTables] = []
    exact = True
    split = conditioned_parts(reduced, [index for index, _ in binding])
    for part in split:
        if any(part.least_total(index) > limit for index, limit in binding):
            continue
        chosen, unrounded = plan(part, binding, round_up=round_up, keep=keep, share=1 / len(split))
        tables = tabulate(chosen, keep=keep)
        exact &= unrounded
        if tables.total:
            parts.append(tables)
    return Fitting(exact, sum(part.total for part in parts), tuple(parts)) if parts else None


def _unfolded(diagram: Diagram, binding: Sequence[tuple[int, int]]) -> tuple[bool, Diagram | None]:
    """Keep what is left of the limits in the nodes, which is exact.

    Where few sums occur (small spaces, however many costs are limited) this needs no grid. What can no longer
    exceed a limit is forgotten, so that nodes fall together.

    Returns:
        Whether that takes few enough nodes, and then the diagram of what fits, None if nothing does.
    """
    least = [diagram.best(diagram.names[index], min) for index, _ in binding]
    most = [diagram.best(diagram.names[index], max) for index, _ in binding]
    start = tuple(limit - diagram.base_sums[index] for index, limit in binding)
    rooms: list[dict[tuple[int | None, ...], None]] = [{} for _ in diagram.nodes]

    def entered(node: int, room: tuple[int | None, ...]) -> tuple[int | None, ...] | None:
        """What is left on entry of a node: None for a limit that holds anyway, or no tuple if one cannot."""
        left: list[int | None] = []
        for r, low, high in zip(room, least, most, strict=True):
            if r is not None and r < low[node]:
                return None
            left.append(None if r is None or r >= high[node] else r)
        return tuple(left)

    def after(room: tuple[int | None, ...], edge: Edge) -> tuple[int | None, ...]:
        pairs = zip(room, binding, strict=True)
        return tuple(None if r is None else r - edge.sums[index] for r, (index, _) in pairs)

    first = entered(diagram.root, start)
    if first is None:
        return True, None
    rooms[diagram.root][first] = None
    states = 1
    for node in range(diagram.root, -1, -1):
        for room in rooms[node]:
            for edge in diagram.nodes[node].edges:
                left = entered(edge.child, after(room, edge))
                if left is not None and left not in rooms[edge.child]:
                    rooms[edge.child][left] = None
                    states += 1
        if states > UNFOLDED_LIMIT:
            return False, None
    number: dict[tuple[int, tuple[int | None, ...]], int] = {}
    nodes: list[DiagramNode] = []
    for node, here in enumerate(diagram.nodes):
        for room in rooms[node]:
            edges = []
            for edge in here.edges:
                left = entered(edge.child, after(room, edge))
                if left is not None and (edge.child, left) in number:
                    edges.append(edge._replace(child=number[edge.child, left]))
            if edges or here.decision < 0:
                number[node, room] = len(nodes)
                nodes.append(DiagramNode(here.decision, tuple(edges)))
    if (diagram.root, first) not in number:
        return True, None
    return True, replace(diagram, nodes=tuple(nodes))


def conditioned_parts(diagram: Diagram, terms: Sequence[int]) -> tuple[Diagram, ...]:
    """Condition on the first decision where its options have little in common, as with a resolution.

    The costs under one resolution have larger common divisors than those under all, so that an exact grid
    is coarser; and nothing is lost where the parts of the diagram are as good as disjoint.
    """
    options = [edge.option for edge in diagram.nodes[diagram.root].edges]
    if len(options) < 2:
        return (diagram,)
    parts = [part for part in map(diagram.conditioned, options) if part is not None]
    apart = sum(_class_edges(part, terms) for part in parts)
    return tuple(parts) if apart < 1.3 * _class_edges(diagram, terms) else (diagram,)


def _class_edges(diagram: Diagram, terms: Sequence[int]) -> int:
    representative = dict(zip(diagram.classes(terms), diagram.nodes, strict=True))
    return sum(len(node.edges) for node in representative.values())
