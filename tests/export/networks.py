"""Networks that the tests of exports use."""

from __future__ import annotations

from typing import get_args

from netwright.blocks import conv_bn_act
from netwright.blocks.segmentation import atrous_pyramid, segmentation_head
from netwright.ir.graph import Graph, GraphBuilder
from netwright.ir.ops import (
    Activation,
    Add,
    BatchNorm,
    ChannelShuffle,
    Concat,
    Conv,
    Flatten,
    Function,
    GlobalPool,
    Identity,
    Linear,
    Multiply,
    Pool,
    Resize,
    Slice,
    Zero,
)

BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r} or name in {blocked!r}:
            raise ImportError(f"{{name}} is blocked")
sys.meta_path.insert(0, Block())
"""
"""Begins the code of a process in which some packages cannot be imported; format with ``blocked``."""


def classifier(width: int = 8, classes: int = 4) -> Graph:
    """A small classifier: strided stem with uneven padding, inverted residual with gate, uneven pooling."""
    build = GraphBuilder()
    x = build.input((3, 12, 12))
    with build.scope("stem"):
        x = build.apply("conv", Conv(width, (3, 3), (2, 2)), x)
        x = build.apply("bn", BatchNorm(), x)
        x = build.apply("act", Activation("hardswish"), x)
    with build.scope("stage1.0"):
        y = build.apply("expand.conv", Conv(2 * width, bias=True), x)
        y = build.apply("depthwise.conv", Conv(2 * width, (5, 5), groups=2 * width), y)
        y = build.apply("depthwise.bn", BatchNorm(), y)
        gate = build.apply("gate.pool", GlobalPool(), y)
        gate = build.apply("gate.act", Activation("sigmoid"), gate)
        y = build.apply("gate.multiply", Multiply(), y, gate)
        y = build.apply("project.conv", Conv(width, groups=2), y)
        x = build.apply("add", Add(), x, y)
    x = build.apply("pool", Pool("average", (3, 3), (2, 2)), x)
    with build.scope("head"):
        x = build.apply("pool", GlobalPool(), x)
        x = build.apply("flatten", Flatten(), x)
        return build.finish(build.apply("linear", Linear(classes), x))


def pixel_labeller(classes: int = 4) -> Graph:
    """A network that labels 24 x 20 pixels from images of 12 x 10."""
    build = GraphBuilder()
    x = build.input((3, 12, 10))
    with build.scope("stem"):
        x = conv_bn_act(out=8, stride=2)(build, x)
    with build.scope("context"):
        x = atrous_pyramid(out=6, rates=(1, 2))(build, x)
    with build.scope("head"):
        return build.finish(segmentation_head(classes=classes, size=(24, 20))(build, x))


def every_op() -> Graph:
    """Every op that there is, in each of its modes, with an output each, from one input."""
    build = GraphBuilder()
    x = build.input((4, 7, 8))
    square = build.apply("square", Conv(4, (3, 3), (2, 2), padding="symmetric", bias=True), x)
    outputs = [
        square,
        build.apply("same", Conv(6, (3, 3), (2, 2), groups=2), x),
        build.apply("dilated", Conv(4, (3, 2), dilation=(2, 1), groups=4, padding=(1, 2, 0, 3)), x),
        build.apply("cropped", Conv(6, stride=(2, 2), padding=(-1, 1, -1, 0)), x),
        build.apply("norm", BatchNorm(eps=1e-3), x),
        build.apply("plain_norm", BatchNorm(affine=False), x),
        build.apply("sum", Add(), x, x, build.apply("identity", Identity(), x)),
        build.apply("concat", Concat(), square, build.apply("slice", Slice(1, 3), square)),
        build.apply("shuffle", ChannelShuffle(2), x),
        build.apply("product", Multiply(), square, square),
        build.apply("zero", Zero((2, 3)), x),
        build.apply("resize_up", Resize((11, 9)), square),
        build.apply("resize_down", Resize((3, 5)), x),
        build.apply("nearest_up", Resize((11, 9), "nearest"), square),
        build.apply("nearest_down", Resize((3, 5), "nearest"), x),
    ]
    for function in get_args(Function):
        outputs.append(build.apply(function, Activation(function), x))
    for mode in ("average", "max"):
        with build.scope(mode):
            outputs.append(build.apply("even", Pool(mode, (3, 3)), x))
            outputs.append(build.apply("uneven", Pool(mode, (3, 3), (2, 2)), x))
            outputs.append(build.apply("explicit", Pool(mode, (3, 2), (1, 2), (2, 0, 1, 1)), x))
            outputs.append(build.apply("cropped", Pool(mode, (3, 2), (1, 2), (-1, 1, -1, -1)), x))
            pooled = build.apply("all", GlobalPool(mode), x)
            outputs.append(build.apply("scaled", Multiply(), x, pooled))
    vector = build.apply("flatten", Flatten(), x)
    vector = build.apply("vector_norm", BatchNorm(), vector)
    vector = build.apply("linear", Linear(5), vector)
    outputs += [
        vector,
        build.apply("no_bias", Linear(3, bias=False), vector),
        build.apply("cut", Slice(1, 4), vector),
    ]
    return build.finish(*outputs)
