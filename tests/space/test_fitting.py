"""Counting and indexing within limits against a list of all paths, exact and rounded."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.space.diagram import PEAK, SUMS, Diagram, DiagramNode, Edge
from netwright.space.fitting import Fitting, binding_limits, fit, within_peak
from tests.space.coarse import coarse_tables
from tests.space.diagrams import Path, diagrams, limits, paths


def drawn(table: Fitting) -> set[tuple[tuple[int, int], ...]]:
    """All paths that can be drawn decision by decision, whatever is chosen."""
    found: set[tuple[tuple[int, int], ...]] = set()
    pending: list[list[int]] = [[]]
    while pending:
        path, others = drawn_after(table, pending.pop())
        assert path not in found
        found.add(path)
        pending += others
    return found


def drawn_after(table: Fitting, settled: list[int]) -> tuple[tuple[tuple[int, int], ...], list[list[int]]]:
    """The path that begins with these options and goes on with the first ones, and what else it could do."""
    taken: list[int] = []
    others: list[list[int]] = []

    def choose(decision: int, options: Sequence[int]) -> int:
        assert list(options) == sorted(set(options))
        if len(taken) < len(settled):
            taken.append(settled[len(taken)])
        else:
            others.extend([*taken, option] for option in options[1:])
            taken.append(options[0])
        return taken[-1]

    return tuple(table.draw(choose)), others


def check_exact(diagram: Diagram, found: list[Path], bounds: dict[str, int]) -> None:
    expected = {path.steps for path in found if path.within(bounds)}
    for keep in (False, True):
        table = fit(diagram, bounds, keep=keep)
        assert (table.total if table else 0) == len(expected)
        assert table is None or table.exact
    if table is not None:
        assert {tuple(table.path(index)) for index in range(table.total)} == expected
        assert drawn(table) == expected
        with pytest.raises(IndexError):
            table.path(table.total)


def check_rounded(diagram: Diagram, found: list[Path], bounds: dict[str, int]) -> None:
    expected = {path.steps for path in found if path.within(bounds)}
    above, below = fit(diagram, bounds), fit(diagram, bounds, round_up=True)
    upper = {tuple(above.path(index)) for index in range(above.total)} if above else set()
    lower = {tuple(below.path(index)) for index in range(below.total)} if below else set()
    assert lower <= expected <= upper
    assert len(upper) == (above.total if above else 0)
    assert len(lower) == (below.total if below else 0)
    assert (drawn(above) if above else set()) == upper
    if above is None or above.exact:
        assert upper == expected


@given(diagrams(), st.data())
def test_exact(diagram: Diagram, data: st.DataObject) -> None:
    found = paths(diagram)
    check_exact(diagram, found, data.draw(limits(found)))


@given(diagrams(), st.data(), st.sampled_from([1, 20, 200, 2000]), st.sampled_from([10**9, 100]))
def test_rounded(diagram: Diagram, data: st.DataObject, work: int, memory: int) -> None:
    found = paths(diagram)
    bounds = data.draw(limits(found))
    with coarse_tables(work, memory):
        check_rounded(diagram, found, bounds)


@pytest.mark.slow
@settings(max_examples=1000)
@given(diagrams(depth=7), st.data())
def test_on_many(diagram: Diagram, data: st.DataObject) -> None:
    found = paths(diagram)
    bounds = data.draw(limits(found))
    check_exact(diagram, found, bounds)
    with coarse_tables(200):
        check_rounded(diagram, found, bounds)


@given(diagrams(), st.data())
def test_what_the_limits_leave(diagram: Diagram, data: st.DataObject) -> None:
    """No path that fits is lost, and what is left is within the limits that need not be watched."""
    found = paths(diagram)
    bounds = data.draw(limits(found))
    reduced, binding = binding_limits(diagram, bounds)
    expected = [path for path in found if path.within(bounds)]
    if reduced is None:
        assert not expected
        return
    left = paths(reduced)
    assert [path for path in left if path.within(bounds)] == expected
    for name, bound in bounds.items():
        if name == PEAK:
            assert all(path.costs[PEAK] <= bound for path in left)
        elif (SUMS.index(name), bound) not in binding:
            assert all(path.costs[name] <= bound for path in left)
    assert {SUMS[index] for index, _ in binding} <= set(bounds)


@given(diagrams(), st.integers(0, 10))
def test_within_peak(diagram: Diagram, bound: int) -> None:
    expected = [path for path in paths(diagram) if path.costs[PEAK] <= bound]
    left = within_peak(diagram, {PEAK: bound})
    assert (paths(left) if left else []) == expected


def test_no_limit_leaves_everything() -> None:
    diagram = Diagram((DiagramNode(-1, ()), DiagramNode(0, (Edge(0, 0, (1, 1, 1), 1),))), (0, 0, 0), 0)
    assert within_peak(diagram, {}) is diagram
    assert binding_limits(diagram, {}) == (diagram, [])


def test_counts_beyond_64_bits() -> None:
    """Forty decisions of ten options with costs 0 to 9: digits of a number, and the sum of its digits."""
    nodes = [DiagramNode(-1, ())]
    for level in range(39, -1, -1):
        nodes.append(DiagramNode(level, tuple(Edge(o, len(nodes) - 1, (o, 0, 0), 1) for o in range(10))))
    diagram = Diagram(tuple(nodes), (0, 0, 0), 0)
    ways = [1]
    for _ in range(40):
        ways = [sum(ways[max(0, n - 9) : n + 1]) for n in range(len(ways) + 9)]
    for bound in (0, 5, 180, 359, 360):
        table = fit(diagram, {"macs": bound})
        assert table is not None
        assert table.exact
        assert table.total == sum(ways[: bound + 1])
        for index in {0, table.total // 3, table.total - 1}:
            assert sum(option for _, option in table.path(index)) <= bound
    assert sum(ways) == 10**40
