"""Costs against torch: its parameters, its FLOP counter, and its own folding of batch norms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from netwright.errors import GraphError
from netwright.ir.cost import COSTS, Cost, cost
from netwright.ir.dtype import DTYPES
from netwright.ir.graph import Graph, GraphBuilder
from netwright.ir.ops import Activation, Add, BatchNorm, Conv, Flatten, Linear, Op, Pool, Shape, macs, weights
from netwright.models import MODELS, build_model
from netwright.models.darts import GENOTYPES
from netwright.nn.lower import build as lower
from tests.graph_strategies import graphs
from tests.torch_oracle import ask_torch

Draw = Callable[[st.SearchStrategy[Any]], Any]


@settings(max_examples=40)
@given(graphs() | graphs(classes=3))
def test_params_and_macs_are_torchs(graph: Graph) -> None:
    found, verdict = cost(graph), ask_torch(graph)
    assert found.params == verdict.params
    assert found.macs == verdict.macs
    assert found.flops == 2 * verdict.macs


@settings(max_examples=40)
@given(graphs())
def test_params_without_bn(graph: Graph) -> None:
    with torch.device("meta"):
        network = lower(graph)
    norms = sum(
        parameter.numel()
        for module in network.modules()
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
        for parameter in module.parameters()
    )
    found = cost(graph)
    assert found.params_without_bn == found.params - norms


@given(graphs(), st.sampled_from(list(DTYPES)), st.sampled_from(["standard", "inplace-depthwise"]))
def test_rows_sum_to_the_totals(graph: Graph, dtype: str, model: Any) -> None:
    found = cost(graph, dtype=dtype, memory_model=model)
    assert [row.name for row in found.nodes] == [node.name for node in graph.nodes]
    assert [row.shape for row in found.nodes] == [node.shape for node in graph.nodes]
    for figure in ("params", "macs", "weight_bytes"):
        assert sum(getattr(row, figure) for row in found.nodes) == getattr(found, figure)
    memory = {row.name: row.memory.bytes for row in found.nodes if row.memory is not None}
    assert max(memory.values()) == found.peak_activation_bytes == memory[found.peak_node]


# -------------------------------------------------------------------------- weights of a deployed network


@dataclass(frozen=True)
class Pair:
    """A chain of layers, once as a graph and once as a plain torch network."""

    graph: Graph
    layers: tuple[nn.Module, ...]


@st.composite
def chains(draw: Draw) -> Pair:
    """Convolutions, then perhaps linear layers; batch norms and activations anywhere."""
    build = GraphBuilder()
    x = build.input((draw(st.integers(1, 4)), 8, 8))
    layers: list[nn.Module] = []
    for index in range(draw(st.integers(1, 9))):
        kind = draw(st.sampled_from(["conv", "conv", "depthwise", "bn", "bn", "act", "pool", "flatten"]))
        name, bias = f"n{index}", draw(st.booleans())
        if kind in ("conv", "depthwise"):
            out = x.channels if kind == "depthwise" else draw(st.integers(1, 6))
            groups = x.channels if kind == "depthwise" else 1
            if len(x.shape) == 1:
                layers.append(nn.Linear(x.channels, out, bias=bias))
                x = build.apply(name, Linear(out, bias), x)
            else:
                layers.append(nn.Conv2d(x.channels, out, 3, padding=1, groups=groups, bias=bias))
                x = build.apply(name, Conv(out, (3, 3), groups=groups, bias=bias), x)
        elif kind == "bn":
            norm = nn.BatchNorm2d if len(x.shape) == 3 else nn.BatchNorm1d
            layers.append(norm(x.channels))
            x = build.apply(name, BatchNorm(), x)
        elif kind == "act":
            layers.append(nn.ReLU())
            x = build.apply(name, Activation("relu"), x)
        elif kind == "pool" and len(x.shape) == 3:
            layers.append(nn.AvgPool2d(3, 1, 1))
            x = build.apply(name, Pool("average", (3, 3)), x)
        elif kind == "flatten":
            layers.append(nn.Flatten())
            x = build.apply(name, Flatten(), x)
    return Pair(build.finish(x), tuple(layers))


def fused_by_torch(layers: tuple[nn.Module, ...]) -> list[nn.Module]:
    """What torch itself makes of convolution or linear layer and batch norm next to each other."""
    fused: list[nn.Module] = []
    for layer in (layer.eval() for layer in layers):
        before = fused[-1] if fused else None
        # A layer that has been fused cannot be told from another, so mark it: torch would fuse two norms.
        if isinstance(layer, nn.BatchNorm2d) and isinstance(before, nn.Conv2d) and not _done(before):
            fused[-1] = fuse_conv_bn_eval(before, layer)
            fused[-1].register_buffer("done", torch.ones(()))
        elif isinstance(layer, nn.BatchNorm1d) and isinstance(before, nn.Linear) and not _done(before):
            fused[-1] = fuse_linear_bn_eval(before, layer)
            fused[-1].register_buffer("done", torch.ones(()))
        else:
            fused.append(layer)
    return fused


def _done(layer: nn.Module) -> bool:
    return "done" in dict(layer.named_buffers())


@given(chains(), st.sampled_from(["float16", "float32"]))
def test_weight_bytes_of_floats_are_torchs_after_folding(pair: Pair, dtype: str) -> None:
    fused = fused_by_torch(pair.layers)
    stored = sum(parameter.numel() for layer in fused for parameter in layer.parameters())
    # torch leaves out the bias of a layer that needs none; a runtime's kernel has one always.
    stored += sum(
        len(layer.weight)
        for layer in fused
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is None
    )
    assert cost(pair.graph, dtype=dtype).weight_bytes == DTYPES[dtype].weight * stored


@given(chains())
def test_weight_bytes_of_int8(pair: Pair) -> None:
    """A byte a weight; an int32 bias and a float32 scale for every output channel."""
    expected = 0
    for layer in fused_by_torch(pair.layers):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            quantized = layer.weight.to(torch.int8)
            bias = torch.zeros(len(layer.weight), dtype=torch.int32)
            scale = torch.zeros(len(layer.weight), dtype=torch.float32)
            expected += sum(tensor.nbytes for tensor in (quantized, bias, scale))
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            expected += layer.num_features * (1 + 4 + 4)
    assert cost(pair.graph).weight_bytes == expected


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("nasbench201", *GENOTYPES)])
def test_weight_bytes_of_published_networks(name: str) -> None:
    """Every batch norm of these follows a convolution and folds into it."""
    graph = build_model(name)
    with torch.device("meta"):
        network = lower(graph)
    kernels = [m.weight for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert cost(graph).weight_bytes == sum(kernel.numel() + 8 * len(kernel) for kernel in kernels)
    assert cost(graph, dtype="float32").weight_bytes == sum(4 * (k.numel() + len(k)) for k in kernels)


def test_a_norm_behind_a_sum_cannot_be_folded() -> None:
    """The last norm of NAS-Bench-201's networks, 64 channels."""
    graph = build_model("nasbench201")
    rows = {row.name: row for row in cost(graph).nodes}
    unfolded = [name for name, row in rows.items() if row.kind == "batch_norm" and row.weight_bytes]
    assert [rows[name].weight_bytes for name in unfolded] == [64 * 9]


