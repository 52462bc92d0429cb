"""Blocks for networks that label every pixel: context at many scales, and the head."""

from __future__ import annotations

from netwright.blocks.block import block
from netwright.blocks.convolution import convolve, require, square
from netwright.ir.graph import GraphBuilder, Tensor
from netwright.ir.ops import Concat, Conv, Function, GlobalPool, Pair, Resize


def resize(build: GraphBuilder, x: Tensor, place: str, size: Pair) -> Tensor:
    """Bring a feature map (C, H, W) to (C, *size), bilinear; one of that size already passes as it is."""
    return x if x.shape[1:] == size else build.apply(place, Resize(size, "bilinear"), x)


@block
def segmentation_head(build: GraphBuilder, x: Tensor, *, classes: int, size: int | Pair) -> Tensor:
    """Logits of every pixel: a 1x1 convolution, resized to the labels; classes * C * H * W MACs.

    The convolution comes first, where the map is small. Labels keep the resolution of the data, whatever
    the resolution of the network's input.

    Args:
        build: the builder.
        x: feature map (C, H, W).
        classes: number of classes.
        size: side of the labels, or (height, width), in pixels.

    Returns:
        Logits (classes, *size).

    >>> build = GraphBuilder()
    >>> segmentation_head(classes=11, size=28)(build, build.input((16, 7, 7)))
    Tensor(name='resize', shape=(11, 28, 28))
    """
    require(len(x.shape) == 3, "segmentation_head", x, f"expected a feature map (C, H, W), got {x.shape}")
    x = build.apply("conv", Conv(classes, bias=True), x)
    return resize(build, x, "resize", square(size))


@block
def atrous_pyramid(
    build: GraphBuilder,
    x: Tensor,
    *,
    out: int,
    rates: tuple[int, ...] = (6, 12, 18),
    activation: Function = "relu",
) -> Tensor:
    """Atrous spatial pyramid pooling: context at many scales [Chen et al. 2017, arXiv:1706.05587, Sec. 3.3].

    Side by side a 1x1 convolution, a 3x3 convolution for each dilation, and the mean of the whole map through
    a 1x1 convolution; concatenated and brought to ``out`` channels by a last 1x1 convolution. Each has batch
    norm and activation. With R rates: out * H * W * ((1 + 9 * R) * C + (2 + R) * out) + out * C MACs.

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of each branch and of the output, F.
        rates: dilations of the 3x3 convolutions, distinct; those beyond the map see its centre alone.
        activation: follows each convolution.

    Returns:
        Feature map (F, H, W).

    Raises:
        GraphError: if a rate comes twice.

    >>> build = GraphBuilder()
    >>> atrous_pyramid(out=24, rates=(1, 2))(build, build.input((16, 7, 7))).shape
    (24, 7, 7)
    """
    require(len(set(rates)) == len(rates), "atrous_pyramid.rates", x, f"expected distinct rates, got {rates}")
    branches = [convolve(build, x, "point", out=out, activation=activation)]
    for rate in rates:
        branches.append(
            convolve(build, x, f"rate{rate}", out=out, kernel=3, dilation=rate, activation=activation)
        )
    pooled = build.apply("image.pool", GlobalPool("average"), x)
    pooled = convolve(build, pooled, "image", out=out, activation=activation)
    branches.append(resize(build, pooled, "image.resize", (x.shape[1], x.shape[2])))
    x = build.apply("concat", Concat(), *branches)
    return convolve(build, x, "project", out=out, activation=activation)
