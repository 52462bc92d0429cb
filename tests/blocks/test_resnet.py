"""Residual blocks against published numbers, torch and ResNeXt's own definition."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from netwright.blocks import basic, bottleneck, group_bottleneck, resnext
from netwright.errors import GraphError
from netwright.ir.cost import cost
from netwright.ir.graph import GraphBuilder
from tests.torch_oracle import ask_torch, graph_of, random_network


@pytest.mark.parametrize("size", [1, 7, 14])
def test_published_bottleneck(size: int) -> None:
    """FACTS: 2048 -> 512 -> 512 -> 2048 is 4,456,448 * H * W, a 3x3 at 2048 channels 8.47 times more."""
    graph = graph_of(bottleneck(out=2048), (2048, size, size))
    assert cost(graph).macs == 4_456_448 * size * size
    plain = 2048 * 2048 * 9
    assert plain == 37_748_736
    assert round(plain / 4_456_448, 2) == 8.47


def agree_with_torch(graph: Any) -> None:
    verdict, found = ask_torch(graph), cost(graph)
    assert (found.macs, found.params) == (verdict.macs, verdict.params)
    assert {node.name: node.shape for node in graph.nodes[1:]} == verdict.shapes


strides = st.sampled_from((1, 2, 3))
paddings = st.sampled_from(("same", "symmetric"))
sizes = st.integers(5, 12)


@settings(max_examples=30)
@given(
    out=st.sampled_from((8, 12)), stride=strides, kernel=st.sampled_from((3, 5)), padding=paddings, size=sizes
)
def test_basic_is_what_torch_finds(out: int, stride: int, kernel: int, padding: Any, size: int) -> None:
    graph = graph_of(basic(out=out, stride=stride, kernel=kernel, padding=padding), (8, size, size + 1))
    agree_with_torch(graph)
    shapes = {node.name: node.shape for node in graph.nodes}
    assert ("shortcut.conv" in shapes) == (stride != 1 or out != 8)
    _, height, width = shapes["act"]
    formula = out * (8 + out) * kernel**2 + (out * 8 if "shortcut.conv" in shapes else 0)
    assert cost(graph).macs == formula * height * width


@settings(max_examples=30)
@given(
    out=st.sampled_from((16, 32)),
    stride=strides,
    groups=st.sampled_from((1, 2)),
    base_width=st.sampled_from((32, 64)),
    stride_in=st.sampled_from(("3x3", "1x1")),
    padding=paddings,
    size=sizes,
)
def test_bottleneck_is_what_torch_finds(
    out: int, stride: int, groups: int, base_width: int, stride_in: Any, padding: Any, size: int
) -> None:
    block = bottleneck(
        out=out, stride=stride, groups=groups, base_width=base_width, stride_in=stride_in, padding=padding
    )
    graph = graph_of(block, (16, size, size))
    agree_with_torch(graph)
    inner = groups * (out // 4 * base_width // 64)
    before = size if stride_in == "3x3" else graph["spatial.conv"].shape[1]
    after = graph["act"].shape[1]
    shortcut = 16 * out if stride != 1 or out != 16 else 0
    assert cost(graph).macs == (
        16 * inner * before**2 + (inner * inner // groups * 9 + inner * out + shortcut) * after**2
    )


def test_stride_in_the_first_1x1_saves_work_and_keeps_the_weights() -> None:
    late = cost(graph_of(bottleneck(out=64, stride=2), (32, 16, 16)))
    early = cost(graph_of(bottleneck(out=64, stride=2, stride_in="1x1"), (32, 16, 16)))
    assert late.params == early.params
    assert late.macs - early.macs == 32 * 16 * (16 * 16 - 8 * 8)


def test_resnext_is_a_bottleneck_with_groups() -> None:
    """In ResNeXt-50's first stage 32 x 4d is base width 4: 64 * 4 / 64 channels a group."""
    grouped = graph_of(bottleneck(out=256, groups=32, base_width=4), (64, 8, 8))
    assert graph_of(resnext(out=256, group_width=4), (64, 8, 8)) == grouped


