from __future__ import annotations

import copy
import pickle
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

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
    Input,
    Linear,
    Multiply,
    Op,
    Padding,
    Pool,
    Resize,
    Shape,
    Slice,
    Zero,
    weights,
)
from netwright.nn.lower import build, initialise, lower_op
from tests.graph_strategies import CASES, Case, convolutions, graphs, pools, shuffles

Array = npt.NDArray[np.float64]


def graph_of(op: Op, shape: Shape) -> Graph:
    """A graph with one op."""
    builder = GraphBuilder()
    return builder.finish(builder.apply("op", op, builder.input(shape)))


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def run(op: Op, x: torch.Tensor) -> Array:
    """Output of one op in float64."""
    network = build(graph_of(op, tuple(x.shape[1:])), seed=0).double().eval()
    with torch.no_grad():
        return np.asarray(network(x))


def weights_of(op: Op, shape: Shape) -> dict[str, Array]:
    """The weights that ``run`` uses."""
    network = build(graph_of(op, shape), seed=0).double()
    return {name.removeprefix("op."): np.asarray(value) for name, value in network.state_dict().items()}


# ------------------------------------------------------------------------------------------ every op


def test_every_op_has_a_rule_and_is_drawn_below() -> None:
    assert set(CASES) == {op for op in OPS if op is not Input}


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.kind)
@given(data=st.data())
def test_shape_and_weights_are_those_of_the_graph(kind: type[Op], data: st.DataObject) -> None:
    op, shapes = data.draw(CASES[kind])
    part = lower_op(op, shapes)
    inputs = [torch.zeros(2, *shape) for shape in shapes]
    if any(part.pad):
        top, bottom, left, right = part.pad
        inputs = [torch.nn.functional.pad(inputs[0], (left, right, top, bottom))]
    assert tuple(part.module.eval()(*inputs).shape) == (2, *op.output_shape(shapes))
    expected = {weight.name: weight.shape for weight in weights(op, shapes)}
    assert {name: tuple(value.shape) for name, value in part.module.named_parameters()} == expected


@dataclass(frozen=True)
class Unheard:
    kind: ClassVar[str] = "unheard"

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return inputs[0]


def test_an_op_without_a_rule_is_an_error_that_names_its_place() -> None:
    builder = GraphBuilder()
    with builder.scope("stage1"):
        graph = builder.finish(builder.apply("odd", Unheard(), builder.input((3, 4, 4))))
    with pytest.raises(GraphError, match=r"stage1\.odd: Unheard: no rule for its torch part; expected one"):
        build(graph)


# --------------------------------------------------------------- padding, pooling: brute force in numpy


