"""A diagram column by column: how many architectures walk through it at once.

An architecture as a row of option indices walks through the diagram decision by decision. Here all decisions
come in one order that agrees with every path, so that many rows walk abreast: at a layer every row stands at
one of the few nodes that are open there, looks at the same column, and moves on by one look into a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

from netwright.space.diagram import Diagram

Integers = NDArray[np.int64]

SETTLED = -1
"""Index, among the amounts of a layer, of the number of decisions that were settled."""

PEAKS = -2
"""Index of the peak, which stands before it, behind the sums."""

INACTIVE = -1
"""What a row has in the column of a decision that is not active."""


@dataclass(frozen=True)
class Layer:
    """Some columns, and where rows go on from each open node.

    Attributes:
        columns: which columns are looked at; a code is made of ``value + 1`` of each, the last counts ones.
        widths: options + 1 of each column.
        following: ``(nodes + 1, codes)``, the node after it, as an index among those of the next layer; the
            last index, in every layer, is for rows that lost their way.
        amounts: ``(sums + 2, nodes + 1, codes)``, what that adds: sums, peak, decisions.
    """

    columns: tuple[int, ...]
    widths: tuple[int, ...]
    following: Integers
    amounts: Integers

    @property
    def codes(self) -> int:
        """Number of codes."""
        return int(self.following.shape[1])

    def then(self, other: Layer) -> Layer:
        """This layer and the next one as one layer."""
        shape = (len(self.following), self.codes * other.codes)
        amounts = self.amounts[:, :, :, None] + other.amounts[:, self.following]
        amounts[PEAKS] = np.maximum(self.amounts[PEAKS][:, :, None], other.amounts[PEAKS][self.following])
        return Layer(
            self.columns + other.columns,
            self.widths + other.widths,
            other.following[self.following].reshape(shape),
            amounts.reshape(len(amounts), *shape),
        )


@dataclass(frozen=True)
class Steps:
    """The nodes of a diagram in layers.

    Attributes:
        columns: the decision of each layer; one comes again only where paths disagree about the order.
        open: for every layer the nodes at which rows may stand there; behind the last layer it is the end.
        position: the layer at which each node is left.
    """

    columns: tuple[int, ...]
    open: tuple[Integers, ...]
    position: Integers


@dataclass(frozen=True)
class _Edges:
    """The edges of a diagram as arrays."""

    parent: Integers
    option: Integers
    child: Integers
    sums: Integers
    peak: Integers


def _edges(diagram: Diagram) -> _Edges:
    rows = [
        (index, edge.option, edge.child, *edge.sums, edge.peak)
        for index, node in enumerate(diagram.nodes)
        for edge in node.edges
    ]
    table = np.array(rows, dtype=np.int64).T
    return _Edges(table[0], table[1], table[2], table[3:-1], table[-1])


def steps_of(diagram: Diagram) -> Steps:
    """Put the nodes of a diagram in layers."""
    edges = _edges(diagram)
    decisions = np.array([node.decision for node in diagram.nodes], dtype=np.int64)
    columns, position = _positions(decisions, edges)
    entry = np.full(len(decisions), len(columns), dtype=np.int64)
    np.minimum.at(entry, edges.child, position[edges.parent] + 1)
    entry[diagram.root] = 0
    open_ = [np.flatnonzero((entry <= layer) & (position >= layer)) for layer in range(len(columns) + 1)]
    return Steps(columns, tuple(open_), position)


def _positions(decisions: Integers, edges: _Edges) -> tuple[tuple[int, ...], Integers]:
    """The column of every layer, and the layer of every node; children are in later layers."""
    order = _common_order(decisions, edges)
    if order is None:
        return _by_distance(decisions, edges)
    position = np.full(int(decisions.max()) + 2, len(order), dtype=np.int64)  # the last one is for the end
    position[order] = np.arange(len(order))
    return tuple(order), position[decisions]


def _common_order(decisions: Integers, edges: _Edges) -> list[int] | None:
    """An order of the decisions that agrees with all paths, near that of the space; None if there is none."""
    before, after = decisions[edges.parent], decisions[edges.child]
    inner = after >= 0
    pairs = {(int(a), int(b)) for a, b in np.unique(np.stack([before, after])[:, inner], axis=1).T}
    following: dict[int, list[int]] = {int(d): [] for d in np.unique(decisions) if d >= 0}
    waiting = dict.fromkeys(following, 0)
    for first, second in pairs:
        following[first].append(second)
        waiting[second] += 1
    ready = [decision for decision, count in waiting.items() if not count]
    heapify(ready)
    order: list[int] = []
    while ready:
        decision = heappop(ready)
        order.append(decision)
        for later in following[decision]:
            waiting[later] -= 1
            if not waiting[later]:
                heappush(ready, later)
    return order if len(order) == len(following) else None


def _by_distance(decisions: Integers, edges: _Edges) -> tuple[tuple[int, ...], Integers]:
    """Layers by the longest way from the root, so that a decision may have several."""
    distance = np.zeros(len(decisions), dtype=np.int64)
    for parent, child in zip(edges.parent[::-1].tolist(), edges.child[::-1].tolist(), strict=True):
        distance[child] = max(distance[child], distance[parent] + 1)
    keys = sorted({(int(d), int(k)) for d, k in zip(distance, decisions, strict=True) if k >= 0})
    number = {key: index for index, key in enumerate(keys)}
    position = [
        number[int(d), int(k)] if k >= 0 else len(keys) for d, k in zip(distance, decisions, strict=True)
    ]
    return tuple(column for _, column in keys), np.array(position, dtype=np.int64)


def layers_of(diagram: Diagram, widths: list[int], most: int) -> tuple[Layer, ...]:
    """Tabulate a diagram layer by layer, and merge neighbouring layers while the tables stay small.

    Args:
        diagram: the diagram.
        widths: options + 1 of each decision.
        most: entries that a merged table has at most.
    """
    steps, edges = steps_of(diagram), _edges(diagram)
    place = steps.position[edges.parent]
    order = np.argsort(place, kind="stable")
    bounds = np.searchsorted(place[order], np.arange(len(steps.columns) + 1))
    local = np.zeros(len(diagram.nodes), dtype=np.int64)
    layers: list[Layer] = []
    for number, column in enumerate(steps.columns):
        here, there = steps.open[number], steps.open[number + 1]
        own = order[bounds[number] : bounds[number + 1]]
        local[here] = np.arange(len(here))
        rows = local[edges.parent[own]]
        local[there] = np.arange(len(there))
        following = np.full((len(here) + 1, widths[column]), len(there), dtype=np.int64)
        passing = steps.position[here] > number
        following[:-1][passing] = local[here[passing]][:, None]
        codes = edges.option[own] + 1
        following[rows, codes] = local[edges.child[own]]
        amounts = np.zeros((len(diagram.names) + 2, *following.shape), dtype=np.int64)
        amounts[:PEAKS, rows, codes] = edges.sums[:, own]
        amounts[PEAKS, rows, codes] = edges.peak[own]
        amounts[SETTLED, rows, codes] = 1
        layer = Layer((column,), (widths[column],), following, amounts)
        if layers and layers[-1].following.size * layer.codes <= most:
            layers[-1] = layers[-1].then(layer)
        else:
            layers.append(layer)
    return tuple(layers)
