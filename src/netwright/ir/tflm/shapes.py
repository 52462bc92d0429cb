"""How ops that move values lie in the converted file: flatten, shuffle, slice, concatenation, resize."""

from __future__ import annotations

from math import prod

from netwright.errors import GraphError
from netwright.ir.graph import Node
from netwright.ir.ops import ChannelShuffle, Concat, Flatten, Linear, Op, Resize, Slice
from netwright.ir.tflm.writer import Writer

_MOST_INPUTS = 10
"""Inputs that the interpreter's kernel of CONCATENATION can take."""


def all_read_by(to: Writer, node: Node, *kinds: type[Op]) -> bool:
    """Whether every reader of a node is an op of these kinds."""
    return all(reader is not None and isinstance(reader.op, kinds) for reader in to.readers[node.name])


def flatten(to: Writer, node: Node, op: Flatten) -> int:
    """RESHAPE; nothing where the map is one pixel that a linear layer reads, or a vector already."""
    source = to.read(node.inputs[0])
    shape = (1, node.shape[0])
    if to.shape(source) == shape:
        return source
    if prod(to.shape(source)[:-1]) == 1 and all_read_by(to, node, Linear):
        return source
    producer = to.producer(source)
    target = to.indices(node.name, *shape)
    if producer is not None and producer.kind == "RESHAPE" and to.alone(node.inputs[0]):
        to.reshape_again(source, (producer.inputs[0], target), shape)
        return source
    return to.apply("RESHAPE", node.name, (source, target), shape)


def shuffle(to: Writer, node: Node, op: ChannelShuffle) -> int:
    """RESHAPE, TRANSPOSE, RESHAPE; nothing for one group, or for groups of one."""
    source = to.read(node.inputs[0])
    channels, height, width = node.shape
    rows, columns = op.groups, channels // op.groups
    if min(rows, columns) == 1:
        return source
    name = node.name
    table = (1, height, width, rows, columns)
    y = to.apply("RESHAPE", name, (source, to.indices(name, *table)), table)
    turned = (1, height, width, columns, rows)
    y = to.apply("TRANSPOSE", name, (y, to.indices(name, 0, 1, 2, 4, 3)), turned)
    shape = (1, height, width, channels)
    return to.apply("RESHAPE", name, (y, to.indices(name, *shape)), shape)


def channel_slice(to: Writer, node: Node, op: Slice) -> int:
    """SLICE; nothing where all channels stay."""
    source = to.read(node.inputs[0])
    whole = to.shape(source)
    shape = (*whole[:-1], op.stop - op.start)
    if shape == whole:
        return source
    begin = to.indices(node.name, *(0,) * (len(whole) - 1), op.start)
    return to.apply("SLICE", node.name, (source, begin, to.indices(node.name, *shape)), shape)


def concat(to: Writer, node: Node, op: Concat) -> int:
    """CONCATENATION; one that only this one reads is written into it."""
    parts: list[int] = []
    for name in node.inputs:
        index = to.read(name)
        producer = to.producer(index)
        if producer is not None and producer.kind == "CONCATENATION" and to.alone(name):
            parts += producer.inputs
            to.dropped.add(index)
        elif producer is not None and producer.kind == "LOGISTIC":
            # The scale of a sigmoid is fixed, those of a concatenation are one.
            parts.append(to.apply("QUANTIZE", node.name, (index,), to.shape(index)))
        else:
            parts.append(index)
    if len(parts) > _MOST_INPUTS:
        raise GraphError(
            f"{node.name}: expected at most {_MOST_INPUTS} inputs, as TensorFlow Lite Micro cannot join "
            f"more, got {len(parts)}"
        )
    shape = (*to.shape(parts[0])[:-1], node.shape[0])
    return to.apply("CONCATENATION", node.name, tuple(parts), shape)


def resize(to: Writer, node: Node, op: Resize) -> int:
    """RESIZE_BILINEAR."""
    if op.mode != "bilinear":
        raise GraphError(
            f"{node.name}: resize by nearest pixel has no form in the converted file; use bilinear"
        )
    source = to.read(node.inputs[0])
    shape = (1, *op.size, node.shape[0])
    return to.apply("RESIZE_BILINEAR", node.name, (source, to.indices(node.name, *op.size)), shape)
