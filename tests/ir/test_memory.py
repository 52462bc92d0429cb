"""Activation memory against a simulation that allocates and frees buffers one by one."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netwright.errors import GraphError
from netwright.ir.cost import cost
from netwright.ir.graph import Graph, GraphBuilder, Tensor
from netwright.ir.memory import MemoryModel, MemoryProfile, fuse, profile
from netwright.ir.ops import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    Flatten,
    GlobalPool,
    Identity,
    Linear,
    Multiply,
    Op,
    Pool,
    Slice,
    Zero,
)
from netwright.models import build_model
from netwright.testing.machine import holders, simulate
from tests.graph_strategies import graphs

Draw = Callable[[st.SearchStrategy[Any]], Any]

# ------------------------------------------------------------------------------------- random networks


@st.composite
def networks(draw: Draw) -> Graph:
    """A small graph in which much is folded, shared, read twice, or not read at all."""
    random = draw(st.randoms(use_true_random=True))
    build = GraphBuilder()
    tensors = [build.input((random.randint(1, 4), 6, 5))]
    for index in range(random.randint(1, 9)):
        # Mostly the tensor before, so that chains of convolution, batch norm and activation come up.
        x: Tensor = tensors[-1] if random.random() < 0.75 else random.choice(tensors)
        alike = [t for t in tensors if t.shape == x.shape]
        level = [t for t in tensors if t.shape[1:] == x.shape[1:] and len(t.shape) == len(x.shape)]
        folded: list[Op] = [BatchNorm(), Activation("relu"), Activation("hardswish"), Identity()]
        stride = random.choice([(1, 1), (2, 2)])
        layers: list[Op] = [Linear(random.randint(1, 9))]
        others: list[Op] = [Zero()]
        if len(x.shape) == 3:
            layers = [
                Conv(random.randint(1, 6), (3, 3), stride),
                Conv(random.randint(1, 6)),
                Conv(x.channels, (3, 3), stride, groups=x.channels),
                Conv(x.channels, (3, 3), stride, groups=x.channels),
                Conv(2 * x.channels, (3, 3), groups=x.channels),
            ]
            others += [Pool("max", (2, 2), stride), GlobalPool(), Slice(0, random.randint(1, x.channels))]
            others += [Flatten()] if index > 4 else []
        kind = random.choice(["layer", "layer", "folded", "folded", "other", "add", "multiply", "concat"])
        name = f"n{index}"
        if kind == "layer":
            tensors.append(build.apply(name, random.choice(layers), x))
            for number in range(random.choice([0, 0, 1, 2, 3])):
                tensors.append(build.apply(f"{name}_{number}", random.choice(folded), tensors[-1]))
        elif kind == "folded":
            tensors.append(build.apply(name, random.choice(folded), x))
        elif kind == "other":
            tensors.append(build.apply(name, random.choice(others), x))
        elif kind == "concat":
            tensors.append(build.apply(name, Concat(), x, random.choice(level)))
        else:
            op = Add() if kind == "add" else Multiply()
            tensors.append(build.apply(name, op, x, random.choice(alike)))
    outputs = random.sample(tensors, k=min(len(tensors), random.choice([0, 0, 1, 2])))
    return build.finish(tensors[-1], *outputs)


def compare(graph: Graph, bytes_per_element: int, model: MemoryModel) -> None:
    found = profile(graph, bytes_per_element, model)
    machine = simulate(graph, bytes_per_element, in_place=model == "inplace-depthwise")
    assert [(moment.step, moment.bytes) for moment in found.moments] == machine.taken
    assert found.peak_bytes == machine.peak
    assert set(machine.buffers) == {holders(graph)[name] for name in graph.outputs}
    assert found.peak_step == next(name for name, taken in machine.taken if taken == found.peak_bytes)


@given(networks() | graphs(), st.sampled_from([1, 2, 4]), st.sampled_from(["standard", "inplace-depthwise"]))
def test_memory_equals_the_simulation(graph: Graph, bytes_per_element: int, model: MemoryModel) -> None:
    compare(graph, bytes_per_element, model)


@pytest.mark.slow
@settings(max_examples=1000)
@given(networks(), st.sampled_from(["standard", "inplace-depthwise"]))
def test_memory_equals_the_simulation_on_many(graph: Graph, model: MemoryModel) -> None:
    compare(graph, 1, model)


@pytest.mark.parametrize(
    "name", ["resnet-18", "mobilenet-v2", "mobilenet-v3-large", "shufflenet-v2", "nasbench201"]
)
@pytest.mark.parametrize("model", ["standard", "inplace-depthwise"])
def test_published_networks_equal_the_simulation(name: str, model: MemoryModel) -> None:
    compare(build_model(name), 1, model)


@given(networks())
def test_every_node_is_in_one_step(graph: Graph) -> None:
    steps, _ = fuse(graph)
    members = [name for step in steps for name in step.members]
    assert sorted(members) == sorted(node.name for node in graph.nodes)
    holder = holders(graph)
    for step in steps:
        assert {holder[name] for name in step.members} == {step.node.name}


@given(networks(), st.sampled_from([1, 2, 4]))
def test_bounds(graph: Graph, bytes_per_element: int) -> None:
    """No schedule does with less than one step's tensors; in place never takes more."""
    standard = profile(graph, bytes_per_element)
    in_place = profile(graph, bytes_per_element, "inplace-depthwise")
    elements = {node.name: prod(node.shape) for node in graph.nodes}
    assert standard.peak_bytes >= max(elements.values()) * bytes_per_element
    assert standard.peak_bytes <= sum(elements.values()) * bytes_per_element
    for left, right in zip(in_place.moments, standard.moments, strict=True):
        assert 0 < left.bytes <= right.bytes
        assert left.alive == right.alive
    for moment in standard.moments:
        assert moment.bytes == sum(size for _, size in moment.alive)
        assert moment.alive[-1][0] == moment.step


