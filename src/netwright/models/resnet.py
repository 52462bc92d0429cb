"""ResNet and ResNeXt for ImageNet-sized images.

[He et al. 2015, arXiv:1512.03385] and [Xie et al. 2016, arXiv:1611.05431], with the padding of the
PyTorch models. Places: ``stem``, ``stage1.0`` … ``stage4.2``, ``classifier``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from netwright.blocks import basic, bottleneck, classifier, conv_bn_act, make_divisible, max_pool
from netwright.blocks.resnet import StrideIn
from netwright.errors import GraphError
from netwright.ir.graph import Graph, GraphBuilder

DEPTHS: Mapping[int, tuple[int, int, int, int]] = MappingProxyType(
    {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
)
"""Blocks in each of the four stages; from 50 layers on they are bottlenecks."""

EXPANSION = 4
"""Channels at the end of a bottleneck over those of a basic block in the same stage."""


def resnet(
    depth: int = 50,
    *,
    width: float = 1.0,
    resolution: int = 224,
    classes: int = 1000,
    in_channels: int = 3,
    stride_in: StrideIn = "3x3",
    groups: int = 1,
    base_width: int = 64,
) -> Graph:
    """ResNet-18, 34, 50 or 101.

    Args:
        depth: number of layers with weights.
        width: multiplies all channel numbers, which are then rounded to multiples of 8.
        resolution: height and width of the images in pixels.
        classes: number of logits.
        in_channels: channels of the images.
        stride_in: which convolution of a bottleneck takes the stride: ``3x3`` as PyTorch has it, or
            ``1x1``, the first one, as in the paper.
        groups: of the middle convolution of a bottleneck.
        base_width: channels of one group in the first stage.

    Raises:
        GraphError: if there is no such depth or an argument does not fit.
    """
    if depth not in DEPTHS:
        raise GraphError(f"resnet.depth: expected one of {tuple(DEPTHS)}, got {depth}")
    build = GraphBuilder()
    x = build.input((in_channels, resolution, resolution))
    with build.scope("stem"):
        x = conv_bn_act(out=make_divisible(64 * width), kernel=7, stride=2, padding="symmetric")(build, x)
        x = max_pool(padding="symmetric")(build, x)
    for stage, blocks in enumerate(DEPTHS[depth], 1):
        planes = make_divisible(64 * width * 2 ** (stage - 1))
        for index in range(blocks):
            stride = 2 if stage > 1 and index == 0 else 1
            with build.scope(f"stage{stage}.{index}"):
                if depth < 50:
                    layer = basic(out=planes, stride=stride, padding="symmetric")
                else:
                    layer = bottleneck(
                        out=planes * EXPANSION,
                        stride=stride,
                        reduction=EXPANSION,
                        groups=groups,
                        base_width=base_width,
                        stride_in=stride_in,
                        padding="symmetric",
                    )
                x = layer(build, x)
    with build.scope("classifier"):
        return build.finish(classifier(classes=classes)(build, x))


def resnext50(
    *,
    groups: int = 32,
    base_width: int = 4,
    resolution: int = 224,
    classes: int = 1000,
    in_channels: int = 3,
) -> Graph:
    """ResNeXt-50: ResNet-50 with grouped bottlenecks, by default 32 groups of 4 channels.

    Args:
        groups: number of paths in every block.
        base_width: channels of one path in the first stage; they double from stage to stage.
        resolution: height and width of the images in pixels.
        classes: number of logits.
        in_channels: channels of the images.

    Raises:
        GraphError: if an argument does not fit.
    """
    return resnet(
        50,
        groups=groups,
        base_width=base_width,
        resolution=resolution,
        classes=classes,
        in_channels=in_channels,
    )
