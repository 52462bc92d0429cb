"""How activations, sums and products lie in the converted file."""

from __future__ import annotations

from netwright.errors import GraphError
from netwright.ir.graph import Node
from netwright.ir.ops import Activation, Add, Conv, Linear, Multiply
from netwright.ir.tflm.shapes import all_read_by
from netwright.ir.tflm.writer import Writer


def function(to: Writer, node: Node, op: Activation) -> int:
    """What the activation becomes, see the functions below."""
    name, source = node.name, node.inputs[0]
    if op.function in ("relu", "relu6"):
        fused = to.fuse(source, op.function)
        if fused is None and op.function == "relu6":
            raise GraphError(
                f"{name}: relu6 has an int8 form only where a layer, sum, product or pool takes it up that "
                "nothing else reads; use relu here"
            )
        return _unary(to, "RELU", name, to.read(source)) if fused is None else fused
    if op.function == "hardswish":
        return _unary(to, "HARD_SWISH", name, to.read(source))
    if op.function == "hardsigmoid":
        return _hardsigmoid(to, node)
    y = _unary(to, "LOGISTIC", name, to.read(source))
    if op.function == "silu":
        x = to.read(source)
        y = to.apply("MUL", name, (x, y), to.shape(x))
    return y


def _unary(to: Writer, kind: str, name: str, source: int) -> int:
    return to.apply(kind, name, (source,), to.shape(source))


def _hardsigmoid(to: Writer, node: Node) -> int:
    """relu6(x + 3) / 6: the layer before adds, or an ADD; a layer behind divides, or a MUL."""
    source = node.inputs[0]
    layer = to.open_layer(source)
    if layer is None:
        x = to.read(source)
        three = to.scalar(node.name, "3")
        y = to.apply("ADD", node.name, (x, three), to.shape(x), function="relu6")
    else:
        to.fuse(source, "relu6")
        y = layer
    if all_read_by(to, node, Conv, Linear):
        return y
    return to.apply("MUL", node.name, (y, to.scalar(node.name, "1/6")), to.shape(y))


def add(to: Writer, node: Node, op: Add) -> int:
    """ADD, one less than there are summands."""
    first, *others = (to.read(name) for name in node.inputs)
    for other in others:
        first = to.apply("ADD", node.name, (first, other), to.shape(first))
    return first


def multiply(to: Writer, node: Node, op: Multiply) -> int:
    """MUL."""
    first, second = (to.read(name) for name in node.inputs)
    return to.apply("MUL", node.name, (first, second), to.shape(first))
