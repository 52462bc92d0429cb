"""Orders of execution against all orders of small graphs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings

from netwright import blocks as B
from netwright.errors import GraphError
from netwright.ir.graph import Graph, GraphBuilder
from netwright.ir.ops import Add, Concat, Conv
from netwright.ir.tflm.cost import tflm_cost
from netwright.ir.tflm.order import best_order, reordered
from netwright.models import build_model
from tests.ir.tflm.networks import networks


def wide_and_narrow() -> Graph:
    """Two ways: one that leaves little, defined last."""
    build = GraphBuilder()
    x = build.input((8, 8, 8))
    large = build.apply("large", Conv(64, (3, 3)), x)
    wide = build.apply("wide", Conv(96), x)
    small = build.apply("small", Conv(2), wide)
    a = build.apply("a", Conv(8), large)
    b = build.apply("b", Conv(8), small)
    return build.finish(build.apply("join", Add(), a, b))


def all_orders(graph: Graph) -> Iterator[list[str]]:
    def extend(before: list[str]) -> Iterator[list[str]]:
        if len(before) == len(graph.nodes):
            yield before
        for node in graph.nodes:
            if node.name not in before and set(node.inputs) <= set(before):
                yield from extend([*before, node.name])

    return extend([])


def head(graph: Graph, order: list[str] | tuple[str, ...]) -> int:
    return tflm_cost(graph, order).head_bytes


def test_the_order_with_the_smallest_head_is_found() -> None:
    graph = wide_and_narrow()
    best = min(head(graph, order) for order in all_orders(graph))
    assert head(graph, best_order(graph)) == best < tflm_cost(graph).head_bytes


@settings(max_examples=40)
@given(networks(most_ops=6))
def test_no_order_of_a_small_graph_is_better(graph: Graph) -> None:
    found = head(graph, best_order(graph))
    assert found <= tflm_cost(graph).head_bytes
    for number, order in enumerate(all_orders(graph)):
        if number == 300:
            break
        assert found <= head(graph, order)


@settings(max_examples=40)
@given(networks(most_ops=14))
def test_the_found_order_is_never_worse_and_always_the_same(graph: Graph) -> None:
    order = best_order(graph, limit=50)
    assert order == best_order(graph, limit=50)
    assert sorted(order) == sorted(node.name for node in graph.nodes)
    assert head(graph, order) <= tflm_cost(graph).head_bytes


@given(networks())
def test_order_changes_neither_weights_nor_the_number_of_operators(graph: Graph) -> None:
    before, after = tflm_cost(graph), tflm_cost(graph, best_order(graph))
    assert sorted(before.program.kinds) == sorted(after.program.kinds)
    assert before.tail_bytes_host64 == after.tail_bytes_host64


def test_a_chain_keeps_its_own_order() -> None:
    graph = build_model("mobilenet-v2")
    assert best_order(graph) == tuple(node.name for node in graph.nodes)


def test_a_long_network_with_many_branches_ends_at_the_limit() -> None:
    """Twelve stretches of two ways each: 2^12 orders and more."""
    build = GraphBuilder()
    x = build.input((4, 16, 16))
    for number in range(12):
        with build.scope(f"stage{number}"):
            layer = partial(B.conv_bn_act, kernel=1)
            with build.scope("first"):
                a = layer(out=32)(build, x)
            with build.scope("second"):
                b = layer(out=48)(build, x)
            with build.scope("third"):
                b = layer(out=2)(build, b)
            x = build.apply("mix", Conv(4), build.apply("join", Concat(), a, b))
    graph = build.finish(x)
    found = best_order(graph, limit=100)
    # Within a stage the narrow way first: 4 + 48 + 2, then 4 + 32 + 2 channels, then all that is joined.
    assert head(graph, found) < tflm_cost(graph).head_bytes


def test_reordered_graph_computes_the_same() -> None:
    torch = pytest.importorskip("torch")
    from netwright.nn.lower import build

    graph = wide_and_narrow()
    other = reordered(graph, best_order(graph))
    assert other.nodes != graph.nodes
    first, second = build(graph, seed=1).eval(), build(other, seed=1).eval()
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 8, 8, 8)).astype(np.float32))
    with torch.no_grad():
        assert torch.equal(first(x), second(x))


def test_nodes_that_are_not_named_follow_what_they_read() -> None:
    graph = wide_and_narrow()
    other = reordered(graph, ["wide", "small", "b", "large"])
    assert [node.name for node in other.nodes] == ["input", "wide", "small", "b", "large", "a", "join"]


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (["small", "wide"], "small would run before wide"),
        (["wide", "wide"], "names of nodes, each once"),
        (["nowhere"], "nowhere"),
    ],
)
def test_an_order_that_does_not_fit_is_an_error(order: list[str], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        reordered(wide_and_narrow(), order)
