"""How convolutions, linear layers, pools and batch norms lie in the converted file."""

from __future__ import annotations

from math import prod

from netwright.errors import GraphError
from netwright.ir.graph import Node
from netwright.ir.ops import (
    BatchNorm,
    Conv,
    Flatten,
    GlobalPool,
    Linear,
    Multiply,
    Pool,
    Shape,
    Sides,
    pad_sides,
)
from netwright.ir.tflm.program import OMITTED
from netwright.ir.tflm.shapes import all_read_by
from netwright.ir.tflm.writer import Writer

_NOTHING: Sides = (0, 0, 0, 0)


def conv(to: Writer, node: Node, op: Conv) -> int:
    """CONV_2D, or DEPTHWISE_CONV_2D where each input channel has filters of its own.

    Padding that is not what SAME does becomes a PAD, and so a second map in memory; a crop a SLICE of each
    axis.
    """
    channels, *size = to.graph[to.source[node.inputs[0]]].shape
    extent = (size[0], size[1])
    sides = pad_sides(op.padding, extent, op.kernel, op.stride, op.dilation)
    source = to.read(node.inputs[0])
    same = False
    if sides != _NOTHING:
        wanted = (
            "same" if op.padding == "same" else pad_sides("same", extent, op.kernel, op.stride, op.dilation)
        )
        same = wanted in ("same", sides)
        if not same:
            source = _pad(to, node, source, sides)
    filters = op.out_channels
    depthwise = op.groups == channels
    shape: Shape = (1, *op.kernel, filters) if depthwise else (filters, *op.kernel, channels // op.groups)
    weights = to.weights(node.name, shape, filters)
    bias = to.bias(node.name, filters, zeros=not op.bias and not _shifted(to, node))
    _, height, width = node.shape
    return to.apply(
        "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D",
        node.name,
        (source, weights, bias),
        (1, height, width, filters),
        same,
        op.stride,
        op.dilation,
    )


def _pad(to: Writer, node: Node, source: int, sides: Sides) -> int:
    known = to.padded.get((source, sides))
    if known is not None:
        return known
    whole = source
    top, bottom, left, right = (max(side, 0) for side in sides)
    for axis, before, after in ((1, *sides[:2]), (2, *sides[2:])):
        source = _crop(to, node, source, axis, min(before, 0), min(after, 0))
    if max(sides) <= 0:
        to.padded[whole, sides] = source
        return source
    numbers = to.indices(node.name, 0, 0, top, bottom, left, right, 0, 0, rows=4)
    _, height, width, channels = to.shape(source)
    shape = (1, height + top + bottom, width + left + right, channels)
    to.padded[whole, sides] = output = to.apply("PAD", node.name, (source, numbers), shape)
    return output


def _crop(to: Writer, node: Node, source: int, axis: int, before: int, after: int) -> int:
    """SLICE of one axis of (1, H, W, C); nothing without a side below 0."""
    if before == after == 0:
        return source
    shape = list(to.shape(source))
    shape[axis] += before + after
    begin = [0, 0, 0, 0]
    begin[axis] = -before
    inputs = (source, to.indices(node.name, *begin), to.indices(node.name, *shape))
    return to.apply("SLICE", node.name, inputs, tuple(shape))


def linear(to: Writer, node: Node, op: Linear) -> int:
    """FULLY_CONNECTED; without a bias and without batch norm it bears none."""
    source = to.read(node.inputs[0])
    features = to.graph[to.source[node.inputs[0]]].shape[0]
    weights = to.weights(node.name, (op.out_features, features), op.out_features)
    bias = to.bias(node.name, op.out_features) if op.bias or _shifted(to, node) else OMITTED
    return to.apply("FULLY_CONNECTED", node.name, (source, weights, bias), (1, op.out_features))


def _shifted(to: Writer, node: Node) -> bool:
    """Whether what follows a layer, and reads it alone, gives it a bias."""
    readers = to.readers[node.name]
    if len(readers) != 1 or readers[0] is None:
        return False
    op = readers[0].op
    return isinstance(op, BatchNorm) or getattr(op, "function", "") == "hardsigmoid"


def batch_norm(to: Writer, node: Node, op: BatchNorm) -> int:
    """Nothing behind a layer, into which it is folded; else a 1x1 DEPTHWISE_CONV_2D."""
    source = to.open_layer(node.inputs[0])
    if source is not None:
        return source
    if len(node.shape) != 3:
        raise GraphError(
            f"{node.name}: a batch norm on a vector has a rule only right behind a linear layer that nothing "
            "else reads"
        )
    channels = node.shape[0]
    source = to.read(node.inputs[0])
    weights = to.weights(node.name, (1, 1, 1, channels), channels)
    bias = to.bias(node.name, channels)
    return to.apply("DEPTHWISE_CONV_2D", node.name, (source, weights, bias), to.shape(source))


def pool(to: Writer, node: Node, op: Pool) -> int:
    """MAX_POOL_2D or AVERAGE_POOL_2D; TFLite knows no padding but SAME and none."""
    _, *size = to.graph[to.source[node.inputs[0]]].shape
    extent = (size[0], size[1])
    sides = pad_sides(op.padding, extent, op.kernel, op.stride)
    if sides not in (_NOTHING, pad_sides("same", extent, op.kernel, op.stride)):
        raise GraphError(
            f"{node.name}: expected padding 'same' or none on {extent[0]}x{extent[1]} pixels, as TFLite has "
            f"no other for pools, got {sides}"
        )
    channels, height, width = node.shape
    return to.apply(
        "MAX_POOL_2D" if op.mode == "max" else "AVERAGE_POOL_2D",
        node.name,
        (to.read(node.inputs[0]),),
        (1, height, width, channels),
        same=sides != _NOTHING,
        stride=op.stride,
        window=op.kernel,
    )


def global_pool(to: Writer, node: Node, op: GlobalPool) -> int:
    """MEAN, SUM or, of one pixel, nothing; a vector at once where all readers flatten or spread it."""
    if op.mode != "average":
        raise GraphError(
            f"{node.name}: a global maximum has no int8 form in the file; use an average, or a pool "
            "of the whole map"
        )
    source = to.read(node.inputs[0])
    channels = node.shape[0]
    shape: Shape = (1, channels) if all_read_by(to, node, Flatten, Multiply) else (1, 1, 1, channels)
    one_pixel = prod(to.shape(source)[1:3]) == 1
    if shape == to.shape(source):
        return source
    # The converter takes the mean of one pixel for a sum.
    kind = "SUM" if one_pixel else "MEAN"
    return to.apply(kind, node.name, (source, to.indices(node.name, 1, 2)), shape)
