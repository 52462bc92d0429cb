"""Named compositions of ops: functions from tensor to tensor in a graph."""

from netwright.blocks.block import Block, BlockFunction, block
from netwright.blocks.convolution import (
    classifier,
    conv_bn_act,
    convolve,
    depthwise,
    make_divisible,
    pointwise,
)
from netwright.blocks.mobilenet import depthwise_separable, inverted_residual, squeeze_excite
from netwright.blocks.pooling import avg_pool, identity, max_pool
from netwright.blocks.resnet import basic, bottleneck, resnext
from netwright.blocks.shufflenet import shuffle_v1, shuffle_v2

__all__ = [
    "Block",
    "BlockFunction",
    "avg_pool",
    "basic",
    "block",
    "bottleneck",
    "classifier",
    "conv_bn_act",
    "convolve",
    "depthwise",
    "depthwise_separable",
    "identity",
    "inverted_residual",
    "make_divisible",
    "max_pool",
    "pointwise",
    "resnext",
    "shuffle_v1",
    "shuffle_v2",
    "squeeze_excite",
]
