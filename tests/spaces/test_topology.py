"""Spaces over topology: published sizes, and networks that are members."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from netwright.errors import SpaceError
from netwright.ir.cost import cost
from netwright.ir.memory import fuse
from netwright.ir.ops import Resize
from netwright.space import ExpressionSpace, rank, sample, size, unrank
from netwright.space.members import path_costs
from netwright.spaces.topology import LEVELS, PATHS, auto_deeplab, auto_deeplab_tiny, published_path
from netwright.testing.verdict import ask_torch

CELLS = 556_627_761_561_600
"""FACTS 2: 8 operations, 5 blocks, ordered inputs."""


def walks(levels: int, steps: int) -> int:
    """Paths counted by powers of the matrix of neighbours, an oracle apart from the diagram."""
    near = np.array([[int(abs(a - b) <= 1) for b in range(levels)] for a in range(levels)], dtype=object)
    start = np.array([1] + [0] * (levels - 1), dtype=object)
    for _ in range(steps):
        start = start @ near
    return int(start.sum())


@pytest.mark.parametrize(("layers", "expected"), [(12, 28_657), (13, 75_025)])
def test_paths_are_counted_as_published(layers: int, expected: int) -> None:
    space = auto_deeplab((3, 64, 64), 19, part="network", layers=layers)
    assert size(space) == expected == walks(LEVELS, layers - 1)


def test_cells_and_pairs_are_counted_as_published() -> None:
    assert size(auto_deeplab((3, 64, 64), 19, part="cell")) == CELLS
    assert size(auto_deeplab((3, 64, 64), 19)) == CELLS * 28_657


@pytest.fixture(scope="module")
def paths() -> ExpressionSpace:
    return auto_deeplab((3, 64, 64), 19, part="network")


@pytest.mark.parametrize("name", PATHS)
def test_published_topologies_are_members(paths: ExpressionSpace, name: str) -> None:
    """Found by its levels; its maps have the sizes that the levels say, and it is where its rank says."""
    architecture = published_path(paths, name, {})
    assert unrank(paths, rank(paths, architecture)) == architecture
    graph = paths.to_graph(architecture)
    shapes = {node.name: node.shape for node in graph.nodes}
    for layer, level in enumerate(PATHS[name]):
        own = [shape for place, shape in shapes.items() if place.startswith(f"trellis.{layer}.level{level}.")]
        assert own[-1] == (40 << level, 16 >> level, 16 >> level)
    verdict, found = ask_torch(graph), cost(graph)
    assert (found.params, found.macs) == (verdict.params, verdict.macs)
    assert graph[graph.outputs[0]].shape == (19, 64, 64)


def test_the_published_topologies_are_what_their_names_say() -> None:
    deeplab, conv_deconv, hourglass = (PATHS[n] for n in ("deeplab-v3", "conv-deconv", "stacked-hourglass"))
    assert max(deeplab) == deeplab[-1] == 2
    assert list(deeplab) == sorted(deeplab)
    deepest = conv_deconv.index(max(conv_deconv))
    assert list(conv_deconv[: deepest + 1]) == sorted(conv_deconv[: deepest + 1])
    assert list(conv_deconv[deepest:]) == sorted(conv_deconv[deepest:], reverse=True)
    turns = [b - a for a, b in pairwise(hourglass)]
    assert sum(a != b for a, b in pairwise(turns)) == 3
    for path in PATHS.values():
        assert path[0] == 0
        assert all(abs(a - b) <= 1 for a, b in pairwise(path))


def test_the_diagram_and_the_graphs_agree_on_the_tiny_space() -> None:
    space = auto_deeplab_tiny((1, 16, 16), 11, layers=4)
    assert size(space) == walks(3, 3) * 3 * (2 * 3) ** 2 * 5**4
    rng = np.random.default_rng(0)
    for _ in range(20):
        architecture = sample(space, rng)
        graph = space.to_graph(architecture)
        assert path_costs(space, architecture, space.diagram) == cost(graph).totals()
        assert graph[graph.outputs[0]].shape == (11, 16, 16)
        assert any(isinstance(step.node.op, Resize) for step in fuse(graph)[0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: auto_deeplab((3, 16, 16), 2), "at least 32 pixels"),
        (lambda: auto_deeplab((3, 64, 64), 2, part="all"), "expected both, network or cell, got 'all'"),
        (lambda: auto_deeplab_tiny((3, 256, 256), 2), "8 to 128 pixels"),
        (lambda: auto_deeplab_tiny((3, 28, 28), 2, stride=4), "expected 1 or 2, got 4"),
    ],
)
def test_what_does_not_fit_is_refused(make: object, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        make()  # type: ignore[operator]
