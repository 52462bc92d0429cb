"""Units of ShuffleNet V1 and V2."""

from __future__ import annotations

from functools import partial

from netwright.blocks.block import block
from netwright.blocks.convolution import convolve, require
from netwright.ir.graph import GraphBuilder, Tensor
from netwright.ir.ops import Activation, Add, ChannelShuffle, Concat, Function, Padding, Pool, Slice


@block
def shuffle_v1(
    build: GraphBuilder,
    x: Tensor,
    *,
    out: int,
    groups: int = 3,
    stride: int = 1,
    kernel: int = 3,
    reduction: int = 4,
    first_grouped: bool = True,
    activation: Function = "relu",
    padding: Padding = "same",
) -> Tensor:
    """Grouped 1x1, channel shuffle, depthwise, grouped 1x1 [Zhang et al. 2017, arXiv:1707.01083, Fig. 2].

    At stride 1 the input is added; at stride 2 its 3x3 average pool is concatenated, which leaves F - C
    channels to the convolutions. With M = F / reduction and B channels from the last 1x1:
    C * M / groups * H * W + M * K² * H' * W' + M * B / groups * H' * W' MACs.

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of the output, F; a multiple of reduction * groups.
        groups: of both 1x1 convolutions and of the shuffle.
        stride: step of the depthwise convolution.
        kernel: size of the depthwise window, K.
        reduction: F over the width inside.
        first_grouped: False in the first unit of stage 2, whose input has too few channels.
        activation: after the first 1x1 and at the end.
        padding: of every convolution and of the pool.

    Returns:
        Feature map (F, H', W').

    Raises:
        GraphError: if a width cannot be divided as the block needs it.
    """
    step = reduction * groups
    message = f"expected a multiple of reduction * groups = {step}, got {out}"
    require(step > 0 and out % step == 0, "shuffle_v1.out", x, message)
    inner, branch = out // reduction, out if stride == 1 else out - x.channels
    if stride == 1:
        message = f"expected the {x.channels} channels of the input at stride 1, got {out}"
        require(x.channels == out, "shuffle_v1.out", x, message)
    else:
        message = f"expected {x.channels} (concatenated) plus a positive multiple of {groups}, got {out}"
        require(branch > 0 and branch % groups == 0, "shuffle_v1.out", x, message)
    layer = partial(convolve, build, padding=padding)
    y = layer(x, "reduce", out=inner, groups=groups if first_grouped else 1, activation=activation)
    y = build.apply("shuffle", ChannelShuffle(groups), y)
    y = layer(y, "depthwise", out=inner, kernel=kernel, stride=stride, groups=inner)
    y = layer(y, "expand", out=branch, groups=groups)
    if stride == 1:
        y = build.apply("add", Add(), x, y)
    else:
        pooled = build.apply("shortcut.pool", Pool("average", (3, 3), (stride, stride), padding), x)
        y = build.apply("concat", Concat(), pooled, y)
    return build.apply("act", Activation(activation), y)


@block
def shuffle_v2(
    build: GraphBuilder,
    x: Tensor,
    *,
    out: int,
    stride: int = 1,
    kernel: int = 3,
    activation: Function = "relu",
    padding: Padding = "same",
) -> Tensor:
    """Split, convolve one half, concatenate, shuffle [Ma et al. 2018, arXiv:1807.11164, Fig. 3 c, d].

    With M = F / 2: (2 * M² + M * K²) * H * W MACs at stride 1. At stride 2 both branches see all C
    channels: C * M * H * W + (M * K² + M² + C * K² + C * M) * H' * W'.

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of the output, F; even, and equal to C at stride 1.
        stride: step of the depthwise convolutions.
        kernel: size of the depthwise windows, K.
        activation: after every 1x1 convolution.
        padding: of every convolution.

    Returns:
        Feature map (F, H', W').

    Raises:
        GraphError: if F is odd, or differs from C at stride 1.
    """
    require(out % 2 == 0, "shuffle_v2.out", x, f"expected an even number of channels, got {out}")
    half = out // 2
    pointwise = partial(convolve, build, out=half, activation=activation, padding=padding)
    depthwise = partial(convolve, build, kernel=kernel, stride=stride, padding=padding)
    if stride == 1:
        message = f"expected the {x.channels} channels of the input at stride 1, got {out}"
        require(x.channels == out, "shuffle_v2.out", x, message)
        kept = build.apply("keep", Slice(0, half), x)
        y = build.apply("split", Slice(half, out), x)
    else:
        kept = depthwise(x, "shortcut.depthwise", out=x.channels, groups=x.channels)
        kept = pointwise(kept, "shortcut.pointwise")
        y = x
    y = pointwise(y, "first")
    y = depthwise(y, "depthwise", out=half, groups=half)
    y = pointwise(y, "second")
    y = build.apply("concat", Concat(), kept, y)
    return build.apply("shuffle", ChannelShuffle(2), y)
