"""The space of Accel-NASBench: seven blocks of MnasNet layers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from netwright import blocks as B
from netwright.blocks import block, convolve
from netwright.errors import SpaceError
from netwright.ir.graph import GraphBuilder, Tensor
from netwright.ir.ops import Activation, Add, Conv, GlobalPool, Multiply, Shape
from netwright.space import Architecture, ExpressionSpace, choice, compile_space, place, repeat, sequential
from netwright.spaces.images import fewer_strides, square_images

BLOCKS = ((16, 1, 3), (24, 2, 3), (40, 2, 3), (80, 2, 3), (112, 1, 3), (192, 2, 4), (320, 1, 3))
"""Channels, stride and most layers of each block."""

FIELDS = ("expand", "kernel", "depth", "se")
"""The decisions of a block, in the order of the benchmark's rows: e, k, l, se."""


def accel_nasbench(input_shape: Shape, classes: int) -> ExpressionSpace:
    """The space of Accel-NASBench [Ahmad et al. 2024, arXiv:2404.08005]: 36^6 * 48 networks.

    A 3x3 stem, seven blocks in the manner of MnasNet [Tan et al. 2019, arXiv:1807.11626], a 1x1 head of 1280
    channels and a classifier. All layers of a block share its decisions: expansion 1, 4 or 6, kernel 3 or 5,
    1 to 3 layers (the sixth block up to 4), and whether there is squeeze-and-excite. Parameters are those of
    all 5,138 networks that the benchmark lists. The list does not name the activation; here it is ReLU.

    Args:
        input_shape: (channels, height, width) of the data; square, 3 x 224 x 224 in the benchmark.
        classes: number of classes; 1000 in the benchmark.

    Raises:
        SpaceError: if the images are not square or below 8 pixels.
    """
    channels, size = square_images("accel-nasbench", input_shape)
    first, *strides = fewer_strides((2, *(stride for _, stride, _ in BLOCKS)), size)
    stages = [
        repeat(
            f"block{number}",
            mnasnet_layer(
                out=out,
                stride=stride,
                expand=choice(1, 4, 6, name=f"block{number}.expand"),
                kernel=choice(3, 5, name=f"block{number}.kernel"),
                se=choice(0, 1, name=f"block{number}.se"),
            ),
            depth=choice(*range(1, most + 1), name=f"block{number}.depth"),
        )
        for number, ((out, _, most), stride) in enumerate(zip(BLOCKS, strides, strict=True))
    ]
    expression = sequential(
        place("stem", B.conv_bn_act(out=32, stride=first)),
        *stages,
        place("head", B.conv_bn_act(out=1280, kernel=1)),
        place("classifier", B.classifier(classes=classes)),
        input=(channels, size, size),
    )
    return compile_space(expression, "accel-nasbench")


def accel_nasbench_architecture(space: ExpressionSpace, blocks: Sequence[Sequence[int]]) -> Architecture:
    """The member of the space that a row of the benchmark names.

    Args:
        space: made by ``accel_nasbench``.
        blocks: for each of the seven blocks its expansion, kernel, number of layers, and 1 or 0 for
            squeeze-and-excite.

    Raises:
        SpaceError: if a number is missing or not an option.
    """
    if len(blocks) != len(BLOCKS) or any(len(one) != len(FIELDS) for one in blocks):
        raise SpaceError(
            f"accel-nasbench: expected {len(BLOCKS)} blocks of {', '.join(FIELDS)}, got {list(blocks)}"
        )
    return space.architecture(
        {
            f"block{number}.{field}": value
            for number, values in enumerate(blocks)
            for field, value in zip(FIELDS, values, strict=True)
        }
    )


@block
def mnasnet_layer(
    build: GraphBuilder, x: Tensor, *, out: int, kernel: int, stride: int = 1, expand: int, se: int = 0
) -> Tensor:
    """An inverted residual whose squeeze-and-excite has a quarter of the *input's* channels.

    As ``netwright.blocks.inverted_residual`` with M = C * expand; the squeezed width is C // 4, at least 1,
    as in the benchmark's networks, where MobileNetV3 takes a quarter of M, rounded to a multiple of 8.
    C * M * H * W + M * (K² + F) * H' * W' MACs, without the first term where M = C, and 2 * M * (C // 4)
    with ``se``.

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of the output, F.
        kernel: size of the depthwise window, K.
        stride: step of the depthwise convolution; the shortcut needs stride 1 and C = F.
        expand: M / C.
        se: 1 with squeeze-and-excite, 0 without.

    Returns:
        Feature map (F, H', W').
    """
    width = x.channels * expand
    layer = partial(convolve, build, activation="relu")
    y = layer(x, "expand", out=width) if expand > 1 else x
    y = layer(y, "depthwise", out=width, kernel=kernel, stride=stride, groups=width)
    if se:
        gate = build.apply("se.pool", GlobalPool("average"), y)
        gate = build.apply("se.reduce", Conv(max(1, x.channels // 4), bias=True), gate)
        gate = build.apply("se.act", Activation("relu"), gate)
        gate = build.apply("se.expand", Conv(width, bias=True), gate)
        y = build.apply("se.scale", Multiply(), y, build.apply("se.gate", Activation("sigmoid"), gate))
    y = convolve(build, y, "project", out=out)
    return build.apply("add", Add(), x, y) if stride == 1 and x.channels == out else y