def normalise(x: Tensor, state: dict[str, Tensor], place: str, channels: slice = slice(None)) -> Tensor:
    names = ("running_mean", "running_var", "weight", "bias")
    mean, var, weight, bias = (state[f"{place}.bn.{name}"][channels] for name in names)
    return F.batch_norm(x, mean, var, weight, bias)


@pytest.mark.parametrize("stride", [1, 2])
def test_resnext_equals_32_paths_weight_for_weight(stride: int) -> None:
    """[Xie et al. 2016, arXiv:1611.05431, Fig. 3a]: each path has its slice of the same weights.

    A map of 9x9 pixels is padded evenly by "same", so torch's padding=1 is the same thing.
    """
    network = random_network(graph_of(resnext(out=64, groups=32, group_width=4, stride=stride), (64, 9, 9)))
    state = network.state_dict()
    image = torch.randn(2, 64, 9, 9, dtype=torch.float64)
    paths = []
    for index in range(32):
        own = slice(4 * index, 4 * index + 4)
        y = F.conv2d(image, state["reduce.conv.weight"][own])
        y = F.relu(normalise(y, state, "reduce", own))
        y = F.conv2d(y, state["spatial.conv.weight"][own], stride=stride, padding=1)
        y = F.relu(normalise(y, state, "spatial", own))
        paths.append(F.conv2d(y, state["expand.conv.weight"][:, own]))
    y = normalise(torch.stack(paths).sum(0), state, "expand")
    shortcut = image
    if stride != 1:
        shortcut = normalise(F.conv2d(image, state["shortcut.conv.weight"], stride=2), state, "shortcut")
    expected = F.relu(y + shortcut)
    with torch.no_grad():
        found = network(image)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "odd-width": (
        {"out": 30},
        r"bottleneck\.out, behind stem: expected a multiple of the reduction 4, got 30",
    ),
    "no-reduction": ({"out": 32, "reduction": 0}, r"bottleneck\.out, behind stem"),
    "no-channels": (
        {"out": 32, "base_width": 4, "groups": 4},
        r"bottleneck\.base_width, behind stem: 4 leaves a group of the 8 inner channels without a channel",
    ),
    "stride-in": (
        {"out": 32, "stride_in": "2x2"},
        r"bottleneck\.stride_in, .* expected one of .*, got '2x2'",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_argument_is_named(name: str) -> None:
    arguments, message = WRONG[name]
    build = GraphBuilder()
    x = build.input((16, 8, 8), name="stem")
    with pytest.raises(GraphError, match=message):
        bottleneck(**arguments)(build, x)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
def test_group_bottleneck_is_that_of_resnet_and_of_resnext(stride: int, kernel: int) -> None:
    shape = (256, 9, 9)
    plain = group_bottleneck(out=256, expansion=4, stride=stride, kernel=kernel)
    assert graph_of(plain, shape) == graph_of(bottleneck(out=256, stride=stride, kernel=kernel), shape)
    grouped = group_bottleneck(out=256, expansion=2, groups=32, stride=stride, kernel=kernel)
    published = resnext(out=256, groups=32, group_width=4, stride=stride, kernel=kernel)
    assert graph_of(grouped, shape) == graph_of(published, shape)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"out": 30}, "out, behind stem: expected a multiple of the expansion 4, got 30"),
        ({"out": 32, "groups": 3}, "groups, behind stem: expected a divisor of the inner width 8, got 3"),
        ({"out": 32, "expansion": 0}, "out, behind stem: expected a multiple of the expansion 0, got 32"),
        ({"out": 32, "groups": 0}, "groups, behind stem: expected a divisor of the inner width 8, got 0"),
    ],
)
def test_group_bottleneck_refuses_what_does_not_divide(arguments: dict[str, int], said: str) -> None:
    builder = GraphBuilder()
    x = builder.input((16, 8, 8), name="stem")
    with pytest.raises(GraphError, match=rf"group_bottleneck\.{said}"):
        group_bottleneck(**arguments)(builder, x)
