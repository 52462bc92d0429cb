"""Units of the ShuffleNets: the shuffle itself, the units in torch, and widths that do not divide."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from netwright.blocks import Block, shuffle_choice, shuffle_v1, shuffle_v2, shuffle_xception
from netwright.errors import GraphError
from netwright.ir.cost import cost
from netwright.ir.graph import GraphBuilder
from netwright.ir.ops import ChannelShuffle
from netwright.nn.lower import build
from tests.torch_oracle import ask_torch, graph_of, random_network


@given(groups=st.integers(1, 8), columns=st.integers(1, 8))
def test_shuffle_and_shuffle_back_is_the_identity(groups: int, columns: int) -> None:
    """FACTS: with g groups, then with C / g groups."""
    builder = GraphBuilder()
    x = builder.input((groups * columns, 2, 3))
    y = builder.apply("there", ChannelShuffle(groups), x)
    network = build(builder.finish(builder.apply("back", ChannelShuffle(columns), y), y))
    image = torch.randn(2, groups * columns, 2, 3)
    back, there = network(image)
    torch.testing.assert_close(back, image, rtol=0, atol=0)
    torch.testing.assert_close(there, F.channel_shuffle(image, groups), rtol=0, atol=0)


def normalise(x: Tensor, state: dict[str, Tensor], place: str) -> Tensor:
    names = ("running_mean", "running_var", "weight", "bias")
    mean, var, weight, bias = (state[f"{place}.bn.{name}"] for name in names)
    return F.batch_norm(x, mean, var, weight, bias)


def convolve(x: Tensor, state: dict[str, Tensor], place: str, **arguments: Any) -> Tensor:
    return normalise(F.conv2d(x, state[f"{place}.conv.weight"], **arguments), state, place)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("first_grouped", [True, False])
def test_shuffle_v1_computes_the_published_unit(stride: int, first_grouped: bool) -> None:
    """[Zhang et al. 2017, arXiv:1707.01083, Fig. 2 b, c]; a map of 9x9 is padded evenly."""
    out = 24 if stride == 1 else 48
    block = shuffle_v1(out=out, groups=3, stride=stride, first_grouped=first_grouped)
    network = random_network(graph_of(block, (24, 9, 9)))
    state, image = network.state_dict(), torch.randn(2, 24, 9, 9, dtype=torch.float64)
    y = F.relu(convolve(image, state, "reduce", groups=3 if first_grouped else 1))
    y = F.channel_shuffle(y, 3)
    y = convolve(y, state, "depthwise", stride=stride, padding=1, groups=out // 4)
    y = convolve(y, state, "expand", groups=3)
    if stride == 1:
        expected = F.relu(image + y)
    else:
        pooled = F.avg_pool2d(image, 3, 2, 1, count_include_pad=False)
        expected = F.relu(torch.cat((pooled, y), 1))
    with torch.no_grad():
        torch.testing.assert_close(network(image), expected)


@pytest.mark.parametrize("stride", [1, 2])
def test_shuffle_v2_computes_the_published_unit(stride: int) -> None:
    """[Ma et al. 2018, arXiv:1807.11164, Fig. 3 c, d]; a map of 9x9 is padded evenly."""
    out = 24 if stride == 1 else 44
    network = random_network(graph_of(shuffle_v2(out=out, stride=stride), (24, 9, 9)))
    state, image = network.state_dict(), torch.randn(2, 24, 9, 9, dtype=torch.float64)
    kept, y = image.chunk(2, 1)
    if stride != 1:
        kept, y = image, image
        kept = convolve(kept, state, "shortcut.depthwise", stride=2, padding=1, groups=24)
        kept = F.relu(convolve(kept, state, "shortcut.pointwise"))
    y = F.relu(convolve(y, state, "first"))
    y = convolve(y, state, "depthwise", stride=stride, padding=1, groups=out // 2)
    y = F.relu(convolve(y, state, "second"))
    expected = F.channel_shuffle(torch.cat((kept, y), 1), 2)
    with torch.no_grad():
        torch.testing.assert_close(network(image), expected)


@settings(max_examples=30)
@given(
    groups=st.sampled_from((1, 2, 3)),
    factor=st.integers(1, 3),
    stride=st.sampled_from((1, 2)),
    first_grouped=st.booleans(),
    padding=st.sampled_from(("same", "symmetric")),
    size=st.integers(4, 11),
)
def test_shuffle_v1_is_what_torch_finds(
    groups: int, factor: int, stride: int, first_grouped: bool, padding: Any, size: int
) -> None:
    source = 4 * groups * factor
    out = source if stride == 1 else 2 * source
    block = shuffle_v1(out=out, groups=groups, stride=stride, first_grouped=first_grouped, padding=padding)
    graph = graph_of(block, (source, size, size))
    verdict, found = ask_torch(graph), cost(graph)
    assert (found.macs, found.params) == (verdict.macs, verdict.params)
    assert {node.name: node.shape for node in graph.nodes[1:]} == verdict.shapes
    inner, after = out // 4, graph["act"].shape[1]
    reduce = source * inner // (groups if first_grouped else 1)
    assert found.macs == reduce * size**2 + (inner * 9 + inner * source // groups) * after**2


@settings(max_examples=30)
@given(
    half=st.integers(1, 9),
    stride=st.sampled_from((1, 2)),
    kernel=st.sampled_from((3, 5, 7)),
    padding=st.sampled_from(("same", "symmetric")),
    size=st.integers(4, 11),
)
def test_shuffle_v2_is_what_torch_finds(half: int, stride: int, kernel: int, padding: Any, size: int) -> None:
    source = 2 * half if stride == 1 else 5
    graph = graph_of(
        shuffle_v2(out=2 * half, stride=stride, kernel=kernel, padding=padding), (source, size, size)
    )
    verdict, found = ask_torch(graph), cost(graph)
    assert (found.macs, found.params) == (verdict.macs, verdict.params)
    assert {node.name: node.shape for node in graph.nodes[1:]} == verdict.shapes
    after = graph["shuffle"].shape[1]
    if stride == 1:
        assert found.macs == (2 * half**2 + half * kernel**2) * size**2
    else:
        later = half * kernel**2 + half**2 + source * kernel**2 + source * half
        assert found.macs == source * half * size**2 + later * after**2


WRONG: dict[str, tuple[Block, str]] = {
    "v1-width": (shuffle_v1(out=20), r"shuffle_v1\.out, behind stem: expected a multiple of .* = 12, got 20"),
    "v1-no-groups": (shuffle_v1(out=24, groups=0), r"shuffle_v1\.out, behind stem: .* = 0, got 24"),
    "v1-stride-1": (shuffle_v1(out=36), r"shuffle_v1\.out, behind stem: expected the 24 channels .*, got 36"),
    "v1-narrow": (
        shuffle_v1(out=24, stride=2),
        r"shuffle_v1\.out, behind stem: expected 24 \(concatenated\) plus a positive multiple of 3, got 24",
    ),
    "v1-branch": (shuffle_v1(out=40, groups=5, stride=2, reduction=2), r"positive multiple of 5, got 40"),
    "v2-odd": (shuffle_v2(out=25), r"shuffle_v2\.out, behind stem: expected an even number .*, got 25"),
    "v2-stride-1": (shuffle_v2(out=26), r"shuffle_v2\.out, behind stem: expected the 24 channels .*, got 26"),
}


@pytest.mark.parametrize("name", WRONG)
def test_width_that_does_not_divide_is_named(name: str) -> None:
    block, message = WRONG[name]
    builder = GraphBuilder()
    x = builder.input((24, 8, 8), name="stem")
    with pytest.raises(GraphError, match=message):
        block(builder, x)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize(("stride", "out"), [(1, 8), (1, 20), (2, 20)])
def test_shuffle_choice_computes_the_published_block(stride: int, out: int, kernel: int) -> None:
    """[Guo et al. 2019, arXiv:1904.00420, Fig. 4]; a change of shape keeps the shortcut whole."""
    network = random_network(graph_of(shuffle_choice(out=out, kernel=kernel, stride=stride), (8, 9, 9)))
    state, image = network.state_dict(), torch.randn(2, 8, 9, 9, dtype=torch.float64)
    window: dict[str, Any] = {"stride": stride, "padding": kernel // 2}
    if out == 8:
        kept, y = image.chunk(2, dim=1)
    else:
        kept = convolve(image, state, "shortcut.depthwise", groups=8, **window)
        kept, y = F.relu(convolve(kept, state, "shortcut.pointwise")), image
    y = F.relu(convolve(y, state, "first"))
    y = convolve(y, state, "depthwise", groups=out // 2, **window)
    y = F.relu(convolve(y, state, "second"))
    with torch.no_grad():
        torch.testing.assert_close(network(image), F.channel_shuffle(torch.cat((kept, y), 1), 2))


@pytest.mark.parametrize(("stride", "out"), [(1, 8), (1, 20), (2, 20)])
def test_shuffle_xception_computes_the_published_block(stride: int, out: int) -> None:
    """[Guo et al. 2019, arXiv:1904.00420, Fig. 4]: the stride is that of the first depthwise convolution."""
    network = random_network(graph_of(shuffle_xception(out=out, stride=stride), (8, 9, 9)))
    state, image = network.state_dict(), torch.randn(2, 8, 9, 9, dtype=torch.float64)
    if out == 8:
        kept, y = image.chunk(2, dim=1)
    else:
        kept = convolve(image, state, "shortcut.depthwise", groups=8, stride=stride, padding=1)
        kept, y = F.relu(convolve(kept, state, "shortcut.pointwise")), image
    for place, step in (("first", stride), ("second", 1), ("third", 1)):
        y = convolve(y, state, f"{place}.depthwise", groups=y.shape[1], stride=step, padding=1)
        y = F.relu(convolve(y, state, f"{place}.pointwise"))
    with torch.no_grad():
        torch.testing.assert_close(network(image), F.channel_shuffle(torch.cat((kept, y), 1), 2))


@settings(max_examples=30)
@given(
    half=st.integers(2, 5),
    more=st.integers(0, 3),
    kernel=st.sampled_from((3, 5, 7)),
    stride=st.sampled_from((1, 2)),
    padding=st.sampled_from(("same", "symmetric")),
    size=st.integers(5, 12),
)
def test_choice_blocks_are_what_torch_finds(
    half: int, more: int, kernel: int, stride: int, padding: Any, size: int
) -> None:
    c = 2 * half
    out = c + 2 * max(more, stride - 1)
    middle, area = out // 2, size * size
    arguments: dict[str, Any] = {"out": out, "kernel": kernel, "stride": stride, "padding": padding}
    graph = graph_of(shuffle_choice(**arguments), (c, size, size))
    after = graph.nodes[-1].elements // out
    agree_with_torch(graph)
    if out == c:
        expected = middle * (out + kernel**2) * area
    else:
        expected = c * middle * area + after * (middle * (kernel**2 + out - c) + c * (kernel**2 + c))
    assert cost(graph).macs == expected
    graph = graph_of(shuffle_xception(**arguments), (c, size, size))
    agree_with_torch(graph)
    if out == c:
        expected = 3 * middle * (kernel**2 + middle) * area
    else:
        branch = c * (kernel**2 + middle) + middle * (2 * kernel**2 + middle + out - c)
        expected = after * (branch + c * (kernel**2 + c))
    assert cost(graph).macs == expected


def agree_with_torch(graph: Any) -> None:
    verdict, found = ask_torch(graph), cost(graph)
    assert (found.macs, found.params) == (verdict.macs, verdict.params)
    assert {node.name: node.shape for node in graph.nodes[1:]} == verdict.shapes


@pytest.mark.parametrize("block", [shuffle_choice, shuffle_xception])
@pytest.mark.parametrize(
    ("out", "stride", "said"),
    [
        (9, 1, "expected an even number of channels, got 9"),
        (6, 1, "expected more than the 8 channels of the shortcut, got 6"),
        (8, 2, "expected more than the 8 channels of the shortcut, got 8"),
    ],
)
def test_choice_blocks_refuse_widths_that_do_not_fit(block: Any, out: int, stride: int, said: str) -> None:
    builder = GraphBuilder()
    x = builder.input((8, 8, 8), name="stem")
    with pytest.raises(GraphError, match=rf"{block(out=8).kind}\.out, behind stem: {said}"):
        block(out=out, stride=stride)(builder, x)
