"""The figures of other tools: published tables, and their rules applied to torch's own modules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from netwright.errors import GraphError
from netwright.ir.convention import CONVENTIONS, count_operations
from netwright.ir.cost import cost
from netwright.ir.graph import Graph, GraphBuilder
from netwright.ir.ops import Activation, Add, BatchNorm, Conv, GlobalPool, Linear, Op, Pool, Resize, Shape
from netwright.models import MODELS, build_model, nasbench201
from netwright.nn.lower import build as lower

ARCHITECTURE = (
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
)
ALL_CONV = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
DATA_SETS = {"CIFAR-10": (10, 32), "CIFAR-100": (100, 32), "ImageNet16-120": (120, 16)}


@pytest.mark.parametrize(
    ("convention", "counts"),
    [
        ("nasbench201", (15_647_370, 15_653_220, 3_919_480)),
        ("thop", (16_464_576, 16_470_336, 4_123_712)),
        ("ptflops", (16_810_634, 16_816_484, 4_210_296)),
    ],
)
def test_three_conventions_on_three_data_sets(convention: str, counts: tuple[int, ...]) -> None:
    for (classes, resolution), count in zip(DATA_SETS.values(), counts, strict=True):
        graph = nasbench201(ARCHITECTURE, classes=classes, resolution=resolution)
        assert count_operations(graph, convention) == count


@pytest.mark.parametrize(
    ("data", "params"), [("CIFAR-10", 129_306), ("CIFAR-100", 135_156), ("ImageNet16-120", 136_456)]
)
def test_params_of_that_network(data: str, params: int) -> None:
    classes, resolution = DATA_SETS[data]
    assert cost(nasbench201(ARCHITECTURE, classes=classes, resolution=resolution)).params == params


def test_all_convolutions() -> None:
    graph = nasbench201(ALL_CONV)
    assert cost(graph).params == 1_531_546
    assert count_operations(graph, "nasbench201") == 220_119_690


@pytest.mark.parametrize("name", MODELS)
def test_native_is_macs(name: str) -> None:
    graph = build_model(name)
    assert count_operations(graph) == count_operations(graph, "native") == cost(graph).macs


# ------------------------------------------------------------- the tools' rules, on what torch really does

Rule = Callable[[nn.Module, Tensor, Tensor], int]


def _layer(module: nn.Module, x: Tensor, y: Tensor) -> int | None:
    if isinstance(module, nn.Conv2d):
        return y.numel() * module.weight[0].numel()
    return y.numel() * module.in_features if isinstance(module, nn.Linear) else None


def thop_rule(module: nn.Module, x: Tensor, y: Tensor) -> int:
    """``thop.vision.basic_hooks``: count_convNd, count_linear, count_normalization, count_avgpool ..."""
    layer = _layer(module, x, y)
    if layer is not None:
        return layer
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        return 2 * x.numel()
    if isinstance(module, nn.AvgPool2d):
        return y.numel()
    if isinstance(module, nn.AdaptiveAvgPool2d):
        kernel = x.shape[2] // y.shape[2] * (x.shape[3] // y.shape[3])
        return (kernel + 1) * y.numel()
    return 0


def ptflops_rule(module: nn.Module, x: Tensor, y: Tensor) -> int:
    """``ptflops.pytorch_ops``: conv and linear with bias, bn, relu, pool hooks."""
    layer = _layer(module, x, y)
    if layer is not None:
        return layer + (y.numel() if getattr(module, "bias", None) is not None else 0)
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        return 2 * x.numel()
    if isinstance(module, nn.ReLU | nn.ReLU6):
        return y.numel()
    if isinstance(module, nn.AvgPool2d | nn.MaxPool2d | nn.AdaptiveAvgPool2d):
        return x.numel()
    return 0


def nasbench_rule(module: nn.Module, x: Tensor, y: Tensor) -> int:
    layer = _layer(module, x, y) or 0
    return layer + (y.numel() if isinstance(module, nn.Linear) else 0)


def count_in_torch(graph: Graph, rule: Rule) -> int:
    counts: list[int] = []

    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        counts.append(rule(module, inputs[0], output))

    with torch.device("meta"):
        network = lower(graph).eval()
        image = torch.empty(1, *graph.input_shape)
    for module in network.modules():
        if not list(module.children()):
            module.register_forward_hook(hook)
    with torch.no_grad():
        network(image)
    return sum(counts)


# MobileNetV3 has hardswish, for which these tools have no agreed rule.
COUNTABLE = [name for name in MODELS if not name.startswith("mobilenet-v3")]


@pytest.mark.parametrize("name", COUNTABLE)
@pytest.mark.parametrize(
    ("convention", "rule"), [("thop", thop_rule), ("ptflops", ptflops_rule), ("nasbench201", nasbench_rule)]
)
def test_published_networks(name: str, convention: str, rule: Rule) -> None:
    graph = build_model(name)
    assert count_operations(graph, convention) == count_in_torch(graph, rule)


# ------------------------------------------------------------------------------------ what has no rule


def one(op: Op, shape: Shape = (4, 8, 8)) -> Graph:
    build = GraphBuilder()
    return build.finish(build.apply("stage1.op", op, build.input(shape)))


@pytest.mark.parametrize("convention", ["thop", "ptflops"])
@pytest.mark.parametrize(
    "op", [Activation("hardswish"), Activation("silu"), Activation("sigmoid"), Resize((4, 4))]
)
def test_an_op_without_a_rule_raises(convention: str, op: Op) -> None:
    with pytest.raises(GraphError, match=f"convention {convention}: no rule for op '{op.kind}'.*native"):
        count_operations(one(op), convention)


@pytest.mark.parametrize("convention", ["native", "nasbench201"])
def test_conventions_of_layers_alone_count_other_ops_as_nothing(convention: str) -> None:
    assert count_operations(one(Activation("hardswish")), convention) == 0
    assert count_operations(build_model("mobilenet-v3-large"), convention) > 0


def test_max_is_not_average() -> None:
    assert count_operations(one(Pool("max", (2, 2))), "thop") == 0
    with pytest.raises(GraphError, match="convention thop: no rule for op 'global_pool'"):
        count_operations(one(GlobalPool("max")), "thop")


def test_norm_without_scale_and_shift() -> None:
    norm = one(BatchNorm(affine=False))
    assert [count_operations(norm, name) for name in ("thop", "ptflops")] == [512, 256]


@dataclass(frozen=True)
class Attention:
    kind: ClassVar[str] = "attention"

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return inputs[0]


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_an_unknown_op_raises_under_every_convention(convention: str) -> None:
    with pytest.raises(GraphError, match="no rule for"):
        count_operations(one(Attention()), convention)


def test_unknown_convention() -> None:
    with pytest.raises(GraphError, match=r"convention: expected one of \('native', .*\), got 'fvcore'"):
        count_operations(one(Conv(4)), "fvcore")


def test_bias() -> None:
    expected: dict[str, tuple[Any, ...]] = {
        "native": (16 * 64, 32),
        "nasbench201": (16 * 64, 32 + 8),
        "thop": (16 * 64, 32),
        "ptflops": (16 * 64 + 4 * 64, 32 + 8),
    }
    for convention, (conv, linear) in expected.items():
        assert count_operations(one(Conv(4, bias=True)), convention) == conv
        assert count_operations(one(Linear(8), (4,)), convention) == linear
        assert count_operations(one(Conv(4)), convention) == 16 * 64


def test_sums_are_free() -> None:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    graph = build.finish(build.apply("add", Add(), x, x))
    assert [count_operations(graph, convention) for convention in CONVENTIONS] == [0] * len(CONVENTIONS)
