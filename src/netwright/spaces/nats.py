"""The size space of NATS-Bench: how many channels each of five layers has."""

from __future__ import annotations

from netwright import blocks as B
from netwright.blocks import block, convolve
from netwright.errors import SpaceError
from netwright.ir.graph import GraphBuilder, Tensor
from netwright.ir.ops import Activation, Add, BatchNorm, Conv, Identity, Pool, Shape
from netwright.space import ExpressionSpace, choice, compile_space, place, sequential
from netwright.spaces.images import SMALLEST

WIDTHS = tuple(range(8, 65, 8))


def nats_size(input_shape: Shape, classes: int) -> ExpressionSpace:
    """The size space of NATS-Bench [Dong et al. 2020, arXiv:2009.00437, Sec. 3.2]: 8^5 = 32,768 networks.

    Stem and cell, residual block, cell, residual block, cell; each layer chooses 8 to 64 channels. The cell
    is the best one of the topology space. The map is halved twice. The decisions are in the order of the
    benchmark's strings ``c1:c2:c3:c4:c5``, and ranks are its indices.

    Args:
        input_shape: (channels, height, width) of the data; 3 x 32 x 32 or 3 x 16 x 16 in the benchmark.
        classes: number of classes.

    Raises:
        SpaceError: if the images are below 8 pixels.
    """
    channels, height, width = input_shape if len(input_shape) == 3 else (0, 0, 0)
    if channels < 1 or min(height, width) < SMALLEST:
        raise SpaceError(
            f"nats-size: expected images of at least {SMALLEST} pixels, got {height}x{width} "
            f"(shape {tuple(input_shape)})"
        )
    first, second, third, fourth, fifth = (choice(*WIDTHS, name=f"layer{n}.width") for n in range(1, 6))
    expression = sequential(
        place("stem", B.conv_bn_act(out=first, activation=None)),
        place("layer1", best_cell(out=first)),
        place("layer2", residual_reduction(out=second)),
        place("layer3", best_cell(out=third)),
        place("layer4", residual_reduction(out=fourth)),
        place("layer5", best_cell(out=fifth)),
        place("last", bn_relu()),
        place("classifier", B.classifier(classes=classes)),
        input=(channels, height, width),
    )
    return compile_space(expression, "nats-size")


def _relu_conv_bn(build: GraphBuilder, where: str, x: Tensor, out: int, stride: int = 1) -> Tensor:
    x = build.apply(f"{where}.relu", Activation("relu"), x)
    return convolve(build, x, where, out=out, kernel=3, stride=stride)


@block
def best_cell(build: GraphBuilder, x: Tensor, *, out: int) -> Tensor:
    """The cell of all networks of the size space: five 3x3 convolutions and a shortcut.

    ``|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|``
    [Dong et al. 2020, arXiv:2009.00437, Sec. 3.2]. The operations on node 0 change the channels, which makes
    the shortcut a 1x1 convolution with batch norm where C differs from F.
    9 * F * (2 * C + 3 * F) * H * W MACs, and C * F * H * W for such a shortcut.

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of the output, F.

    Returns:
        Feature map (F, H, W).
    """
    first = _relu_conv_bn(build, "edge01", x, out)
    second = build.apply(
        "node2",
        Add(),
        _relu_conv_bn(build, "edge02", x, out),
        _relu_conv_bn(build, "edge12", first, out),
    )
    if x.channels == out:
        shortcut = build.apply("edge03.identity", Identity(), x)
    else:
        shortcut = convolve(build, x, "edge03", out=out)
    return build.apply(
        "node3",
        Add(),
        shortcut,
        _relu_conv_bn(build, "edge13", first, out),
        _relu_conv_bn(build, "edge23", second, out),
    )


@block
def residual_reduction(build: GraphBuilder, x: Tensor, *, out: int) -> Tensor:
    """The residual block between two cells, which halves the map: 3x3, 3x3, and a pooled shortcut.

    (9 * C * F + 9 * F² + C * F) * H' * W' MACs [Dong & Yang 2020, arXiv:2001.00326, Fig. 1].

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of the output, F.

    Returns:
        Feature map (F, H', W'), half as high and wide.
    """
    y = _relu_conv_bn(build, "first", x, out, stride=2)
    y = _relu_conv_bn(build, "second", y, out)
    shortcut = build.apply("shortcut.pool", Pool("average", (2, 2), (2, 2)), x)
    shortcut = build.apply("shortcut.conv", Conv(out), shortcut)
    return build.apply("add", Add(), shortcut, y)


@block
def bn_relu(build: GraphBuilder, x: Tensor) -> Tensor:
    """Batch norm and relu, before the classifier."""
    return build.apply("relu", Activation("relu"), build.apply("bn", BatchNorm(), x))
