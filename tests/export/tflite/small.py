"""Small networks that the tests of TFLite files convert, each with weights drawn at random."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from netwright import blocks as B
from netwright.ir.graph import Graph, GraphBuilder
from netwright.ir.ops import Activation, Add, BatchNorm, Concat, Conv, Flatten, Linear, Pool
from netwright.nn.lower import Network, build


def inverted_residuals() -> Graph:
    """One-channel images of odd size: stem, inverted residuals of both strides with and without gate."""
    build = GraphBuilder()
    x = build.input((1, 27, 25))
    with build.scope("stem"):
        x = B.conv_bn_act(out=8, stride=2, activation="relu6")(build, x)
    with build.scope("down"):
        x = B.inverted_residual(out=16, stride=2, kernel=5, expand=3)(build, x)
    with build.scope("gated"):
        x = B.inverted_residual(out=16, expand=3, se=0.25)(build, x)
    with build.scope("swish"):
        x = B.inverted_residual(out=16, expand=2, activation="hardswish")(build, x)
    with build.scope("head"):
        return build.finish(B.classifier(classes=10)(build, x))


def shuffled() -> Graph:
    """Both ShuffleNet units at both strides: grouped 1x1, shuffle, split, concatenation, average pooling."""
    build = GraphBuilder()
    x = build.input((3, 16, 16))
    with build.scope("stem"):
        x = B.conv_bn_act(out=12)(build, x)
    with build.scope("v1.0"):
        x = B.shuffle_v1(out=48, groups=3, stride=2)(build, x)
    with build.scope("v1.1"):
        x = B.shuffle_v1(out=48, groups=3)(build, x)
    with build.scope("v2.0"):
        x = B.shuffle_v2(out=64, stride=2)(build, x)
    with build.scope("v2.1"):
        x = B.shuffle_v2(out=64)(build, x)
    with build.scope("head"):
        return build.finish(B.classifier(classes=10)(build, x))


def branches() -> Graph:
    """Pools of both kinds and strides beside convolutions, concatenated; grouped 3x3; a residual of three."""
    build = GraphBuilder()
    x = build.input((3, 15, 14))
    with build.scope("stem"):
        x = B.conv_bn_act(out=8)(build, x)
    left = build.apply("left", Pool("max", (3, 3), (2, 2)), x)
    middle = build.apply("middle", Pool("average", (3, 3), (2, 2)), x)
    with build.scope("right"):
        right = B.conv_bn_act(out=8, kernel=5, stride=2, activation="hardswish")(build, x)
    x = build.apply("concat", Concat(), left, middle, right)
    x = build.apply("grouped.conv", Conv(24, (3, 3), groups=3), x)
    x = build.apply("grouped.bn", BatchNorm(), x)
    y = build.apply("even.average", Pool("average", (3, 3)), x)
    z = build.apply("even.max", Pool("max", (2, 2), (1, 1)), x)
    x = build.apply("add", Add(), x, y, z)
    x = build.apply("act", Activation("relu"), x)
    x = build.apply("norm", BatchNorm(), x)
    x = build.apply("halved", Pool("max", (2, 2), (2, 2)), x)
    # Flattened with its pixels: the order of channels and pixels matters.
    x = build.apply("flatten", Flatten(), x)
    return build.finish(build.apply("linear", Linear(10), x))


def signals() -> Graph:
    """A network on a signal of six channels as maps of height 1."""
    build = GraphBuilder()
    x = build.input((6, 1, 64))
    with build.scope("stem"):
        x = B.conv_bn_act(out=12, kernel=(1, 5), stride=(1, 2), activation="relu6")(build, x)
    with build.scope("depthwise"):
        x = B.conv_bn_act(out=12, kernel=(1, 3), groups=12)(build, x)
    x = build.apply("pool", Pool("max", (1, 3), (1, 2)), x)
    y = build.apply("conv", Conv(12, (1, 3), bias=True), x)
    x = build.apply("add", Add(), x, y)
    with build.scope("head"):
        return build.finish(B.classifier(classes=6)(build, x))


def heavy() -> Graph:
    """More than 256 KiB of int8 weights."""
    build = GraphBuilder()
    x = build.input((3, 12, 12))
    with build.scope("stem"):
        x = B.conv_bn_act(out=64, stride=2, activation="relu6")(build, x)
    for number in range(3):
        with build.scope(f"body.{number}"):
            y = B.conv_bn_act(out=128, activation="relu6")(build, x)
        with build.scope(f"back.{number}"):
            y = B.conv_bn_act(out=64, kernel=1, activation=None)(build, y)
        x = build.apply(f"add{number}", Add(), x, y)
    with build.scope("wide"):
        x = B.conv_bn_act(out=192, activation="relu6")(build, x)
    with build.scope("head"):
        return build.finish(B.classifier(classes=10)(build, x))


GRAPHS: dict[str, Callable[[], Graph]] = {
    "inverted_residuals": inverted_residuals,
    "shuffled": shuffled,
    "branches": branches,
    "signals": signals,
    "heavy": heavy,
}


def random_weights(graph: Graph, seed: int = 0) -> Network:
    """The network of a graph in eval mode, drawn at random but with the statistics of a trained one.

    Batch norms know the mean and variance of what they see, and logits are centred and spread: in a network
    as it is drawn, one label wins nearly always by next to nothing, and any rounding changes it.
    """
    network = build(graph, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    last: torch.nn.Linear | None = None
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
                module.momentum = 1.0
                module.weight.copy_(torch.rand(module.weight.shape, generator=generator) + 0.5)
                module.bias.copy_(torch.rand(module.bias.shape, generator=generator) - 0.5)
            elif isinstance(module, torch.nn.Linear):
                last = module
        batch = images(graph, 128, seed + 100)
        network.train()(batch)
        network.eval()
        if last is not None:
            logits = network(batch)
            deviation = logits.std(0)
            last.weight.div_(deviation[:, None])
            last.bias.copy_((last.bias - logits.mean(0)) / deviation)
    return network


def images(graph: Graph, number: int = 64, seed: int = 1) -> torch.Tensor:
    """Smooth random images (N, C, H, W), more like pictures than noise is."""
    generator = torch.Generator().manual_seed(seed)
    channels, height, width = graph.input_shape
    coarse = torch.randn(number, channels, -(-height // 4), -(-width // 4), generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    return smooth + 0.1 * torch.randn(smooth.shape, generator=generator)


def float_outputs(network: Network, batch: torch.Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """What torch computes, (N, classes)."""
    with torch.no_grad():
        result = network(batch)
    assert isinstance(result, torch.Tensor)
    return np.asarray(result, np.float32)
