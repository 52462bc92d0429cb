"""A small space with a table of latency, and the time of every network by adding up its nodes.

The table is made from what the nodes of all networks do; the time of a node is drawn from its kind and shapes
alone, so that adding up needs none of the descriptions by which the table is looked up.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import replace

from netwright.ir.graph import Graph
from netwright.ir.latency import LATENCY, LatencyTable, operations
from tests.space.test_brute_force import Truth

UNTIMED = {"input", "batch_norm", "activation", "flatten", "identity", "zero"}


def node_times(graph: Graph) -> list[int]:
    """Nanoseconds of every node that takes time."""
    return [
        zlib.crc32(repr((node.op.kind, graph.input_shapes(node), node.shape)).encode()) % 1000
        for node in graph.nodes
        if node.op.kind not in UNTIMED
    ]


def table_of(graphs: Iterable[Graph]) -> LatencyTable:
    """A table that has every op of some graphs."""
    entries: dict[tuple[str, ...], int] = {}
    for graph in graphs:
        for part, time in zip(operations(graph), node_times(graph), strict=True):
            # The same op with another activation has an entry of its own, of the same time.
            assert entries.setdefault((part,), time) == time
            entries[(part.rpartition(", ")[0] or part,)] = time
    return LatencyTable("drawn", entries)


def timed(truth: Truth) -> Truth:
    """The same networks with their latency."""
    graphs = {one: truth.space.to_graph(one) for one in truth.costs}
    table = table_of(graphs.values())
    # What no network does is asked for as well: operations at levels of a trellis that no path reaches.
    further: dict[tuple[str, ...], int] = {
        (part,): 0 for part in truth.space.operations if (part,) not in table.entries
    }
    space = replace(truth.space, latency=replace(table, entries={**table.entries, **further}))
    costs = {one: {**truth.costs[one], LATENCY: sum(node_times(graph))} for one, graph in graphs.items()}
    return Truth(space, costs)
