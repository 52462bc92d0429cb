"""Named compositions of ops: functions from tensor to tensor in a graph."""

from netwright.blocks.block import Block, BlockFunction, block
from netwright.blocks.cells import (
    CELL_OPERATIONS,
    bn_relu,
    cell_operation,
    dil_conv,
    factorized_reduce,
    normal_conv,
    relu_conv_bn,
    residual_reduction,
    resize_relu_conv_bn,
    row_column_conv,
    sep_conv,
    skip_connect,
    zero,
)
from netwright.blocks.convolution import (
    classifier,
    conv_bn_act,
    convolve,
    depthwise,
    make_divisible,
    mixing_classifier,
    pointwise,
    skip,
)
from netwright.blocks.mobilenet import (
    depthwise_separable,
    grouped_inverted_residual,
    inverted_residual,
    squeeze_excite,
)
from netwright.blocks.pooling import avg_pool, identity, max_pool
from netwright.blocks.resnet import basic, bottleneck, group_bottleneck, resnext
from netwright.blocks.segmentation import atrous_pyramid, segmentation_head
from netwright.blocks.shufflenet import shuffle_choice, shuffle_v1, shuffle_v2, shuffle_xception

__all__ = [
    "CELL_OPERATIONS",
    "Block",
    "BlockFunction",
    "atrous_pyramid",
    "avg_pool",
    "basic",
    "block",
    "bn_relu",
    "bottleneck",
    "cell_operation",
    "classifier",
    "conv_bn_act",
    "convolve",
    "depthwise",
    "depthwise_separable",
    "dil_conv",
    "factorized_reduce",
    "group_bottleneck",
    "grouped_inverted_residual",
    "identity",
    "inverted_residual",
    "make_divisible",
    "max_pool",
    "mixing_classifier",
    "normal_conv",
    "pointwise",
    "relu_conv_bn",
    "residual_reduction",
    "resize_relu_conv_bn",
    "resnext",
    "row_column_conv",
    "segmentation_head",
    "sep_conv",
    "shuffle_choice",
    "shuffle_v1",
    "shuffle_v2",
    "shuffle_xception",
    "skip",
    "skip_connect",
    "squeeze_excite",
    "zero",
]
