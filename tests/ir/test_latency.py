"""What a block does, and what a table says of it."""

from __future__ import annotations

import pytest

from netwright import blocks as B
from netwright.errors import GraphError
from netwright.ir.graph import Graph, GraphBuilder
from netwright.ir.latency import LatencyTable, operations
from netwright.ir.ops import Activation, Add, Concat, Conv, Identity, Slice
from netwright.models import MODELS, build_model


def graph_of_everything() -> Graph:
    build = GraphBuilder()
    x = build.apply("relu", Activation("relu"), build.input((4, 8, 8)))
    y = build.apply("conv", Conv(4, (3, 3), (1, 1), (2, 2)), x)
    y = build.apply("same", Identity(), y)
    y = build.apply("act", Activation("hardswish"), y)
    z = build.apply("add", Add(), x, y)
    return build.finish(build.apply("half", Slice(1, 3), build.apply("concat", Concat(), z, y)))


def test_activations_belong_to_the_op_before_them() -> None:
    assert operations(graph_of_everything()) == (
        "conv 4x8x8 to 4x8x8, kernel 3x3, stride 1x1, dilation 2x2, groups 1, hardswish",
        "add 4x8x8 and 4x8x8 to 4x8x8",
        "concat 4x8x8 and 4x8x8 to 8x8x8",
        "slice 8x8x8 to 2x8x8, start 1, stop 3",
    )


def test_what_takes_no_time_of_its_own() -> None:
    build = GraphBuilder()
    x = B.inverted_residual(out=16, expand=2, se=0.25)(build, build.input((16, 4, 4)))
    kinds = [part.split()[0] for part in operations(build.finish(x))]
    assert kinds == ["conv", "conv", "global_pool", "conv", "conv", "multiply", "conv", "add"]


@pytest.mark.parametrize("name", list(MODELS))
def test_every_op_of_the_models_can_be_described(name: str) -> None:
    graph = build_model(name, {})
    timed = [node for node in graph.nodes if node.op.kind in ("conv", "linear")]
    assert len([part for part in operations(graph) if part.startswith(("conv ", "linear "))]) == len(timed)


def test_the_longest_entry_counts() -> None:
    table = LatencyTable("board", {("a",): 1, ("b",): 10, ("a", "b"): 5, ("b", "b", "a"): 100})
    assert table.of(["a", "b"]) == 5
    assert table.of(["a", "a", "b", "b"]) == 1 + 5 + 10
    assert table.of(["b", "b", "a", "b"]) == 100 + 10
    assert table.of([]) == 0


def test_what_is_not_in_it_is_an_error() -> None:
    table = LatencyTable("board", {("a", "b"): 5})
    with pytest.raises(GraphError, match="latency table board: expected an entry for 'a', there is none"):
        table.of(["a", "c"])


@pytest.mark.parametrize("time", [-1, 1.5, True])
def test_times_are_whole_and_not_negative(time: int) -> None:
    with pytest.raises(GraphError, match="latency table board: a: expected whole nanoseconds of at least 0"):
        LatencyTable("board", {("a",): time})


def test_the_fingerprint_is_of_what_it_says() -> None:
    one = LatencyTable("one", {("a",): 1, ("b",): 2})
    assert one.fingerprint == LatencyTable("two", {("b",): 2, ("a",): 1}).fingerprint
    assert one.fingerprint != LatencyTable("one", {("a",): 2, ("b",): 2}).fingerprint
