"""The smallest and largest cost within limits: shortest paths with resources.

- Where no limit on a sum binds, this is one pass of min or max.
- The largest value of a cost that is itself the only one limited is a subset sum: every node keeps the set
  of sums that its completions reach, as the bits of one integer.
- Otherwise every node keeps the completions that no other beats in all costs at once: the Pareto frontier
  of a resource-constrained shortest path [Irnich & Desaulniers 2005, "Shortest Path Problems with Resource
  Constraints"].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from netwright.errors import SpaceError
from netwright.space.diagram import PEAK, Diagram
from netwright.space.fitting import binding_limits

LABEL_LIMIT = 1_000_000
"""Trade-offs that may be weighed for one answer, about a second; beyond this the question is refused."""

_Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ExtremePath:
    """A value and a path of ``(decision, option)`` pairs that has it."""

    value: int
    path: tuple[tuple[int, int], ...]


def extreme_path(
    diagram: Diagram, metric: str, limits: Mapping[str, int], *, largest: bool
) -> ExtremePath | None:
    """Find the smallest or largest cost among the paths within limits.

    Args:
        diagram: the diagram of a space.
        metric: the cost asked for.
        limits: inclusive upper limits by cost.
        largest: whether the largest is asked for.

    Returns:
        Value and path, or None if nothing fits.

    Raises:
        SpaceError: if more trade-offs than ``LABEL_LIMIT`` would have to be followed.
    """
    reduced, binding = binding_limits(diagram, limits)
    if reduced is None:
        return None
    if not largest:
        # What is to be small anyway needs no limit of its own, unless nothing is within it.
        binding = [(index, limit) for index, limit in binding if diagram.names[index] != metric]
    if not binding:
        return _plain(reduced, metric, max if largest else min)
    if len(binding) == 1 and diagram.names[binding[0][0]] == metric:
        return _largest_sum(reduced, *binding[0])
    found = _Frontier(reduced, metric, binding, largest).extreme()
    own = limits.get(metric)
    return None if found is None or (own is not None and found.value > own) else found


def _plain(diagram: Diagram, metric: str, pick: Callable[[Iterator[int]], int]) -> ExtremePath:
    values = diagram.best(metric, pick)
    path = []
    index = diagram.root
    term = -1 if metric == PEAK else diagram.term(metric)
    while (node := diagram.nodes[index]).decision >= 0:
        edge = next(
            edge
            for edge in node.edges
            if values[index]
            == (max(edge.peak, values[edge.child]) if term < 0 else edge.sums[term] + values[edge.child])
        )
        path.append((node.decision, edge.option))
        index = edge.child
    value = values[diagram.root]
    total = max(diagram.base_peak, value) if term < 0 else diagram.base_sums[term] + value
    return ExtremePath(total, tuple(path))


def _largest_sum(diagram: Diagram, term: int, limit: int) -> ExtremePath | None:
    """The largest sum within a limit on that very sum: bit s of a node's set says that s is reached."""
    room = limit - diagram.base_sums[term]
    unit = max(1, gcd(*(edge.sums[term] for node in diagram.nodes for edge in node.edges)))
    within = (1 << (room // unit + 1)) - 1
    reached: list[int] = []
    for node in diagram.nodes:
        sums = 0 if node.decision >= 0 else 1
        for edge in node.edges:
            sums |= reached[edge.child] << (edge.sums[term] // unit)
        reached.append(sums & within)
    best = reached[diagram.root].bit_length() - 1
    if best < 0:
        return None
    path = []
    index, left = diagram.root, best
    while (node := diagram.nodes[index]).decision >= 0:
        for edge in node.edges:
            rest = left - edge.sums[term] // unit
            if rest >= 0 and reached[edge.child] >> rest & 1:
                path.append((node.decision, edge.option))
                index, left = edge.child, rest
                break
    return ExtremePath(diagram.base_sums[term] + best * unit, tuple(path))


class _Frontier:
    """Labels of every node: column 0 the cost asked for, then the limited sums; all to be small."""

    def __init__(
        self, diagram: Diagram, metric: str, binding: Sequence[tuple[int, int]], largest: bool
    ) -> None:
        self._diagram = diagram
        self._peak = metric == PEAK
        self._sign = -1 if largest else 1
        self._term = -1 if self._peak else diagram.term(metric)
        self._binding = tuple((index, limit) for index, limit in binding)
        self._arrivals = [diagram.cheapest_arrivals(index) for index, _ in self._binding]
        self._back: list[_Array] = []

    def extreme(self) -> ExtremePath | None:
        labels: list[_Array] = []
        weighed = 0
        for index, node in enumerate(self._diagram.nodes):
            if node.decision < 0:
                labels.append(np.zeros((1, 1 + len(self._binding)), dtype=np.int64))
                self._back.append(np.zeros((1, 2), dtype=np.int64))
                continue
            found, back = self._extended(index, labels)
            weighed += len(found) * (1 if len(self._binding) == 1 else 30)
            if weighed > LABEL_LIMIT:
                raise SpaceError(
                    "extremes: these limits leave more trade-offs than can be weighed exactly; "
                    "limit fewer of macs, params and weight bytes at once, or sample instead"
                )
            chosen = _undominated(found)
            labels.append(found[chosen])
            self._back.append(back[chosen])
        final = labels[self._diagram.root]
        if not len(final):
            return None
        best = int(np.argmin(final[:, 0]))
        value = self._sign * int(final[best, 0])
        if self._peak:
            value = max(value, self._diagram.base_peak)
        else:
            value += self._diagram.base_sums[self._term]
        return ExtremePath(value, self._path(best))

    def _extended(self, index: int, labels: Sequence[_Array]) -> tuple[_Array, _Array]:
        """All ways on from a node: an edge and a label of its child, within the limits."""
        parts, backs = [], []
        for number, edge in enumerate(self._diagram.nodes[index].edges):
            label = labels[edge.child].copy()
            if self._peak:
                high = self._sign * edge.peak
                label[:, 0] = (
                    np.maximum(label[:, 0], high) if self._sign > 0 else np.minimum(label[:, 0], high)
                )
            else:
                label[:, 0] += self._sign * edge.sums[self._term]
            fits = np.ones(len(label), dtype=bool)
            for column, (term, limit) in enumerate(self._binding, start=1):
                label[:, column] += edge.sums[term]
                fits &= label[:, column] + self._arrivals[column - 1][index] <= limit
            parts.append(label[fits])
            rows = np.flatnonzero(fits)
            backs.append(np.column_stack([np.full(len(rows), number), rows]))
        return np.concatenate(parts), np.concatenate(backs)

    def _path(self, row: int) -> tuple[tuple[int, int], ...]:
        path = []
        index = self._diagram.root
        while (node := self._diagram.nodes[index]).decision >= 0:
            number, row = (int(n) for n in self._back[index][row])
            edge = node.edges[number]
            path.append((node.decision, edge.option))
            index = edge.child
        return tuple(path)


def _undominated(labels: _Array) -> NDArray[np.intp]:
    """Indices of the rows that no other row is at most equal to in every column; of equal rows the first."""
    order = np.lexsort(labels.T[::-1])
    if labels.shape[1] == 1:
        return order[:1]
    if labels.shape[1] == 2:
        second = labels[order, 1]
        best = np.minimum.accumulate(second)
        keep = np.ones(len(order), dtype=bool)
        keep[1:] = second[1:] < best[:-1]
        return order[keep]
    kept: list[int] = []
    rest = labels[:, 1:]
    front = np.empty((0, rest.shape[1]), dtype=np.int64)
    for row in order:
        if len(front) and bool(np.any(np.all(front <= rest[row], axis=1))):
            continue
        kept.append(int(row))
        front = np.vstack([front, rest[row]])
    return np.array(kept, dtype=np.intp)
