"""Pruned networks compute what the unpruned ones do; torch is asked."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.ir.cost import cost
from netwright.ir.graph import Graph, GraphBuilder, Tensor
from netwright.ir.ops import (
    Activation,
    Add,
    BatchNorm,
    ChannelShuffle,
    Concat,
    Conv,
    Flatten,
    Function,
    GlobalPool,
    Identity,
    Input,
    Linear,
    Multiply,
    Op,
    Pool,
    Resize,
    Slice,
    Zero,
)
from netwright.ir.prune import prune_dead
from netwright.models import MODELS, build_model, nasbench201
from netwright.models.darts import GENOTYPES
from netwright.models.nasbench201 import EDGES, Operation, format_architecture
from netwright.nn.lower import build as lower
from netwright.seeding import rng_for
from tests.graph_strategies import graphs
from tests.torch_oracle import random_network

Draw = Callable[[st.SearchStrategy[Any]], Any]

FUNCTIONS = get_args(Function)


def passing(random: Random, x: Tensor) -> Op:
    """An op through which a zero may pass or not."""
    ops: list[Op] = [
        Conv(x.channels, (3, 3), bias=True),
        Conv(x.channels, (3, 3)),
        BatchNorm(),
        Activation(random.choice(FUNCTIONS)),
        Pool(random.choice(["average", "max"]), (3, 3)),
        Resize((x.shape[1], x.shape[2]), random.choice(["nearest", "bilinear"])),
        ChannelShuffle(x.channels),
        Slice(0, x.channels),
    ]
    return random.choice(ops)


@st.composite
def mostly_dead(draw: Draw) -> Graph:
    """Zeros, identities, what comes of them, and sums of it all."""
    random = draw(st.randoms(use_true_random=True))
    build = GraphBuilder()
    tensors = [build.input((4, 6, 6))]
    for index in range(random.randint(2, 14)):
        name = f"n{index}"
        x = random.choice(tensors[-3:] if random.random() < 0.7 else tensors)
        alike = [t for t in tensors if t.shape == x.shape]
        level = [t for t in tensors if t.shape[1:] == x.shape[1:]]
        kind = random.choice(["dead", "dead", "sum", "sum", "product", "concat", "op", "op"])
        if kind == "dead":
            tensors.append(build.apply(name, random.choice([Zero(), Zero(), Identity(), Zero((2, 2))]), x))
        elif kind == "sum":
            terms = [random.choice(alike) for _ in range(random.randint(1, 3))]
            tensors.append(build.apply(name, Add(), x, *terms))
        elif kind == "product":
            tensors.append(build.apply(name, Multiply(), x, random.choice(alike)))
        elif kind == "concat":
            y = build.apply(f"{name}.cat", Concat(), x, random.choice(level))
            half = random.choice([0, y.channels - x.channels])
            tensors.append(build.apply(f"{name}.cut", Slice(half, half + x.channels), y))
        else:
            tensors.append(build.apply(name, passing(random, x), x))
    # Mostly the sum of what is alike, so that little is unread.
    x = random.choice(tensors[-3:])
    alike = [t for t in tensors if t.shape == x.shape]
    if len(alike) > 1 and random.random() < 0.7:
        x = build.apply("total", Add(), *alike)
    if random.random() < 0.3:
        x = build.apply("pool", GlobalPool(), x)
        x = build.apply("flatten", Flatten(), x)
        x = build.apply("linear", Linear(3, bias=random.random() < 0.5), x)
    return build.finish(x, *random.sample(tensors, k=random.choice([0, 0, 1, 2])))


def run(graph: Graph, weights_of: torch.nn.Module | None = None) -> tuple[torch.Tensor, ...]:
    """Outputs for a fixed image; weights are taken from another network by the names of the places."""
    network = random_network(graph)
    if weights_of is not None:
        known = weights_of.state_dict()
        network.load_state_dict({name: known[name] for name in network.state_dict()}, strict=True)
    image = torch.randn(
        2, *graph.input_shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    with torch.no_grad():
        outputs = network(image)
    return outputs if isinstance(outputs, tuple) else (outputs,)


def compare(graph: Graph) -> None:
    pruned = prune_dead(graph)
    for before, after in zip(run(graph), run(pruned, random_network(graph)), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-12, atol=1e-12)


@given(mostly_dead() | graphs() | graphs(classes=3))
def test_the_function_stays(graph: Graph) -> None:
    compare(graph)


@pytest.mark.slow
@settings(max_examples=700)
@given(mostly_dead())
def test_the_function_stays_on_many(graph: Graph) -> None:
    compare(graph)


@given(mostly_dead() | graphs())
def test_names_outputs_and_ops_stay(graph: Graph) -> None:
    pruned = prune_dead(graph)
    assert pruned.outputs == graph.outputs
    assert pruned.nodes[0] == graph.nodes[0]
    order = [node.name for node in graph.nodes]
    kept = [node.name for node in pruned.nodes]
    assert kept == [name for name in order if name in kept]
    for node in pruned.nodes:
        assert node.shape == graph[node.name].shape
        before = graph[node.name].op
        assert node.op == before or (isinstance(before, Add) and isinstance(node.op, Identity))


@given(mostly_dead() | graphs())
def test_pruning_twice_is_pruning_once(graph: Graph) -> None:
    pruned = prune_dead(graph)
    assert prune_dead(pruned) == pruned


@given(mostly_dead() | graphs())
def test_nothing_dead_is_left(graph: Graph) -> None:
    """Every node leads to an output, identities are outputs, and sums have two terms or more."""
    pruned = prune_dead(graph)
    read = {name for node in pruned.nodes for name in node.inputs} | set(pruned.outputs)
    for node in pruned.nodes:
        assert node.name in read or isinstance(node.op, Input)
        if isinstance(node.op, Identity):
            assert node.name in pruned.outputs
        if isinstance(node.op, Add):
            assert not any(isinstance(pruned[name].op, Zero) for name in node.inputs)
    left, right = cost(pruned), cost(graph)
    assert left.params <= right.params
    assert left.macs <= right.macs


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("nasbench201", *GENOTYPES)])
def test_nothing_of_a_published_network_is_dead(name: str) -> None:
    graph = build_model(name)
    assert prune_dead(graph) == graph


# -------------------------------------------------------------------------------------- one rule at a time


def test_a_sum_of_one_is_that_summand() -> None:
    build = GraphBuilder()
    x = build.input((4, 6, 6))
    kept = build.apply("kept", Conv(4), x)
    dead = build.apply("dead", Zero(), x)
    total = build.apply("sum", Add(), kept, dead)
    graph = build.finish(build.apply("last", Conv(2), total))
    pruned = prune_dead(graph)
    assert [node.name for node in pruned.nodes] == ["input", "kept", "last"]
    assert pruned["last"].inputs == ("kept",)


def test_an_output_keeps_its_name() -> None:
    build = GraphBuilder()
    x = build.input((4, 6, 6))
    same = build.apply("same", Identity(), x)
    dead = build.apply("dead", Zero(), x)
    pruned = prune_dead(build.finish(build.apply("sum", Add(), same, dead)))
    assert [(node.name, node.op, node.inputs) for node in pruned.nodes[1:]] == [
        ("sum", Identity(), ("input",))
    ]


def test_a_network_of_zeros_keeps_its_output() -> None:
    build = GraphBuilder()
    x = build.input((4, 6, 6))
    one = build.apply("one", Zero(), x)
    two = build.apply("two", Zero(), x)
    graph = build.finish(build.apply("sum", Add(), one, two))
    pruned = prune_dead(graph)
    assert pruned.outputs == ("sum",)
    assert [node.name for node in pruned.nodes] == ["input", "one", "sum"]
    compare(graph)


def test_an_output_that_does_not_depend_on_the_input() -> None:
    build = GraphBuilder()
    x = build.apply("zero", Zero(), build.input((4, 6, 6)))
    x = build.apply("conv", Conv(3, bias=True), x)
    graph = build.finish(x)
    assert prune_dead(graph) == graph
    compare(graph)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_an_activation_makes_of_zero(function: Function) -> None:
    """sigmoid(0) and hardsigmoid(0) are 1/2, all others 0."""
    build = GraphBuilder()
    x = build.input((4, 6, 6))
    y = build.apply("act", Activation(function), build.apply("zero", Zero(), x))
    graph = build.finish(build.apply("sum", Add(), x, y))
    at_zero = getattr(torch.nn.functional, function)(torch.zeros(()))
    names = [node.name for node in prune_dead(graph).nodes]
    assert names == (["input", "sum"] if at_zero == 0 else ["input", "zero", "act", "sum"])
    compare(graph)


def test_batch_norm_of_zero_is_its_shift() -> None:
    build = GraphBuilder()
    x = build.input((4, 6, 6))
    y = build.apply("bn", BatchNorm(), build.apply("zero", Zero(), x))
    graph = build.finish(build.apply("sum", Add(), x, y))
    assert prune_dead(graph) == graph


def test_a_product_with_zero_is_zero() -> None:
    build = GraphBuilder()
    x = build.input((4, 6, 6))
    gate = build.apply("gate", Zero(), build.apply("squeeze", GlobalPool(), x))
    y = build.apply("scale", Multiply(), x, gate)
    graph = build.finish(build.apply("sum", Add(), x, y))
    assert [node.name for node in prune_dead(graph).nodes] == ["input", "sum"]
    compare(graph)


@pytest.mark.parametrize(
    ("op", "stays"),
    [
        (Conv(4, (3, 3)), False),
        (Conv(4, (3, 3), bias=True), True),
        (BatchNorm(), True),
        (Pool("average", (3, 3)), False),
        (Pool("max", (3, 3)), False),
        (Resize((6, 6), "bilinear"), False),
        (ChannelShuffle(2), False),
        (Slice(0, 4), False),
        (Identity(), False),
        (Zero(), False),
    ],
)
def test_what_an_op_makes_of_zero(op: Op, stays: bool) -> None:
    build = GraphBuilder()
    x = build.input((4, 6, 6))
    y = build.apply("op", op, build.apply("zero", Zero(), x))
    graph = build.finish(build.apply("sum", Add(), x, y))
    names = [node.name for node in prune_dead(graph).nodes]
    assert names == (["input", "zero", "op", "sum"] if stays else ["input", "sum"])
    compare(graph)


def test_half_a_concatenation_is_not_zero() -> None:
    build = GraphBuilder()
    x = build.input((4, 6, 6))
    cat = build.apply("cat", Concat(), build.apply("zero", Zero(), x), x)
    graph = build.finish(build.apply("sum", Add(), x, build.apply("cut", Slice(4, 8), cat)))
    assert prune_dead(graph) == graph
    compare(graph)


def test_a_concatenation_keeps_its_zeros() -> None:
    build = GraphBuilder()
    x = build.input((4, 6, 6))
    graph = build.finish(build.apply("cat", Concat(), x, build.apply("zero", Zero(), x)))
    assert prune_dead(graph) == graph


# ------------------------------------------------------------------------------------------ NAS-Bench-201


def live_convolutions(operations: tuple[str, ...]) -> int:
    """Convolutions of a cell that can change its output, from the six edges alone.

    A convolution edge ends in a batch norm, whose shift is not zero: it is live whatever it reads. A skip
    or a pool is live if its source is.
    """
    edges = dict(zip(EDGES, operations, strict=True))
    live_node = {0: True}
    live_edge = {}
    for target in (1, 2, 3):
        for source in range(target):
            operation = edges[source, target]
            live_edge[source, target] = operation != "none" and (
                operation.startswith("nor_conv") or live_node[source]
            )
        live_node[target] = any(live_edge[source, target] for source in range(target))
    wanted = {3}
    for target in (3, 2, 1):
        if target in wanted:
            wanted |= {source for source in range(target) if live_edge[source, target]}
    return sum(edges[edge].startswith("nor_conv") and live_edge[edge] and edge[1] in wanted for edge in EDGES)


@pytest.mark.parametrize("seed", range(60))
def test_cells_of_nasbench201(seed: int) -> None:
    names: tuple[Operation, ...] = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    drawn = rng_for(seed, "cells").integers(len(names), size=6)
    operations = tuple(names[index] for index in drawn)
    graph = nasbench201(format_architecture(operations), channels=2, cells=1, resolution=8)
    pruned = prune_dead(graph)
    convolutions = sum(isinstance(node.op, Conv) and ".edge" in node.name for node in pruned.nodes)
    assert convolutions == 3 * live_convolutions(operations)
    left = sum(parameter.numel() for parameter in lower(pruned).parameters())
    assert cost(pruned).params == left
    compare(graph)
