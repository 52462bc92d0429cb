"""A space as a decision diagram: the one structure behind every exact answer about it.

A diagram is a directed acyclic graph. A node is a decision together with all that later costs depend on
(the shape so far, the values of shared decisions that are used again); an edge is one option, with what it
adds to the costs. Every path from the root to the end is one architecture, its decisions the active ones,
and no two paths are the same architecture. So counting, extremes and sampling are one pass over the nodes,
however many paths there are: elimination of the decisions one by one, in the order of the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from netwright.ir.cost import COSTS

PEAK = "peak_activation_bytes"
"""The cost of which a path has the maximum."""

SUMS = tuple(name for name in COSTS if name != PEAK)
"""Costs that add up along a path in every space: macs, params, weight bytes."""


class Edge(NamedTuple):
    """One option of a node.

    Attributes:
        option: index among the decision's options.
        child: index of the node that follows.
        sums: what it adds to each of the diagram's ``names``.
        peak: peak memory of what it settles, in bytes.
    """

    option: int
    child: int
    sums: tuple[int, ...]
    peak: int


@dataclass(frozen=True, slots=True)
class DiagramNode:
    """A decision in one state of the network before it; ``decision`` is -1 for the end."""

    decision: int
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class Diagram:
    """Nodes with children before parents: the first is the end, the last the root.

    Attributes:
        nodes: see above.
        base_sums: costs of what is settled before the first decision.
        base_peak: its peak memory in bytes.
        names: the costs that add up: ``SUMS``, and latency where the space has a table of it.
    """

    nodes: tuple[DiagramNode, ...]
    base_sums: tuple[int, ...]
    base_peak: int
    names: tuple[str, ...] = SUMS

    def term(self, metric: str) -> int:
        """Index of a cost among the sums."""
        return self.names.index(metric)

    @property
    def root(self) -> int:
        """Index of the root."""
        return len(self.nodes) - 1

    def edges_of(self, index: int) -> dict[int, Edge]:
        """The edges of a node by their options."""
        known = self._edges.get(index)
        if known is None:
            known = self._edges[index] = {edge.option: edge for edge in self.nodes[index].edges}
        return known

    @cached_property
    def _edges(self) -> dict[int, dict[int, Edge]]:
        return {}

    def restricted(self, keep: Callable[[int, Edge], bool]) -> Diagram | None:
        """The diagram without some edges, and without what then leads nowhere or is not reached.

        Args:
            keep: called with the index of a node and one of its edges.

        Returns:
            The smaller diagram, or None if no path is left.
        """
        alive: list[tuple[Edge, ...] | None] = []
        for index, node in enumerate(self.nodes):
            edges = tuple(edge for edge in node.edges if alive[edge.child] is not None and keep(index, edge))
            alive.append(edges if edges or node.decision < 0 else None)
        if alive[self.root] is None:
            return None
        reached = {self.root}
        for index in range(self.root, -1, -1):
            if index in reached:
                reached.update(edge.child for edge in alive[index] or ())
        renumbered = {old: new for new, old in enumerate(sorted(reached))}
        nodes = tuple(
            DiagramNode(
                self.nodes[old].decision,
                tuple(edge._replace(child=renumbered[edge.child]) for edge in alive[old] or ()),
            )
            for old in sorted(reached)
        )
        return replace(self, nodes=nodes)

    def conditioned(self, option: int) -> Diagram | None:
        """The diagram with only one option of its first decision."""
        root = self.root
        return self.restricted(lambda index, edge: index != root or edge.option == option)

    def path(self, rank: int) -> list[tuple[int, int]]:
        """The path with a rank in ``[0, number of paths)`` as ``(decision, option)`` pairs."""
        found: list[tuple[int, int]] = []
        index = self.root
        while (node := self.nodes[index]).decision >= 0:
            for edge in node.edges:
                if rank < self.counts[edge.child]:
                    found.append((node.decision, edge.option))
                    index = edge.child
                    break
                rank -= self.counts[edge.child]
        return found

    def least_total(self, term: int) -> int:
        """The smallest sum of a cost over all paths."""
        return self.base_sums[term] + self.best(self.names[term], min)[self.root]

    @cached_property
    def counts(self) -> list[int]:
        """Number of paths from each node to the end, exact."""
        counts: list[int] = []
        for node in self.nodes:
            counts.append(sum(counts[edge.child] for edge in node.edges) if node.decision >= 0 else 1)
        return counts

    def best(self, metric: str, pick: Callable[[Iterator[int]], int]) -> list[int]:
        """Smallest or largest cost from each node to the end, without ``base``; ``pick`` is min or max."""
        values: list[int] = []
        for node in self.nodes:
            if node.decision < 0:
                values.append(0)
            elif metric == PEAK:
                values.append(pick(max(edge.peak, values[edge.child]) for edge in node.edges))
            else:
                term = self.term(metric)
                values.append(pick(edge.sums[term] + values[edge.child] for edge in node.edges))
        return values

    def cheapest_arrivals(self, term: int) -> list[int]:
        """Smallest sum of a cost from the root to each node, ``base`` included; all nodes are reached."""
        arrivals: list[int | None] = [None] * len(self.nodes)
        arrivals[self.root] = self.base_sums[term]
        for index in range(self.root, -1, -1):
            here = arrivals[index]
            assert here is not None
            for edge in self.nodes[index].edges:
                there = arrivals[edge.child]
                value = here + edge.sums[term]
                arrivals[edge.child] = value if there is None else min(there, value)
        return [value for value in arrivals if value is not None]

    def classes(self, terms: Sequence[int]) -> list[int]:
        """Group the nodes below which the chosen sums are distributed alike.

        Args:
            terms: indices into ``names``.

        Returns:
            For every node the index of its class; classes are numbered children first. For example the
            parameters do not depend on the resolution, so nodes that differ in it fall together.
        """
        known: dict[tuple[tuple[int, ...], ...], int] = {}
        classes: list[int] = []
        for node in self.nodes:
            signature = tuple(
                sorted((classes[edge.child], *(edge.sums[term] for term in terms)) for edge in node.edges)
            )
            classes.append(known.setdefault(signature, len(known)))
        return classes