def test_a_norm_behind_a_shared_convolution_cannot_be_folded() -> None:
    build = GraphBuilder()
    x = build.apply("conv", Conv(4), build.input((2, 8, 8)))
    y = build.apply("bn", BatchNorm(), x)
    assert cost(build.finish(build.apply("add", Add(), x, y))).weight_bytes == 4 * 2 + 4 * 8 + 4 * 9


@pytest.mark.parametrize(("dtype", "size"), [("int8", 1), ("float16", 2), ("float32", 4)])
def test_memory_is_in_the_dtype(dtype: str, size: int) -> None:
    graph = build_model("resnet-18")
    assert cost(graph, dtype=dtype).peak_activation_bytes == size * 1_003_520


# ---------------------------------------------------------------------------------- published figures


@pytest.mark.parametrize(
    ("name", "settings", "params", "macs"),
    [
        ("mobilenet-v2", {}, 3_504_872, 300_774_272),
        ("mobilenet-v2", {"width": "0.35", "resolution": "144", "last": "448"}, 750_280, 23_499_152),
        ("resnet-50", {}, 25_557_032, 4_089_184_256),
        ("resnet-50-v1", {}, 25_557_032, 3_857_973_248),
        ("resnext-50", {}, 25_028_904, 4_230_479_872),
        ("mobilenet-v1", {}, 4_231_976, 568_740_352),
        ("mobilenet-v3-large", {}, 5_483_032, 216_589_760),
        ("shufflenet-v1", {}, 1_865_728, 137_460_672),
    ],
)
def test_published(name: str, settings: dict[str, str], params: int, macs: int) -> None:
    found = cost(build_model(name, settings))
    assert (found.params, found.macs) == (params, macs)