def padded(x: Array, padding: Padding, reach: Sequence[int], stride: Sequence[int], fill: float) -> Array:
    """Pad by the definitions: TensorFlow's SAME, half the kernel's reach on either side, or as told."""
    sides: list[tuple[int, int]] = [(0, 0), (0, 0)]
    for axis in (0, 1):
        size = x.shape[2 + axis]
        if padding == "same":
            outputs = (size + stride[axis] - 1) // stride[axis]
            needed = max((outputs - 1) * stride[axis] + reach[axis] + 1 - size, 0)
            sides.append((needed // 2, needed - needed // 2))
        elif padding == "symmetric":
            sides.append((reach[axis] // 2, reach[axis] // 2))
        else:
            sides.append((int(padding[2 * axis]), int(padding[2 * axis + 1])))
    (top, bottom), (left, right) = ((max(-a, 0), max(-b, 0)) for a, b in sides[2:])
    x = x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right]
    return np.pad(x, [(max(a, 0), max(b, 0)) for a, b in sides], constant_values=fill)


def windows(x: Array, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Array:
    """(N, C, H', W', Kh, Kw): the taps of every output pixel, gathered one by one."""
    reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    rows = range(0, x.shape[2] - reach[0], stride[0])
    columns = range(0, x.shape[3] - reach[1], stride[1])
    return np.stack(
        [
            np.stack(
                [
                    x[:, :, i : i + reach[0] + 1 : dilation[0], j : j + reach[1] + 1 : dilation[1]]
                    for j in columns
                ],
                axis=2,
            )
            for i in rows
        ],
        axis=2,
    )


@given(convolutions())
@example((Conv(4, (3, 3), (2, 2), groups=2), ((2, 8, 8),)))
@example((Conv(4, (2, 2), (1, 1)), ((2, 5, 5),)))
@example((Conv(4, (3, 3), padding=(-1, -1, -1, -1)), ((2, 6, 6),)))
def test_convolution_equals_brute_force(case: Case) -> None:
    op, (shape,) = case
    assert isinstance(op, Conv)
    x = numbers(2, *shape)
    reach = [d * (k - 1) for k, d in zip(op.kernel, op.dilation, strict=True)]
    field = padded(np.asarray(x), op.padding, reach, op.stride, 0.0)
    taps = windows(field, op.kernel, op.stride, op.dilation)
    values = weights_of(op, shape)
    inputs, outputs = shape[0] // op.groups, op.out_channels // op.groups
    expected = np.empty((2, op.out_channels, *taps.shape[2:4]))
    for out in range(op.out_channels):
        group = out // outputs
        seen = taps[:, group * inputs : (group + 1) * inputs]
        expected[:, out] = np.einsum("ncijkl,ckl->nij", seen, values["weight"][out])
        if op.bias:
            expected[:, out] += values["bias"][out]
    np.testing.assert_allclose(run(op, x), expected, atol=1e-12)


@given(pools())
@example((Pool("average", (3, 3), (2, 2)), ((1, 8, 8),)))
@example((Pool("average", (2, 2), (1, 1)), ((1, 5, 5),)))
@example((Pool("average", (3, 3), (1, 1), (2, 0, 1, 2)), ((1, 5, 5),)))
@example((Pool("max", (3, 3), (2, 2)), ((1, 8, 8),)))
@example((Pool("max", (3, 3), (1, 1), (2, 2, 2, 2)), ((1, 5, 5),)))
@example((Pool("average", (2, 2), (2, 2), (-1, -1, -1, -1)), ((1, 6, 6),)))
@example((Pool("max", (2, 3), (2, 2), (-1, 1, -1, 0)), ((1, 5, 6),)))
def test_pooling_leaves_the_padding_out(case: Case) -> None:
    op, (shape,) = case
    assert isinstance(op, Pool)
    # Below zero throughout: padding with zeros would win every maximum and lift every mean.
    x = -1 - numbers(2, *shape).abs()
    reach = [k - 1 for k in op.kernel]
    field = padded(np.asarray(x), op.padding, reach, op.stride, np.nan)
    taps = windows(field, op.kernel, op.stride, (1, 1))
    reduce = np.nanmean if op.mode == "average" else np.nanmax
    np.testing.assert_allclose(run(op, x), reduce(taps, axis=(4, 5)), rtol=1e-12)


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (7, 8)])
def test_cropped_padding_reads_from_the_second_pixel_on(size: tuple[int, int]) -> None:
    """The odd half of DARTS' factorized reduction, ``conv(x[:, :, 1:, 1:])``, on even and on odd sizes."""
    sides = (-1, size[0] % 2, -1, size[1] % 2)
    op = Conv(3, stride=(2, 2), padding=sides)
    x = numbers(2, 4, *size)
    weight = torch.from_numpy(weights_of(op, (4, *size))["weight"])
    odd = torch.nn.functional.pad(x[:, :, 1:, 1:], (0, size[1] % 2, 0, size[0] % 2))
    np.testing.assert_allclose(run(op, x), torch.nn.functional.conv2d(odd, weight, stride=2), atol=1e-12)
    assert op.output_shape(((4, *size),)) == (3, -(-size[0] // 2), -(-size[1] // 2))


def test_pooling_windows_without_a_pixel_are_refused() -> None:
    with pytest.raises(GraphError, match=r"pool\.padding: expected less than the kernel \(2, 2\)"):
        Pool("average", (2, 2), (1, 1), (2, 0, 0, 0))


def test_even_padding_goes_into_the_module() -> None:
    cases: list[tuple[Op, Shape]] = [
        (Conv(4, (3, 3), (2, 2)), (3, 7, 7)),
        (Conv(4, (3, 5), padding="symmetric"), (3, 8, 8)),
        (Pool("max", (3, 3), (2, 2)), (3, 7, 7)),
        (Pool("average", (3, 3)), (3, 8, 8)),
    ]
    for op, shape in cases:
        part = lower_op(op, (shape,))
        assert not any(part.pad)
        assert "padding" in repr(part.module)
        assert type(part.module).__module__.startswith("torch.nn")


# ------------------------------------------------------------------------------ the other ops in numpy


@given(shuffles(), st.booleans())
def test_channel_shuffle_moves_channel_by_channel(case: Case, last: bool) -> None:
    op, (shape,) = case
    assert isinstance(op, ChannelShuffle)
    x = numbers(2, *shape)
    if last:
        x = x.contiguous(memory_format=torch.channels_last)
    columns = shape[0] // op.groups
    result = run(op, x)
    for row in range(op.groups):
        for column in range(columns):
            moved = result[:, column * op.groups + row]
            np.testing.assert_array_equal(moved, np.asarray(x)[:, row * columns + column])
    np.testing.assert_array_equal(run(ChannelShuffle(columns), torch.from_numpy(result)), np.asarray(x))


def test_channel_shuffle_keeps_the_memory_format() -> None:
    network = build(graph_of(ChannelShuffle(3), (6, 4, 5)))
    x = numbers(2, 6, 4, 5)
    assert network(x).is_contiguous()
    last = network(x.contiguous(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(last, network(x))


@given(st.data())
def test_resize_has_half_pixel_centres(data: st.DataObject) -> None:
    op, (shape,) = data.draw(CASES[Resize])
    assert isinstance(op, Resize)
    x = numbers(1, *shape)
    expected = np.asarray(x)
    for axis, size in ((2, op.size[0]), (3, op.size[1])):
        before = expected.shape[axis]
        centres = (np.arange(size) + 0.5) * before / size - 0.5
        if op.mode == "nearest":
            # Halves go up. Exact rationals: floor(c + 1/2) = (2 i + 1) * before // (2 * size).
            places = [(2 * i + 1) * before // (2 * size) for i in range(size)]
            expected = np.take(expected, places, axis=axis)
            continue
        centres = np.clip(centres, 0, before - 1)
        low = np.floor(centres).astype(int)
        share = (centres - low).reshape([-1 if a == axis else 1 for a in range(4)])
        high = np.minimum(low + 1, before - 1)
        expected = np.take(expected, low, axis) * (1 - share) + np.take(expected, high, axis) * share
    np.testing.assert_allclose(run(op, x), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("function", "formula"),
    [
        ("relu", lambda x: np.maximum(x, 0)),
        ("relu6", lambda x: np.clip(x, 0, 6)),
        ("hardswish", lambda x: x * np.clip(x + 3, 0, 6) / 6),
        ("silu", lambda x: x / (1 + np.exp(-x))),
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
        ("hardsigmoid", lambda x: np.clip(x + 3, 0, 6) / 6),
    ],
)
def test_activations_are_their_formulas(function: Any, formula: Any) -> None:
    x = 4 * numbers(2, 3, 4, 4)
    before = x.clone()
    np.testing.assert_allclose(run(Activation(function), x), formula(np.asarray(x)), atol=1e-12)
    assert torch.equal(x, before), "an activation must not work in place"


def test_joins_equal_numpy() -> None:
    builder = GraphBuilder()
    x = builder.input((6, 4, 5))
    first = builder.apply("first", Slice(0, 3), x)
    second = builder.apply("second", Slice(3, 6), x)
    gate = builder.apply("gate", GlobalPool("max"), second)
    graph = builder.finish(
        builder.apply("add", Add(), first, second, second),
        builder.apply("multiply", Multiply(), first, second),
        builder.apply("scale", Multiply(), first, gate),
        builder.apply("concat", Concat(), second, x, first),
        builder.apply("flatten", Flatten(), x),
        builder.apply("mean", GlobalPool(), x),
    )
    a = numbers(2, 6, 4, 5)
    outputs = [np.asarray(output) for output in build(graph)(a.contiguous(memory_format=torch.channels_last))]
    n = np.asarray(a)
    u, v = n[:, :3], n[:, 3:]
    expected = [
        u + 2 * v,
        u * v,
        u * v.max(axis=(2, 3), keepdims=True),
        np.concatenate([v, n, u], axis=1),
        n.reshape(2, -1),
        n.mean(axis=(2, 3), keepdims=True),
    ]
    for output, value in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(output, value, atol=1e-12)


def test_zero_keeps_type_and_ignores_what_it_reads() -> None:
    network = build(graph_of(Zero((2, 3)), (3, 5, 5)))
    x = torch.full((2, 3, 5, 5), float("nan"), dtype=torch.float16)
    output = network(x)
    assert output.dtype is torch.float16
    assert output.shape == (2, 3, 3, 2)
    assert not output.any()
    assert build(graph_of(Zero(), (4,)))(torch.ones(2, 4, device="meta")).device.type == "meta"


# ------------------------------------------------------------------------------------------- networks


def small_network() -> Graph:
    """An inverted residual with squeeze, a shuffle, and a classifier."""
    builder = GraphBuilder()
    x = builder.input((3, 9, 9))
    with builder.scope("stem"):
        x = builder.apply("conv", Conv(4, (3, 3), (2, 2)), x)
        x = builder.apply("bn", BatchNorm(), x)
    with builder.scope("stage1.0"):
        y = x
        for name, op in (
            ("expand", Conv(8)),
            ("depthwise", Conv(8, (3, 3), groups=8)),
            ("project", Conv(4, groups=2)),
        ):
            with builder.scope(name):
                y = builder.apply("conv", op, y)
                y = builder.apply("bn", BatchNorm(), y)
                y = builder.apply("act", Activation("relu6"), y)
        y = builder.apply("shuffle", ChannelShuffle(2), y)
        x = builder.apply("add", Add(), x, y)
    with builder.scope("head"):
        x = builder.apply("pool", GlobalPool(), x)
        x = builder.apply("flatten", Flatten(), x)
        x = builder.apply("linear", Linear(5), x)
    return builder.finish(x)


def test_state_dict_keys_are_places() -> None:
    keys = [key for key in build(small_network()).state_dict() if key.endswith(("weight", "bias"))]
    assert keys[:5] == [
        "stem.conv.weight",
        "stem.bn.weight",
        "stem.bn.bias",
        "stage1.0.expand.conv.weight",
        "stage1.0.expand.bn.weight",
    ]
    assert keys[-2:] == ["head.linear.weight", "head.linear.bias"]


@given(graphs())
def test_random_graphs_have_the_shapes_and_weights_of_their_network(graph: Graph) -> None:
    network = build(graph, seed=0).eval()
    seen: dict[str, tuple[int, ...]] = {}
    places = {node.name for node in graph.nodes[1:]}
    for name, module in network.named_modules():
        if name in places:
            module.register_forward_hook(
                lambda module, inputs, output, name=name: seen.__setitem__(name, tuple(output.shape[1:]))
            )
    with torch.no_grad():
        network(torch.zeros(2, *graph.input_shape))
    assert seen == {node.name: node.shape for node in graph.nodes[1:]}
    assert list(seen) == [node.name for node in graph.nodes[1:]]
    for node in graph.nodes[1:]:
        part = network.get_submodule(node.name)
        expected = sum(int(np.prod(weight.shape)) for weight in weights(node.op, graph.input_shapes(node)))
        assert sum(parameter.numel() for parameter in part.parameters()) == expected


@given(graphs())
def test_outputs_are_those_of_a_recursive_walk(graph: Graph) -> None:
    network = build(graph, seed=0).double().eval()
    x = numbers(2, *graph.input_shape)

    def value(name: str) -> torch.Tensor:
        node = graph[name]
        if isinstance(node.op, Input):
            return x
        part = lower_op(node.op, graph.input_shapes(node))
        module = network.get_submodule(node.name)
        inputs = [value(source) for source in node.inputs]
        if any(part.pad):
            top, bottom, left, right = part.pad
            inputs = [torch.nn.functional.pad(inputs[0], (left, right, top, bottom), value=part.fill)]
        output: torch.Tensor = module(*inputs)
        return output

    with torch.no_grad():
        outputs = network(x)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        for output, name in zip(outputs, graph.outputs, strict=True):
            assert torch.equal(output, value(name))


@given(graphs())
def test_memory_format_does_not_change_the_result(graph: Graph) -> None:
    network = build(graph, seed=0).double().eval()
    x = numbers(2, *graph.input_shape)
    with torch.no_grad():
        plain = network(x)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        last = network(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last, plain, rtol=1e-10, atol=1e-12)


def test_tensors_are_freed_after_their_last_use() -> None:
    builder = GraphBuilder()
    x = builder.input((1, 4, 4))
    held = builder.apply("held", Activation("sigmoid"), x)
    y = held
    for index in range(4):
        y = builder.apply(f"op{index}", Activation("silu"), y)
    builder.apply("unread", Activation("sigmoid"), y)
    network = build(builder.finish(builder.apply("add", Add(), y, held)))
    alive: list[weakref.ref[torch.Tensor]] = []
    counts: list[int] = []

    def note(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> None:
        alive.append(weakref.ref(output))
        counts.append(sum(reference() is not None for reference in alive))

    for module in network.children():
        module.register_forward_hook(note)
    with torch.no_grad():
        network(torch.zeros(1, 1, 4, 4))
    # held; held, op0; then held, what op i reads, what it writes; unread is one more and gone at once.
    assert counts == [1, 2, 3, 3, 3, 3, 3]


def test_several_outputs_are_a_tuple_and_may_be_read_on() -> None:
    builder = GraphBuilder()
    x = builder.input((2, 4, 4))
    early = builder.apply("early", Activation("relu"), x)
    late = builder.apply("late", Activation("sigmoid"), early)
    a = numbers(3, 2, 4, 4)
    outputs = build(builder.finish(late, early, x, early))(a)
    assert isinstance(outputs, tuple)
    assert torch.equal(outputs[0], a.relu().sigmoid())
    assert torch.equal(outputs[1], a.relu())
    assert torch.equal(outputs[2], a)
    assert outputs[1] is outputs[3]


def test_a_wrong_input_is_named() -> None:
    network = build(small_network())
    with pytest.raises(GraphError, match=r"input: expected shape \(N, 3, 9, 9\), got \(2, 3, 8, 9\)"):
        network(torch.zeros(2, 3, 8, 9))


def test_a_place_that_torch_occupies_is_refused() -> None:
    builder = GraphBuilder()
    x = builder.input((2, 4, 4))
    with builder.scope("stage1.half"):
        graph = builder.finish(builder.apply("conv", Conv(2), x))
    with pytest.raises(GraphError, match=r"stage1\.half\.conv: torch\.nn\.Module has an attribute 'half'"):
        build(graph)


def test_a_network_can_be_copied_pickled_and_trained() -> None:
    graph = small_network()
    network = build(graph, seed=3).eval()
    x = numbers(2, 3, 9, 9).float()
    expected = network(x)
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(twin(x), expected)
        assert twin.graph == graph
    network.train()(x).square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_replaced_part_is_the_one_that_runs() -> None:
    network = build(graph_of(Activation("relu"), (2,)))
    network.op = torch.nn.Identity()
    assert torch.equal(network(torch.tensor([[-1.0, 1.0]])), torch.tensor([[-1.0, 1.0]]))


def test_meta_device_needs_no_memory_and_real_weights_fit() -> None:
    with torch.device("meta"):
        network = build(small_network(), seed=0)
    assert all(tensor.is_meta for tensor in network.state_dict().values())
    assert network(torch.zeros(2, 3, 9, 9, device="meta")).shape == (2, 5)
    real = build(small_network(), seed=0).eval()
    network.load_state_dict(real.state_dict(), assign=True)
    x = numbers(2, 3, 9, 9).float()
    assert torch.equal(network.eval()(x), real(x))


# ------------------------------------------------------------------------------------- initial weights


def test_a_seed_decides_the_weights_and_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    states = [build(small_network(), seed=seed).state_dict() for seed in (0, 0, 1, None, None)]
    assert torch.equal(torch.random.get_rng_state(), before)
    same, other = states[1], states[2:]
    for key, value in states[0].items():
        assert torch.equal(value, same[key])
    for state in other:
        assert not torch.equal(state["stem.conv.weight"], states[0]["stem.conv.weight"])
    assert not torch.equal(other[1]["stem.conv.weight"], other[2]["stem.conv.weight"])


def test_a_place_begins_alike_in_every_architecture() -> None:
    builder = GraphBuilder()
    x = builder.input((3, 9, 9))
    with builder.scope("stem"):
        x = builder.apply("pool", Pool("max", (2, 2)), x)
        x = builder.apply("conv", Conv(4, (3, 3)), x)
    other = build(builder.finish(x), seed=0)
    key = "stem.conv.weight"
    assert torch.equal(other.state_dict()[key], build(small_network(), seed=0).state_dict()[key])


def test_equal_places_begin_differently() -> None:
    builder = GraphBuilder()
    x = builder.input((4, 5, 5))
    first = builder.apply("first", Conv(4), x)
    state = build(builder.finish(builder.apply("second", Conv(4), first)), seed=0).state_dict()
    assert not torch.equal(state["first.weight"], state["second.weight"])


def test_initial_weights_fill_their_bounds() -> None:
    builder = GraphBuilder()
    x = builder.apply("grouped", Conv(64, (3, 3), groups=4, bias=True), builder.input((16, 8, 8)))
    x = builder.apply("bn", BatchNorm(), x)
    x = builder.apply("linear", Linear(100), builder.apply("flatten", Flatten(), x))
    network = build(builder.finish(x), seed=0)
    state = network.state_dict()
    for key, bound in (("grouped.weight", 1 / 6), ("linear.weight", 1 / 64)):
        assert bound * 0.99 < state[key].abs().max() <= bound
        # A uniform variable within +-b has the deviation b / sqrt(3).
        assert float(state[key].std()) == pytest.approx(bound / 3**0.5, rel=0.05)
        assert abs(float(state[key].mean())) < 0.02 * bound * 3
    for key, value in (("grouped.bias", 0), ("linear.bias", 0), ("bn.weight", 1), ("bn.bias", 0)):
        assert bool((state[key] == value).all())
    before = state["grouped.weight"].clone()
    initialise(network, seed=1)
    assert not torch.equal(network.state_dict()["grouped.weight"], before)


def test_batch_norm_takes_its_constants_from_the_op() -> None:
    for shape, expected in (((4, 3, 3), torch.nn.BatchNorm2d), ((4,), torch.nn.BatchNorm1d)):
        module = lower_op(BatchNorm(affine=False, eps=1e-3, momentum=0.01), (shape,)).module
        assert isinstance(module, expected)
        assert (module.eps, module.momentum, module.affine) == (1e-3, 0.01, False)
