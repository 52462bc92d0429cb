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


@block
def shuffle_choice(
    build: GraphBuilder,
    x: Tensor,
    *,
    out: int,
    kernel: int = 3,
    stride: int = 1,
    activation: Function = "relu",
    padding: Padding = "same",
) -> Tensor:
    """Choice block of Single Path One-Shot NAS [Guo et al. 2019, arXiv:1904.00420, Sec. 4.1].

    A ShuffleNetV2 unit, but where the shape changes the shortcut keeps all C channels, which leaves F - C to
    the other branch. With M = F / 2: M * (F + K²) * H * W MACs where it stays, otherwise
    C * M * H * W + (M * (K² + F - C) + C * (K² + C)) * H' * W'.

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of the output, F; even, and more than C where it is not equal to it.
        kernel: size of the depthwise windows, K.
        stride: step of the first depthwise convolution of each branch; above 1 only with F above C.
        activation: after every 1x1 convolution.
        padding: of every convolution.

    Returns:
        Feature map (F, H', W'), shuffled with two groups.

    Raises:
        GraphError: if F does not fit.
    """
    kept, y = _two_ways(build, x, "shuffle_choice", out, kernel, stride, activation, padding)
    layer = partial(convolve, build, padding=padding)
    y = layer(y, "first", out=out // 2, activation=activation)
    y = layer(y, "depthwise", out=out // 2, kernel=kernel, stride=stride, groups=out // 2)
    y = layer(y, "second", out=out - kept.channels, activation=activation)
    y = build.apply("concat", Concat(), kept, y)
    return build.apply("shuffle", ChannelShuffle(2), y)


@block
def shuffle_xception(
    build: GraphBuilder,
    x: Tensor,
    *,
    out: int,
    kernel: int = 3,
    stride: int = 1,
    activation: Function = "relu",
    padding: Padding = "same",
) -> Tensor:
    """Choice block "xception" of Single Path One-Shot NAS: three separable convolutions in the branch.

    As ``shuffle_choice``, with depthwise, 1x1, depthwise, 1x1, depthwise, 1x1 in place of 1x1, depthwise,
    1x1 [Guo et al. 2019, arXiv:1904.00420, Sec. 4.1]. With M = F / 2: 3 * M * (K² + M) * H * W MACs where the
    shape stays, otherwise (C * (2 * K² + M + C) + M * (2 * K² + M + F - C)) * H' * W'.

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of the output, F; even, and more than C where it is not equal to it.
        kernel: size of the depthwise windows, K.
        stride: step of the first depthwise convolution of each branch; above 1 only with F above C.
        activation: after every 1x1 convolution.
        padding: of every convolution.

    Returns:
        Feature map (F, H', W'), shuffled with two groups.

    Raises:
        GraphError: if F does not fit.
    """
    kept, y = _two_ways(build, x, "shuffle_xception", out, kernel, stride, activation, padding)
    layer = partial(convolve, build, padding=padding)
    widths = (out // 2, out // 2, out - kept.channels)
    for place, width in zip(("first", "second", "third"), widths, strict=True):
        step = stride if place == "first" else 1
        y = layer(y, f"{place}.depthwise", out=y.channels, kernel=kernel, stride=step, groups=y.channels)
        y = layer(y, f"{place}.pointwise", out=width, activation=activation)
    y = build.apply("concat", Concat(), kept, y)
    return build.apply("shuffle", ChannelShuffle(2), y)


def _two_ways(
    build: GraphBuilder,
    x: Tensor,
    name: str,
    out: int,
    kernel: int,
    stride: int,
    activation: Function,
    padding: Padding,
) -> tuple[Tensor, Tensor]:
    """What is kept for the concatenation, and what the branch starts from."""
    require(out % 2 == 0, f"{name}.out", x, f"expected an even number of channels, got {out}")
    if stride == 1 and x.channels == out:
        kept = build.apply("keep", Slice(0, out // 2), x)
        return kept, build.apply("split", Slice(out // 2, out), x)
    message = f"expected more than the {x.channels} channels of the shortcut, got {out}"
    require(out > x.channels, f"{name}.out", x, message)
    layer = partial(convolve, build, out=x.channels, padding=padding)
    kept = layer(x, "shortcut.depthwise", kernel=kernel, stride=stride, groups=x.channels)
    return layer(kept, "shortcut.pointwise", activation=activation), x
