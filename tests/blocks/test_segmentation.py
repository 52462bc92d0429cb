"""Blocks of networks that label pixels, against the same computed by torch's functions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from netwright.blocks.segmentation import atrous_pyramid, segmentation_head
from netwright.errors import GraphError
from netwright.ir.cost import cost
from netwright.nn.lower import Network, build
from tests.torch_oracle import graph_of


@pytest.mark.parametrize(("size", "pixels"), [(28, (28, 28)), ((20, 31), (20, 31)), (3, (3, 3))])
def test_the_head_is_a_convolution_and_an_interpolation(
    size: int | tuple[int, int], pixels: tuple[int, int]
) -> None:
    image = torch.randn(2, 6, 7, 7)
    graph = graph_of(segmentation_head(classes=5, size=size), (6, 7, 7))
    network = build(graph)
    state = network.state_dict()
    logits = F.conv2d(image, state["conv.weight"], state["conv.bias"])
    expected = F.interpolate(logits, pixels, mode="bilinear", align_corners=False)
    torch.testing.assert_close(network(image), expected)
    assert graph[graph.outputs[0]].shape == (5, *pixels)
    found = cost(graph)
    assert (found.params, found.macs) == (5 * 6 + 5, 5 * 6 * 49)


def test_a_head_at_the_size_of_the_labels_does_not_resize() -> None:
    graph = graph_of(segmentation_head(classes=5, size=7), (6, 7, 7))
    assert [node.op.kind for node in graph.nodes] == ["input", "conv"]


def test_a_head_needs_a_map() -> None:
    with pytest.raises(GraphError, match=r"segmentation_head, behind input: expected a feature map"):
        graph_of(segmentation_head(classes=5, size=7), (6,))


def branch(network: Network, place: str, x: Tensor, dilation: int = 1) -> Tensor:
    """Convolution, batch norm with its running statistics, relu."""
    state = network.state_dict()
    weight = state[f"{place}.conv.weight"]
    x = F.conv2d(x, weight, padding=dilation * (weight.shape[2] // 2), dilation=dilation)
    mean, variance = state[f"{place}.bn.running_mean"], state[f"{place}.bn.running_var"]
    x = F.batch_norm(x, mean, variance, state[f"{place}.bn.weight"], state[f"{place}.bn.bias"])
    return F.relu(x)


def randomised(network: Network) -> Network:
    """With statistics as after a training, in evaluation mode."""
    for name, value in network.state_dict().items():
        if value.is_floating_point() and value.ndim == 1:
            value.copy_(torch.rand_like(value) + 0.5 * ("mean" not in name))
    return network.eval()


def test_the_pyramid_is_that_of_the_paper() -> None:
    image = torch.randn(2, 6, 9, 7)
    graph = graph_of(atrous_pyramid(out=4, rates=(2, 3)), (6, 9, 7))
    network = randomised(build(graph))
    pooled = branch(network, "image", image.mean((2, 3), keepdim=True))
    parts = (
        branch(network, "point", image),
        branch(network, "rate2", image, 2),
        branch(network, "rate3", image, 3),
        pooled.expand(-1, -1, 9, 7),
    )
    with torch.inference_mode():
        torch.testing.assert_close(network(image), branch(network, "project", torch.cat(parts, 1)))


def test_the_macs_of_the_pyramid_are_those_of_its_formula_and_of_torch() -> None:
    channels, out, height, width, rates = 6, 4, 9, 7, (1, 2, 5)
    graph = graph_of(atrous_pyramid(out=out, rates=rates), (channels, height, width))
    each = (1 + 9 * len(rates)) * channels + (2 + len(rates)) * out
    assert cost(graph).macs == out * height * width * each + out * channels
    with FlopCounterMode(display=False) as counter:
        build(graph).eval()(torch.zeros(1, channels, height, width))
    assert 2 * cost(graph).macs == counter.get_total_flops()


def test_rates_differ() -> None:
    with pytest.raises(GraphError, match=r"atrous_pyramid.rates, behind input: expected distinct rates"):
        graph_of(atrous_pyramid(out=4, rates=(2, 2)), (6, 9, 7))
