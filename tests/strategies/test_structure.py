from __future__ import annotations

from collections import Counter
from itertools import pairwise, product

import pytest

from netwright import blocks as B
from netwright.ir.graph import Graph, GraphBuilder
from netwright.ir.ops import Activation, Add, BatchNorm, Concat, Conv, Identity, Multiply, Pool, Zero
from netwright.models import nasbench201
from netwright.models.nasbench201 import EDGES, format_architecture
from netwright.seeding import rng_for
from netwright.space import choice, compile_space, repeat, sample, sequential
from netwright.strategies.structure import WINDOW, live_nodes, structure_of

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
LABELS = {"nor_conv_1x1": "conv1x1", "nor_conv_3x3": "conv3x3", "avg_pool_3x3": "averagepool3x3"}


def live_edges(cell: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """Edges on a way from node 0 to node 3 without ``none``: by the definition, over all ways."""
    operations = dict(zip(EDGES, cell, strict=True))
    found = set()
    for way in ((0, 3), (0, 1, 3), (0, 2, 3), (0, 1, 2, 3)):
        steps = list(pairwise(way))
        if all(operations[step] != "none" for step in steps):
            found.update(steps)
    return [(*edge, operations[edge]) for edge in sorted(found)]


def cells(number: int) -> list[tuple[str, ...]]:
    rng = rng_for(0, "cells")
    return [tuple(OPERATIONS[int(k)] for k in rng.integers(5, size=6)) for _ in range(number)]


@pytest.mark.parametrize("cell", cells(40), ids=lambda cell: "-".join(one[-3:] for one in cell))
def test_live_operations_and_costs_of_a_cell(cell: tuple[str, ...]) -> None:
    """Against ways through the cell, and the closed formulas of the benchmark (5 cells at 16, 32, 64)."""
    structure = structure_of(nasbench201(format_architecture(cell)))
    live = live_edges(cell)
    counts = Counter(operation for _, _, operation in live)
    inside = Counter(label for place, label in structure.places.items() if ".edge" in place)
    expected = {LABELS.get(name, "identity"): number * 15 for name, number in counts.items()}
    if not live:
        # The first cell gives zero, and so does all behind it.
        assert structure.paths == {}
        assert (structure.macs, structure.params, structure.ops, structure.deepest) == (0, 0, 0, 0)
        return
    assert inside == expected
    convolutions = (counts["nor_conv_3x3"], counts["nor_conv_1x1"])
    assert structure.macs == 442_368 + 7_340_032 + 640 + sum(
        each * number for each, number in zip((35_389_440, 3_932_160), convolutions, strict=True)
    )
    drawn = (cell.count("nor_conv_3x3"), cell.count("nor_conv_1x1"))
    assert structure.drawn_macs - structure.macs == sum(
        each * (a - b) for each, a, b in zip((35_389_440, 3_932_160), drawn, convolutions, strict=True)
    )
    assert (structure.drawn_params == structure.params) == (drawn == convolutions)


@pytest.mark.parametrize("cell", [cell for cell in cells(200) if len(live_edges(cell)) >= 4][:30])
def test_depth_and_paths_of_a_cell(cell: tuple[str, ...]) -> None:
    """Against all ways through the cell; where every way passes a node inside, it is two segments."""
    structure = structure_of(nasbench201(format_architecture(cell), cells=1))
    operations = dict(zip(EDGES, cell, strict=True))
    ways = [
        way
        for way in ((0, 3), (0, 1, 3), (0, 2, 3), (0, 1, 2, 3))
        if all(operations[step] != "none" for step in pairwise(way))
    ]
    labels = [tuple(LABELS[operations[s]] for s in pairwise(way) if operations[s] in LABELS) for way in ways]
    # Outside the cells: stem 1; two reductions with 2 on the long way, pooling and convolution on the short
    # one; classifier 1.
    assert structure.deepest == 3 * max(map(len, labels)) + 1 + 2 * 2 + 1
    assert structure.shallowest == 3 * min(map(len, labels)) + 1 + 2 * 2 + 1
    if not any(all(node in way for way in ways) for node in (1, 2)):
        for path in set(labels):
            assert structure.paths[path] >= 3


def small(*branches: tuple[object, ...], join: object = None) -> Graph:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    ends = []
    for number, ops in enumerate(branches):
        y = x
        for step, op in enumerate(ops):
            y = build.apply(f"b{number}.{step}", op, y)  # type: ignore[arg-type]
        ends.append(y)
    return build.finish(build.apply("out", join or Add(), *ends))  # type: ignore[arg-type]


CONV, ZERO = Conv(4, (3, 3)), Zero()


def names(graph: Graph) -> set[str]:
    return {node.name for node in live_nodes(graph)}


def test_zero_goes_through_all_but_sums() -> None:
    dead = small((CONV,), (ZERO, CONV, BatchNorm(), Activation("relu")))
    assert names(dead) == {"input", "b0.0", "out"}
    assert names(small((ZERO,), (ZERO, CONV))) == set()
    assert names(small((CONV,), (ZERO,), join=Multiply())) == set()
    assert names(small((CONV,), (ZERO,), join=Concat())) == {"input", "b0.0", "out"}


def test_what_is_not_read_is_dead() -> None:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    y = build.apply("used", CONV, x)
    build.apply("unused", CONV, x)
    assert names(build.finish(y)) == {"input", "used"}


def test_a_skip_is_a_path_where_there_is_another() -> None:
    assert structure_of(small((CONV,), (Identity(),))).paths == {("conv3x3",): 1, (): 1}
    assert structure_of(small((CONV,), (ZERO,))).paths == {("conv3x3",): 1}


def test_long_ways_are_read_in_windows() -> None:
    pool = Pool("max", (2, 2))
    long = (CONV, CONV, pool, CONV, pool, CONV)
    paths = structure_of(small(long, (Identity(),))).paths
    labels = ("conv3x3", "conv3x3", "maxpool2x2", "conv3x3", "maxpool2x2", "conv3x3")
    windows = {labels[k : k + WINDOW]: 1 for k in range(3)}
    assert paths == {**windows, (): 1}


def test_places_of_a_chain_have_widths() -> None:
    body = repeat("s", B.conv_bn_act(out=choice(8, 16), kernel=choice(1, 3)), depth=choice(1, 2))
    space = compile_space(sequential(body, input=(4, 8, 8)), "widths")
    for number in range(10):
        architecture = sample(space, rng_for(number))
        structure = structure_of(space.to_graph(architecture))
        chosen = dict(architecture.choices)
        for layer, what in product(range(int(chosen["s.depth"])), ("out", "kernel")):
            value, place = chosen[f"s.{layer}.{what}"], f"s.{layer}.conv"
            if what == "out":
                assert 2 ** structure.widths[place] == value
            else:
                assert structure.places[place] == f"conv{value}x{value}"
