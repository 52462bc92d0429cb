"""Lowering: the operators of the int8 file that a network is converted to, from the graph alone.

| node | operators |
|---|---|
| convolution, linear | CONV_2D, DEPTHWISE_CONV_2D for depthwise ones and those of one input channel, FULLY_CONNECTED |
| batch norm | nothing behind a layer; else a 1x1 DEPTHWISE_CONV_2D |
| relu, relu6 | nothing behind layer, sum, product or pool that nothing else reads; else RELU, no rule for relu6 |
| hardswish, sigmoid, silu | HARD_SWISH; LOGISTIC; LOGISTIC and MUL |
| hardsigmoid | the layer before adds, MUL by 1/6; so squeeze-and-excite is MEAN, CONV_2D, CONV_2D, MUL, MUL |
| padding | ``same``, or what equals it: nothing; else PAD, or SLICE where a side is below 0 |
| channel shuffle | RESHAPE, TRANSPOSE, RESHAPE |
| add, multiply, concat, slice, pool, global average, flatten | ADD, MUL, CONCATENATION, SLICE, ..._POOL_2D, MEAN, RESHAPE |

Equal constants are one tensor. Nodes that no output depends on, and identities, leave nothing. What is in
the file is what counts: ``reconcile`` compares.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netwright.errors import GraphError
from netwright.ir.graph import Graph, Node
from netwright.ir.ops import (
    Activation,
    Add,
    BatchNorm,
    ChannelShuffle,
    Concat,
    Conv,
    Flatten,
    GlobalPool,
    Identity,
    Input,
    Linear,
    Multiply,
    Pool,
    Resize,
    Slice,
)
from netwright.ir.tflm import pointwise, shapes, windows
from netwright.ir.tflm.program import Program, activation
from netwright.ir.tflm.writer import Writer


def _input(to: Writer, node: Node, op: Input) -> int:
    channels, *size = node.shape
    return to.add(activation(node.name, (1, *size, channels)))


_RULES: dict[type[Any], Callable[[Writer, Node, Any], int]] = {
    Input: _input,
    Conv: windows.conv,
    Linear: windows.linear,
    BatchNorm: windows.batch_norm,
    Activation: pointwise.function,
    Pool: windows.pool,
    GlobalPool: windows.global_pool,
    Add: pointwise.add,
    Multiply: pointwise.multiply,
    Concat: shapes.concat,
    ChannelShuffle: shapes.shuffle,
    Slice: shapes.channel_slice,
    Resize: shapes.resize,
    Flatten: shapes.flatten,
}


def lower(graph: Graph) -> Program:
    """The file that a network is converted to.

    Args:
        graph: the network, in the order in which it will run.

    Raises:
        GraphError: if an op has no rule; nothing is left out silently.

    >>> from netwright.ir.graph import GraphBuilder
    >>> from netwright import blocks as B
    >>> build = GraphBuilder()
    >>> x = build.input((3, 8, 8))
    >>> x = B.conv_bn_act(out=8, activation="hardswish")(build, x)
    >>> lower(build.finish(x)).kinds
    ('CONV_2D', 'HARD_SWISH')
    """
    to = Writer(graph, _needed(graph))
    for node in graph.nodes:
        if to.source.get(node.name) != node.name:
            continue
        rule = _RULES.get(type(node.op))
        if rule is None:
            raise GraphError(
                f"{node.name}: {node.op.kind} has no rule for the memory of TensorFlow Lite Micro; expected "
                f"one of {', '.join(sorted({op.kind for op in _RULES} | {Identity.kind}))}"
            )
        to.tensor_of[node.name] = rule(to, node, node.op)
    return to.finish()


def _needed(graph: Graph) -> frozenset[str]:
    """Names of the nodes that an output depends on, and the input."""
    needed = {graph.nodes[0].name, *graph.outputs}
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return frozenset(needed)
