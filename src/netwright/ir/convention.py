"""How other tools count: named presets that reproduce their numbers.

Three tools give three numbers for one network because they count different things, not because one of
them is wrong. Each preset here states what it adds to the multiply-accumulates of convolution and linear ops:

| convention | adds |
|---|---|
| ``native`` | nothing |
| ``nasbench201`` | the bias of linear ops [Dong & Yang 2020, arXiv:2001.00326] |
| ``thop`` | 2 per batch-norm element; 1 per average-pool output; per output of global average pooling 1 per input pixel and 1 for the division |
| ``ptflops`` | the bias of convolution and linear ops; 2 per batch-norm element; 1 per element of relu and relu6; 1 per *input* element of every pooling |

Element-wise sums and products, concatenation and data movement are functions and not modules in these
tools and are not counted by them. Ops for which a tool has no agreed rule raise an error.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

from netwright.errors import GraphError
from netwright.ir.graph import Graph
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
    Op,
    Pool,
    Shape,
    Slice,
    Zero,
    macs,
)

Rule = Callable[[Op, tuple[Shape, ...], Shape], int]
"""What a tool counts for an op: from op, input shapes and output shape."""

_FREE = (Input, Identity, Flatten, Add, Multiply, Concat, ChannelShuffle, Slice, Zero)


def _no_rule(convention: str, op: Op) -> GraphError:
    return GraphError(
        f"convention {convention}: no rule for op {op.kind!r} ({op}); use --convention native, "
        "which counts convolution and linear ops alone"
    )


def _native(op: Op, inputs: tuple[Shape, ...], output: Shape) -> int:
    return macs(op, inputs, output)


def _nasbench201(op: Op, inputs: tuple[Shape, ...], output: Shape) -> int:
    return macs(op, inputs, output) + (prod(output) if isinstance(op, Linear) and op.bias else 0)


def _thop(op: Op, inputs: tuple[Shape, ...], output: Shape) -> int:
    if isinstance(op, Conv | Linear):
        return macs(op, inputs, output)
    if isinstance(op, BatchNorm):
        return 2 * prod(output)
    if isinstance(op, Pool):
        return prod(output) if op.mode == "average" else 0
    if isinstance(op, GlobalPool) and op.mode == "average":
        return (prod(inputs[0][1:]) + 1) * prod(output)
    if isinstance(op, Activation) and op.function in ("relu", "relu6"):
        return 0
    if isinstance(op, _FREE):
        return 0
    raise _no_rule("thop", op)


def _ptflops(op: Op, inputs: tuple[Shape, ...], output: Shape) -> int:
    if isinstance(op, Conv | Linear):
        return macs(op, inputs, output) + (prod(output) if op.bias else 0)
    if isinstance(op, BatchNorm):
        return (2 if op.affine else 1) * prod(output)
    if isinstance(op, Pool | GlobalPool):
        return prod(inputs[0])
    if isinstance(op, Activation) and op.function in ("relu", "relu6"):
        return prod(output)
    if isinstance(op, _FREE):
        return 0
    raise _no_rule("ptflops", op)


CONVENTIONS: Mapping[str, Rule] = {
    "native": _native,
    "nasbench201": _nasbench201,
    "thop": _thop,
    "ptflops": _ptflops,
}


def count_operations(graph: Graph, convention: str = "native") -> int:
    """Count a network's operations as a named tool does.

    Args:
        graph: the network.
        convention: one of ``CONVENTIONS``.

    Raises:
        GraphError: if the convention is unknown or has no rule for an op of the graph.
    """
    if convention not in CONVENTIONS:
        raise GraphError(f"convention: expected one of {tuple(CONVENTIONS)}, got {convention!r}")
    rule = CONVENTIONS[convention]
    return sum(rule(node.op, graph.input_shapes(node), node.shape) for node in graph.nodes)
