"""Random decision diagrams, and a list of all their paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from netwright.space.diagram import PEAK, SUMS, Diagram, DiagramNode, Edge

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Path:
    """One path from the root to the end."""

    steps: tuple[tuple[int, int], ...]
    costs: Mapping[str, int]

    def within(self, limits: Mapping[str, int]) -> bool:
        return all(self.costs[name] <= limit for name, limit in limits.items())


def paths(diagram: Diagram) -> list[Path]:
    """All paths, in the order of a depth-first walk."""

    def walk(index: int) -> Iterator[tuple[tuple[tuple[int, int], ...], tuple[int, ...], int]]:
        node = diagram.nodes[index]
        if node.decision < 0:
            yield (), diagram.base_sums, diagram.base_peak
        for edge in node.edges:
            for steps, sums, peak in walk(edge.child):
                added = tuple(a + b for a, b in zip(sums, edge.sums, strict=True))
                yield ((node.decision, edge.option), *steps), added, max(peak, edge.peak)

    return [
        Path(steps, {**dict(zip(SUMS, sums, strict=True)), PEAK: peak})
        for steps, sums, peak in walk(diagram.root)
    ]


@st.composite
def diagrams(draw: Draw, depth: int = 5, largest: int = 40) -> Diagram:
    """A diagram of a few levels; an edge may skip levels, as inactive decisions do.

    Costs have a common divisor now and then, and sometimes a sum is the same on all edges.
    """
    levels = draw(st.integers(1, depth))
    units = [draw(st.sampled_from([1, 1, 3, 8])) for _ in SUMS]
    flat = [draw(st.booleans()) and draw(st.booleans()) for _ in SUMS]
    nodes = [DiagramNode(-1, ())]
    for level in range(levels - 1, -1, -1):
        below = len(nodes)
        for _ in range(1 if level == 0 else draw(st.integers(1, 3))):
            edges = []
            for option in range(draw(st.integers(1, 3))):
                sums = tuple(
                    7 * unit if same else unit * draw(st.integers(0, largest))
                    for unit, same in zip(units, flat, strict=True)
                )
                child = draw(st.integers(max(0, below - 5), below - 1))
                edges.append(Edge(option, child, sums, draw(st.integers(1, 9))))
            nodes.append(DiagramNode(level, tuple(edges)))
    base = tuple(draw(st.integers(0, 10)) for _ in SUMS)
    whole = Diagram(tuple(nodes), base, draw(st.integers(1, 5)))
    # A node that no path reaches has no place in a diagram.
    reachable = whole.restricted(lambda index, edge: True)
    assert reachable is not None
    return reachable


@st.composite
def limits(draw: Draw, found: list[Path]) -> dict[str, int]:
    """Limits at or beside what some path costs."""
    names = draw(st.lists(st.sampled_from([*SUMS, PEAK]), min_size=1, unique=True))
    return {
        name: draw(st.sampled_from(found)).costs[name] + draw(st.sampled_from([-1, 0, 0, 1]))
        for name in names
    }