# ---------------------------------------------------------------------------------- published figures


@pytest.mark.parametrize(
    ("name", "settings", "peak"),
    [("resnet-18", {}, 1_003_520), ("mobilenet-v2", {"width": "0.75"}, 1_505_280)],
)
def test_few_parameters_are_not_little_memory(name: str, settings: dict[str, str], peak: int) -> None:
    """The caveat about MobileNetV2: 4.43 times fewer parameters than ResNet-18, 1.50 times the memory."""
    assert profile(build_model(name, settings)).peak_bytes == peak


def test_the_caveat_as_ratios() -> None:
    resnet, mobilenet = build_model("resnet-18"), build_model("mobilenet-v2", {"width": "0.75"})
    left, right = cost(resnet), cost(mobilenet)
    assert left.params == 11_689_512
    assert round(left.params / right.params, 2) == 4.43
    assert right.peak_activation_bytes / left.peak_activation_bytes == 1.5


# ------------------------------------------------------------------------------------ one rule at a time


def moments(found: MemoryProfile) -> dict[str, int]:
    return {moment.step: moment.bytes for moment in found.moments}


def inverted_residual(shortcut: bool) -> Graph:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    y = build.apply("expand", Conv(24), x)
    y = build.apply("expand_bn", BatchNorm(), y)
    y = build.apply("expand_act", Activation("relu6"), y)
    y = build.apply("depthwise", Conv(24, (3, 3), groups=24), y)
    y = build.apply("depthwise_bn", BatchNorm(), y)
    y = build.apply("depthwise_act", Activation("relu6"), y)
    y = build.apply("project", Conv(4), y)
    y = build.apply("project_bn", BatchNorm(), y)
    return build.finish(build.apply("add", Add(), x, y) if shortcut else y)


def test_a_shortcut_holds_the_input() -> None:
    plain, held = profile(inverted_residual(False)), profile(inverted_residual(True))
    assert moments(plain) == {"input": 256, "expand": 1792, "depthwise": 3072, "project": 1792}
    assert moments(held) == {"input": 256, "expand": 1792, "depthwise": 3328, "project": 2048, "add": 768}
    assert held.peak_step == "depthwise"


def test_in_place_depthwise_needs_one_channel_more_than_its_input() -> None:
    found = profile(inverted_residual(True), model="inplace-depthwise")
    assert moments(found) == {"input": 256, "expand": 1792, "depthwise": 1856, "project": 2048, "add": 768}
    assert found.peak_step == "project"


def test_in_place_depthwise_spares_an_input_that_is_read_again() -> None:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    y = build.apply("depthwise", Conv(4, (3, 3), groups=4), x)
    graph = build.finish(build.apply("add", Add(), x, y))
    assert profile(graph, model="inplace-depthwise") == profile(graph)
    kept = GraphBuilder()
    x = kept.input((4, 8, 8))
    y = kept.apply("depthwise", Conv(4, (3, 3), groups=4), x)
    output = kept.finish(y, x)
    assert profile(output, model="inplace-depthwise") == profile(output)


@pytest.mark.parametrize(("stride", "bytes_"), [((1, 1), 256 + 64), ((2, 2), 256 + 16)])
def test_in_place_depthwise_with_stride(stride: tuple[int, int], bytes_: int) -> None:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    graph = build.finish(build.apply("depthwise", Conv(4, (3, 3), stride, groups=4), x))
    assert moments(profile(graph, model="inplace-depthwise"))["depthwise"] == bytes_


def test_in_place_is_not_for_what_grows_or_mixes_channels() -> None:
    for op in (Conv(8, (3, 3), groups=4), Conv(4, (3, 3)), Conv(4, (3, 3), groups=2)):
        build = GraphBuilder()
        graph = build.finish(build.apply("conv", op, build.input((4, 8, 8))))
        assert profile(graph, model="inplace-depthwise") == profile(graph)
    build = GraphBuilder()
    grows = Conv(4, (1, 1), groups=4, padding=(2, 2, 2, 2))
    graph = build.finish(build.apply("conv", grows, build.input((4, 8, 8))))
    assert profile(graph, model="inplace-depthwise") == profile(graph)


