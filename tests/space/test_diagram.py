"""Decision diagrams against a list of all their paths."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from netwright.space.diagram import PEAK, SUMS, Diagram, DiagramNode, Edge
from tests.space.diagrams import diagrams, paths


@given(diagrams())
def test_counts_and_ranks(diagram: Diagram) -> None:
    found = paths(diagram)
    assert diagram.counts[diagram.root] == len(found)
    assert [tuple(diagram.path(rank)) for rank in range(len(found))] == [path.steps for path in found]


@given(diagrams())
def test_smallest_and_largest(diagram: Diagram) -> None:
    found = paths(diagram)
    for term, name in enumerate(SUMS):
        values = [path.costs[name] for path in found]
        base = diagram.base_sums[term]
        assert base + diagram.best(name, min)[diagram.root] == min(values) == diagram.least_total(term)
        assert base + diagram.best(name, max)[diagram.root] == max(values)
    peaks = [path.costs[PEAK] for path in found]
    assert max(diagram.base_peak, diagram.best(PEAK, min)[diagram.root]) == min(peaks)
    assert max(diagram.base_peak, diagram.best(PEAK, max)[diagram.root]) == max(peaks)


@given(diagrams(), st.sampled_from(range(len(SUMS))))
def test_cheapest_way_to_a_node(diagram: Diagram, term: int) -> None:
    """Arrival plus cheapest completion is the cheapest path through a node."""
    arrivals, least = diagram.cheapest_arrivals(term), diagram.best(SUMS[term], min)
    assert len(arrivals) == len(diagram.nodes)
    assert arrivals[diagram.root] == diagram.base_sums[term]
    through: dict[int, int] = {}
    for path in paths(diagram):
        index = diagram.root
        visited = [index]
        for _, option in path.steps:
            index = next(edge.child for edge in diagram.nodes[index].edges if edge.option == option)
            visited.append(index)
        for index in visited:
            through[index] = min(through.get(index, path.costs[SUMS[term]]), path.costs[SUMS[term]])
    assert {index: arrivals[index] + least[index] for index in through} == through
    assert set(through) == set(range(len(diagram.nodes)))


@given(diagrams(), st.data())
def test_restricted(diagram: Diagram, data: st.DataObject) -> None:
    edges = [(index, edge.option) for index, node in enumerate(diagram.nodes) for edge in node.edges]
    dropped = data.draw(st.sets(st.sampled_from(edges), max_size=len(edges) // 2))

    def survives(steps: tuple[tuple[int, int], ...]) -> bool:
        index = diagram.root
        for _, option in steps:
            if (index, option) in dropped:
                return False
            index = next(edge.child for edge in diagram.nodes[index].edges if edge.option == option)
        return True

    expected = [path for path in paths(diagram) if survives(path.steps)]
    smaller = diagram.restricted(lambda index, edge: (index, edge.option) not in dropped)
    if smaller is None:
        assert not expected
        return
    assert paths(smaller) == expected
    for index, node in enumerate(smaller.nodes):
        assert (node.decision < 0) == (index == 0) == (not node.edges)
        assert all(edge.child < index for edge in node.edges)


@given(diagrams())
def test_conditioned(diagram: Diagram) -> None:
    found = []
    for edge in diagram.nodes[diagram.root].edges:
        part = diagram.conditioned(edge.option)
        assert part is not None
        found += paths(part)
    assert found == paths(diagram)


@given(diagrams(), st.sets(st.sampled_from(range(len(SUMS))), min_size=1))
def test_nodes_of_a_class_have_equal_costs_below(diagram: Diagram, terms: set[int]) -> None:
    chosen = sorted(terms)
    classes = diagram.classes(chosen)
    below: list[Counter[tuple[int, ...]]] = []
    for node in diagram.nodes:
        mine: Counter[tuple[int, ...]] = Counter()
        for edge in node.edges:
            for sums, times in below[edge.child].items():
                mine[tuple(a + edge.sums[term] for a, term in zip(sums, chosen, strict=True))] += times
        below.append(mine if node.edges else Counter([(0,) * len(chosen)]))
    first = {group: below[index] for index, group in reversed(list(enumerate(classes)))}
    assert all(below[index] == first[group] for index, group in enumerate(classes))
    for index, node in enumerate(diagram.nodes):
        assert all(classes[edge.child] < classes[index] for edge in node.edges)
    assert sorted(set(classes)) == list(range(len(set(classes))))


def test_nodes_that_differ_in_other_costs_alone_fall_together() -> None:
    end = DiagramNode(-1, ())
    left = DiagramNode(1, (Edge(0, 0, (5, 1, 1), 3), Edge(1, 0, (7, 2, 2), 3)))
    right = DiagramNode(1, (Edge(0, 0, (50, 1, 1), 3), Edge(1, 0, (70, 2, 2), 3)))
    root = DiagramNode(0, (Edge(0, 1, (0, 0, 0), 1), Edge(1, 2, (0, 0, 0), 1)))
    diagram = Diagram((end, left, right, root), (0, 0, 0), 1)
    assert diagram.classes([1, 2]) == [0, 1, 1, 2]
    assert diagram.classes([0, 1]) == diagram.classes([1, 0]) == [0, 1, 2, 3]