def test_published_without_bn() -> None:
    settings = {"width": "0.35", "resolution": "144", "last": "448"}
    assert cost(build_model("mobilenet-v2", settings)).params_without_bn == 737_864


@pytest.mark.parametrize(
    ("op", "macs"),
    [
        (Conv(16, (3, 3)), 294_912),
        (Conv(16, (3, 3), groups=4), 73_728),
        (Conv(8, (3, 3), groups=8), 18_432),
        (Conv(16), 32_768),
    ],
)
def test_primitives_at_16_by_16(op: Op, macs: int) -> None:
    build = GraphBuilder()
    assert cost(build.finish(build.apply("op", op, build.input((8, 16, 16))))).macs == macs


def test_linear_of_8_to_16() -> None:
    build = GraphBuilder()
    found = cost(build.finish(build.apply("op", Linear(16, bias=False), build.input((8,)))))
    assert (found.macs, found.params) == (128, 128)


# ------------------------------------------------------------------------------------------- the value


def test_totals_and_json() -> None:
    found: Cost = cost(build_model("resnet-18"), dtype="float16", memory_model="inplace-depthwise")
    assert tuple(found.totals()) == COSTS
    assert found.to_dict() == {
        "params": found.params,
        "params_without_bn": found.params_without_bn,
        "macs": found.macs,
        "flops": 2 * found.macs,
        "weight_bytes": found.weight_bytes,
        "peak_activation_bytes": found.peak_activation_bytes,
        "peak_node": found.peak_node,
        "dtype": "float16",
        "memory_model": "inplace-depthwise",
    }
    assert all(found.to_dict()[name] == value for name, value in found.totals().items())


@dataclass(frozen=True)
class Attention:
    """An op that nobody has a rule for."""

    kind: ClassVar[str] = "attention"

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return inputs[0]


def test_an_op_without_a_rule_raises() -> None:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    graph = build.finish(build.apply("attention", Attention(), x))
    with pytest.raises(
        GraphError, match=r"Attention: no rule for its .*; nothing is counted as zero silently"
    ):
        cost(graph)
    with pytest.raises(GraphError, match="Attention: no rule for its weights"):
        weights(Attention(), ((4, 8, 8),))
    with pytest.raises(GraphError, match="Attention: no rule for its multiply-accumulates"):
        macs(Attention(), ((4, 8, 8),))


def test_unknown_dtype_and_memory_model() -> None:
    build = GraphBuilder()
    graph = build.finish(build.apply("conv", Conv(4), build.input((4, 8, 8))))
    with pytest.raises(
        GraphError, match=r"dtype: expected one of \('int8', 'float16', 'float32'\), got 'int4'"
    ):
        cost(graph, dtype="int4")
    with pytest.raises(
        GraphError, match=r"memory model: expected one of \('standard', 'inplace-depthwise'\)"
    ):
        cost(graph, memory_model="swap")  # type: ignore[arg-type]


def test_cost_of_an_input_alone() -> None:
    build = GraphBuilder()
    found = cost(build.finish(build.input((3, 4, 5))), dtype="float32")
    assert found.totals() == {"macs": 0, "params": 0, "weight_bytes": 0, "peak_activation_bytes": 240}
    assert found.peak_node == "input"


@given(st.sampled_from([1, 3, 5]), st.integers(1, 3), st.integers(1, 3), st.integers(4, 12))
def test_symmetric_padding_is_that_of_pytorch_models(
    kernel: int, stride: int, dilation: int, side: int
) -> None:
    build = GraphBuilder()
    op = Conv(2, (kernel, kernel), (stride, stride), (dilation, dilation), padding="symmetric")
    found = cost(build.finish(build.apply("conv", op, build.input((3, side, side))))).nodes[-1]
    padding = dilation * (kernel - 1) // 2
    module = nn.Conv2d(3, 2, kernel, stride, padding, dilation, device="meta")
    assert found.shape == tuple(module(torch.empty(1, 3, side, side, device="meta")).shape[1:])
    assert found.macs == 2 * 3 * kernel**2 * found.shape[1] * found.shape[2]


def test_shapes_of_rows_are_the_real_ones() -> None:
    graph = build_model("mobilenet-v3-small", {"resolution": "96"})
    shapes = ask_torch(graph).shapes
    for row in cost(graph).nodes:
        if row.name in shapes:
            assert row.shape == shapes[row.name]
            assert prod(row.shape) == graph[row.name].elements