def test_a_norm_behind_a_shared_convolution_is_a_step() -> None:
    build = GraphBuilder()
    x = build.apply("conv", Conv(4), build.input((4, 8, 8)))
    y = build.apply("bn", BatchNorm(), x)
    steps, _ = fuse(build.finish(build.apply("add", Add(), x, y)))
    assert [step.members for step in steps] == [("input",), ("conv",), ("bn",), ("add",)]


def test_order_of_what_is_folded() -> None:
    """Convolution, norm, activation fold in this order, each once; a second norm computes by itself."""
    build = GraphBuilder()
    x = build.apply("conv", Conv(4), build.input((4, 8, 8)))
    for name, op in (("bn", BatchNorm()), ("same", Identity()), ("act", Activation()), ("bn2", BatchNorm())):
        x = build.apply(name, op, x)
    steps, fusable = fuse(build.finish(build.apply("act2", Activation(), x)))
    assert [step.members for step in steps] == [
        ("input",),
        ("conv", "bn", "same", "act"),
        ("bn2",),
        ("act2",),
    ]
    assert fusable == "closed"


def test_a_second_norm_is_not_folded() -> None:
    build = GraphBuilder()
    x = build.apply("conv", Conv(4), build.input((4, 8, 8)))
    x = build.apply("bn", BatchNorm(), x)
    x = build.apply("bn2", BatchNorm(), x)
    steps, _ = fuse(build.finish(build.apply("act", Activation(), x)))
    assert [step.members for step in steps] == [("input",), ("conv", "bn"), ("bn2",), ("act",)]


@pytest.mark.parametrize(
    ("ops", "fusable"),
    [
        ([Conv(4)], "conv"),
        ([Conv(4), BatchNorm()], "norm"),
        ([Conv(4), BatchNorm(), Identity()], "norm"),
        ([Conv(4), Activation()], "closed"),
        ([Conv(4), BatchNorm(), Activation()], "closed"),
        ([Pool("max", (2, 2))], "closed"),
    ],
)
def test_what_the_next_block_may_fold(ops: list[Op], fusable: str) -> None:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    for index, op in enumerate(ops):
        x = build.apply(f"n{index}", op, x)
    assert fuse(build.finish(x))[1] == fusable


_UNARY: list[Op] = [
    Conv(4),
    Conv(8, (3, 3), (2, 2)),
    BatchNorm(),
    Activation(),
    Identity(),
    Pool("average", (2, 2), (2, 2)),
]


@given(st.lists(st.sampled_from(_UNARY), min_size=2, max_size=10), st.data())
@example([Conv(4), BatchNorm(), Activation(), BatchNorm()], None)
def test_a_chain_costs_what_its_parts_cost(ops: list[Op], data: st.DataObject | None) -> None:
    """The law that lets a space count block by block: cut a chain anywhere and hand on what may be folded."""
    whole = GraphBuilder()
    x = whole.input((3, 16, 16))
    for index, op in enumerate(ops):
        x = whole.apply(f"n{index}", op, x)
    expected = cost(whole.finish(x))
    cut = 1 if data is None else data.draw(st.integers(1, len(ops) - 1))
    first, second = GraphBuilder(), GraphBuilder()
    x = first.input((3, 16, 16))
    for index, op in enumerate(ops[:cut]):
        x = first.apply(f"n{index}", op, x)
    head = cost(first.finish(x))
    x = second.input(x.shape)
    for index, op in enumerate(ops[cut:]):
        x = second.apply(f"n{index}", op, x)
    tail = cost(second.finish(x), entry=head.fusable)
    for name in ("macs", "params", "weight_bytes"):
        assert getattr(head, name) + getattr(tail, name) == getattr(expected, name)
    assert max(head.peak_activation_bytes, tail.peak_activation_bytes) == expected.peak_activation_bytes
    assert tail.fusable == expected.fusable


def test_unread_results_are_freed_at_once() -> None:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    build.apply("dead", Conv(100), x)
    y = build.apply("conv", Conv(4), x)
    assert moments(profile(build.finish(y))) == {"input": 256, "dead": 6656, "conv": 512}


def test_outputs_are_held_to_the_end() -> None:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    early = build.apply("early", Conv(2), x)
    y = build.apply("one", Conv(1), x)
    y = build.apply("two", Conv(1), y)
    assert moments(profile(build.finish(y, early)))["two"] == 64 + 64 + 128
    assert moments(profile(build.finish(y)))["two"] == 64 + 64


def test_views_take_no_memory_but_hold_it() -> None:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    y = build.apply("conv", Conv(2), x)
    flat = build.apply("flat", Flatten(), y)
    build.apply("other", Conv(1), x)
    found = profile(build.finish(build.apply("linear", Linear(3), flat)))
    assert moments(found) == {"input": 256, "conv": 256 + 128, "other": 256 + 128 + 64, "linear": 128 + 3}


def test_unknown_model() -> None:
    with pytest.raises(GraphError, match=r"memory model: expected one of \('standard', 'inplace-.*'swap'"):
        profile(inverted_residual(True), model="swap")  # type: ignore[arg-type]
