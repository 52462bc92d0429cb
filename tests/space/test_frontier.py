"""Extremes within limits against a list of all paths."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import SpaceError
from netwright.space import frontier
from netwright.space.diagram import PEAK, SUMS, Diagram, DiagramNode, Edge
from netwright.space.frontier import extreme_path
from tests.space.diagrams import Path, diagrams, limits, paths


def check(diagram: Diagram, found: list[Path], bounds: dict[str, int]) -> None:
    costs = {path.steps: path.costs for path in found if path.within(bounds)}
    for metric in (*SUMS, PEAK):
        values = [one[metric] for one in costs.values()]
        for largest in (False, True):
            extreme = extreme_path(diagram, metric, bounds, largest=largest)
            if extreme is None:
                assert not costs
            else:
                assert extreme.value == (max if largest else min)(values)
                assert costs[extreme.path][metric] == extreme.value


@given(diagrams(), st.data())
def test_extremes(diagram: Diagram, data: st.DataObject) -> None:
    found = paths(diagram)
    check(diagram, found, {})
    check(diagram, found, data.draw(limits(found)))


@pytest.mark.slow
@settings(max_examples=1000)
@given(diagrams(depth=7), st.data())
def test_extremes_on_many(diagram: Diagram, data: st.DataObject) -> None:
    found = paths(diagram)
    check(diagram, found, data.draw(limits(found)))


def test_too_many_trade_offs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Powers of two: every subset of the decisions is a trade-off of its own."""
    nodes = [DiagramNode(-1, ())]
    for level in range(11, -1, -1):
        gain = 2**level
        edges = (Edge(0, len(nodes) - 1, (gain, 0, 0), 1), Edge(1, len(nodes) - 1, (0, gain, 0), 1))
        nodes.append(DiagramNode(level, edges))
    diagram = Diagram(tuple(nodes), (0, 0, 0), 0)
    extreme = extreme_path(diagram, "macs", {"params": 2**11}, largest=False)
    assert extreme is not None
    assert extreme.value == 2**12 - 1 - 2**11
    monkeypatch.setattr(frontier, "LABEL_LIMIT", 50)
    with pytest.raises(SpaceError, match=r"extremes: .*more trade-offs"):
        extreme_path(diagram, "macs", {"params": 2**11}, largest=False)
