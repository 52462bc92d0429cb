"""Building a graph, the names of its places and its JSON."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace

import pytest

from netwright.errors import GraphError
from netwright.ir.graph import Graph, GraphBuilder
from netwright.ir.ops import (
    OPS,
    Activation,
    Add,
    BatchNorm,
    ChannelShuffle,
    Concat,
    Conv,
    Flatten,
    GlobalPool,
    Identity,
    Linear,
    Multiply,
    Pool,
    Resize,
    Slice,
    Zero,
)
from netwright.models import MODELS


def residual() -> Graph:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    with build.scope("stage1"):
        y = build.apply("conv", Conv(4, (3, 3)), x)
        with build.scope("inner"):
            y = build.apply("act", Activation("relu"), y)
        y = build.apply("add", Add(), x, y)
    return build.finish(y)


def everything() -> Graph:
    """A graph with every op, tuples of each kind among the attributes."""
    build = GraphBuilder()
    x = build.input((4, 9, 9), name="image")
    x = build.apply("conv", Conv(8, (3, 1), (2, 2), (1, 2), 2, True, (0, 1, 2, 3)), x)
    x = build.apply("bn", BatchNorm(affine=False, eps=1e-3, momentum=0.01), x)
    x = build.apply("act", Activation("hardswish"), x)
    x = build.apply("pool", Pool("max", (3, 3), (1, 1), "symmetric"), x)
    x = build.apply("shuffle", ChannelShuffle(2), x)
    zero = build.apply("zero", Zero(), x)
    same = build.apply("identity", Identity(), x)
    x = build.apply("add", Add(), x, zero, same)
    gate = build.apply("squeeze", GlobalPool("max"), x)
    x = build.apply("multiply", Multiply(), x, gate)
    x = build.apply("concat", Concat(), x, build.apply("slice", Slice(1, 3), x))
    x = build.apply("resize", Resize((2, 3), "nearest"), x)
    x = build.apply("flatten", Flatten(), x)
    return build.finish(build.apply("linear", Linear(3, bias=False), x), gate)


def test_names_are_the_scopes_and_shapes_are_inferred() -> None:
    graph = residual()
    assert [node.name for node in graph.nodes] == [
        "input",
        "stage1.conv",
        "stage1.inner.act",
        "stage1.add",
    ]
    assert graph.input_shape == (4, 8, 8)
    assert graph["stage1.add"].inputs == ("input", "stage1.inner.act")
    assert graph["stage1.add"].shape == (4, 8, 8)
    assert graph["stage1.add"].elements == 256
    assert graph.input_shapes(graph["stage1.add"]) == ((4, 8, 8), (4, 8, 8))
    assert graph.outputs == ("stage1.add",)


def test_consumers() -> None:
    graph = residual()
    readers = {name: [node.name for node in nodes] for name, nodes in graph.consumers().items()}
    assert readers == {
        "input": ["stage1.conv", "stage1.add"],
        "stage1.conv": ["stage1.inner.act"],
        "stage1.inner.act": ["stage1.add"],
        "stage1.add": [],
    }


def test_a_node_that_reads_a_tensor_twice_is_one_consumer() -> None:
    build = GraphBuilder()
    x = build.input((4,))
    graph = build.finish(build.apply("double", Add(), x, x))
    assert [node.name for node in graph.consumers()["input"]] == ["double"]


def test_graph_is_an_immutable_value() -> None:
    graph = residual()
    assert graph == residual()
    assert hash(graph) == hash(residual())
    assert graph != replace(graph, outputs=("stage1.conv",))
    with pytest.raises(FrozenInstanceError):
        graph.outputs = ()  # type: ignore[misc]


def test_unknown_node_is_named() -> None:
    with pytest.raises(GraphError, match=r"graph: no node is called 'stage9'"):
        residual()["stage9"]


# ------------------------------------------------------------------------------------------------ builder


def test_error_begins_with_the_place() -> None:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    with build.scope("stage2"), build.scope("0"):
        with pytest.raises(GraphError, match=r"^stage2\.0\.conv: conv\.groups: expected a divisor of the 4"):
            build.apply("conv", Conv(9, groups=3), x)
        with pytest.raises(GraphError, match=r"^stage2\.0\.linear: linear: expected a vector"):
            build.apply("linear", Linear(3), x)


def test_scope_ends_when_its_block_raises() -> None:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    with pytest.raises(GraphError), build.scope("broken"):
        build.apply("linear", Linear(3), x)
    assert build.apply("conv", Conv(2), x).name == "conv"


def test_name_is_taken_once() -> None:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    build.apply("conv", Conv(2), x)
    with pytest.raises(GraphError, match=r"^conv: this name is taken by a node"):
        build.apply("conv", Conv(2), x)


def test_node_cannot_be_a_scope() -> None:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    build.apply("a.b", Conv(2), x)
    with pytest.raises(GraphError, match=r"^a\.b\.c\.d: 'a\.b' is a node and cannot be a scope"):
        build.apply("a.b.c.d", Conv(2), x)


def test_scope_cannot_be_a_node() -> None:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    build.apply("a.b.c", Conv(2), x)
    for name in ("a", "a.b"):
        with pytest.raises(GraphError, match=rf"^{name}: this name is taken by a scope"):
            build.apply(name, Conv(2), x)
    assert build.apply("a.bc", Conv(2), x).name == "a.bc"


def test_input_comes_first_and_once() -> None:
    build = GraphBuilder()
    build.input((4, 8, 8), name="image")
    with pytest.raises(GraphError, match=r"the graph has an input already, image"):
        build.input((4, 8, 8))


def test_finish_wants_an_input_and_an_output() -> None:
    build = GraphBuilder()
    with pytest.raises(GraphError, match="expected an input as the first node"):
        build.finish()
    build.input((4,))
    with pytest.raises(GraphError, match="expected at least one output"):
        build.finish()


def test_wrong_input_shape_is_reported_at_the_input() -> None:
    with pytest.raises(GraphError, match=r"input\.shape: .* got \(3, 0, 3\)"):
        GraphBuilder().input((3, 0, 3))


# --------------------------------------------------------------------------------------------------- JSON


def test_the_test_graph_holds_every_op() -> None:
    assert {type(node.op) for node in everything().nodes} == set(OPS)


def test_json_round_trip() -> None:
    graph = everything()
    again = Graph.from_json(graph.to_json())
    assert again == graph
    assert again.to_json() == graph.to_json()
    assert again["squeeze"] == graph["squeeze"]


@pytest.mark.parametrize("name", MODELS)
def test_published_networks_survive_json(name: str) -> None:
    graph = MODELS[name].function()
    assert Graph.from_json(graph.to_json()) == graph


def test_json_form_is_what_it_was() -> None:
    """Files of earlier versions must stay readable: change FORMAT when this changes."""
    build = GraphBuilder()
    x = build.input((2, 4, 4))
    graph = build.finish(build.apply("stem.conv", Conv(3, (3, 3), (2, 2), padding=(0, 1, 0, 1)), x))
    assert json.loads(graph.to_json()) == {
        "format": 1,
        "nodes": [
            {
                "name": "input",
                "op": "input",
                "attributes": {"shape": [2, 4, 4]},
                "inputs": [],
                "shape": [2, 4, 4],
            },
            {
                "name": "stem.conv",
                "op": "conv",
                "attributes": {
                    "out_channels": 3,
                    "kernel": [3, 3],
                    "stride": [2, 2],
                    "dilation": [1, 1],
                    "groups": 1,
                    "bias": False,
                    "padding": [0, 1, 0, 1],
                },
                "inputs": ["input"],
                "shape": [3, 2, 2],
            },
        ],
        "outputs": ["stem.conv"],
    }


def test_other_format_is_refused() -> None:
    data = residual().to_dict() | {"format": 99}
    with pytest.raises(GraphError, match="expected format 1, got 99"):
        Graph.from_dict(data)


@pytest.mark.parametrize("text", ["{", "", "[1, 2]", "3"])
def test_text_that_is_no_graph_is_refused(text: str) -> None:
    with pytest.raises(GraphError, match="expected"):
        Graph.from_json(text)


def test_unknown_op_is_named() -> None:
    text = residual().to_json().replace('"conv"', '"attention"')
    with pytest.raises(GraphError, match=r"stage1\.conv: expected an op of .*, got 'attention'"):
        Graph.from_json(text)


def test_unknown_attribute_is_named() -> None:
    text = residual().to_json().replace('"dilation"', '"spread"')
    with pytest.raises(GraphError, match=r"stage1\.conv: attributes .*spread.* do not fit op 'conv'"):
        Graph.from_json(text)


def test_wrong_attribute_value_is_reported_at_its_place() -> None:
    text = residual().to_json().replace('"relu"', '"tanh"')
    with pytest.raises(GraphError, match=r"^stage1\.inner\.act: activation\.function"):
        Graph.from_json(text)


def test_shape_that_disagrees_is_refused() -> None:
    data = residual().to_dict()
    data["nodes"][1]["shape"] = [4, 9, 9]
    with pytest.raises(GraphError, match=r"stage1\.conv: expected shape \(4, 8, 8\), the file says"):
        Graph.from_dict(data)


@pytest.mark.parametrize("key", ["nodes", "outputs"])
def test_missing_key_is_named(key: str) -> None:
    data = residual().to_dict()
    del data[key]
    with pytest.raises(GraphError, match=f"'{key}' is missing"):
        Graph.from_dict(data)


def test_input_that_comes_later_is_refused() -> None:
    data = residual().to_dict()
    data["nodes"].insert(1, data["nodes"].pop())
    with pytest.raises(GraphError, match=r"'stage1\.inner\.act' is missing or is not defined before its use"):
        Graph.from_dict(data)
