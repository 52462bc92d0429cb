from __future__ import annotations

import pytest

from netwright.errors import SpaceError
from netwright.ir.cost import cost
from netwright.space import ExpressionSpace, size
from netwright.spaces import accel_nasbench, accel_nasbench_architecture
from netwright.testing.verdict import ask_torch

FIRST = ((6, 3, 1, 0), (4, 5, 2, 0), (6, 3, 3, 0), (6, 5, 3, 0), (6, 5, 2, 0), (1, 3, 2, 0), (1, 3, 2, 0))
"""The first network of the benchmark's list: 2,501,160 parameters."""


@pytest.fixture(scope="module")
def space() -> ExpressionSpace:
    return accel_nasbench((3, 224, 224), 1000)


def test_size_and_order(space: ExpressionSpace) -> None:
    assert size(space) == 36**6 * 48
    assert len(space.decisions) == 28


def test_the_first_of_the_list(space: ExpressionSpace) -> None:
    graph = space.to_graph(accel_nasbench_architecture(space, FIRST))
    assert cost(graph).params == 2_501_160
    assert ask_torch(graph).params == 2_501_160
    assert graph.nodes[-1].shape == (1000,)


def test_squeeze_and_excite_takes_a_quarter_of_the_input(space: ExpressionSpace) -> None:
    with_se = tuple((*one[:3], 1) for one in FIRST)
    graph = space.to_graph(accel_nasbench_architecture(space, with_se))
    squeezed = [node.shape[0] for node in graph.nodes if node.name.endswith("se.reduce")]
    assert squeezed == [8, 4, 6, 6, 10, 10, 10, 20, 20, 20, 28, 28, 48, 48, 80]
    assert ask_torch(graph).params == cost(graph).params


def test_wrong_rows(space: ExpressionSpace) -> None:
    with pytest.raises(SpaceError, match="expected 7 blocks of expand, kernel, depth, se, got"):
        accel_nasbench_architecture(space, FIRST[:6])
    with pytest.raises(SpaceError, match=r"block0.expand: expected one of \(1, 4, 6\), got 5"):
        accel_nasbench_architecture(space, ((5, 3, 1, 0), *FIRST[1:]))
    with pytest.raises(SpaceError, match="accel-nasbench: expected square images of at least 8 pixels"):
        accel_nasbench((3, 32, 28), 10)
