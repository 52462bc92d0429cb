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
def diagrams(draw: Draw, depth: int = 6, largest: int = 40) -> Diagram:
    """A diagram of a few levels and up to some hundred paths.

    An edge may skip levels, as inactive decisions do. Costs have a common divisor now and then, and sometimes
    a sum is the same on all edges.
    """
    random = draw(st.randoms(use_true_random=True))
    levels = random.randint(1, depth)
    units = [random.choice([1, 1, 3, 8]) for _ in SUMS]
    flat = [random.random() < 0.2 for _ in SUMS]
    nodes = [DiagramNode(-1, ())]
    level_of = [levels]
    for level in range(levels - 1, -1, -1):
        near = [index for index, other in enumerate(level_of) if level < other <= level + 1]
        further = [index for index, other in enumerate(level_of) if level + 1 < other]
        for _ in range(1 if level == 0 else random.randint(1, 3)):
            edges = []
            for option in range(random.choice([1, 2, 2, 3, 3])):
                sums = tuple(
                    7 * unit if same else unit * random.randint(0, largest)
                    for unit, same in zip(units, flat, strict=True)
                )
                child = random.choice(further if further and random.random() < 0.15 else near)
                edges.append(Edge(option, child, sums, random.randint(1, 9)))
            nodes.append(DiagramNode(level, tuple(edges)))
            level_of.append(level)
    base = tuple(random.randint(0, 10) for _ in SUMS)
    whole = Diagram(tuple(nodes), base, random.randint(1, 5))
    # A node that no path reaches has no place in a diagram.
    reachable = whole.restricted(lambda index, edge: True)
    assert reachable is not None
    return reachable


@st.composite
def limits(draw: Draw, found: list[Path]) -> dict[str, int]:
    """Limits on one cost or several, each at or beside what some path costs; rather high ones if several."""
    random = draw(st.randoms(use_true_random=True))
    names = random.sample([*SUMS, PEAK], k=random.choice([1, 1, 2, 3, 4]))
    chosen = {}
    for name in names:
        values = sorted(path.costs[name] for path in found)
        lowest = 0 if len(names) == 1 else len(values) // 3
        chosen[name] = random.choice(values[lowest:]) + random.choice([-1, 0, 0, 1])
    return chosen
