"""Removing ops that cannot change the result; graphs keep them until this is asked for."""

from __future__ import annotations

from netwright.ir.graph import Graph, GraphBuilder, Node, Tensor
from netwright.ir.ops import (
    Activation,
    Add,
    ChannelShuffle,
    Concat,
    Conv,
    Flatten,
    GlobalPool,
    Identity,
    Input,
    Multiply,
    Pool,
    Resize,
    Slice,
    Zero,
)

_KEEP_ZERO = (ChannelShuffle, Concat, Flatten, GlobalPool, Identity, Pool, Resize, Slice, Add)
_FUNCTIONS_OF_ZERO = ("relu", "relu6", "hardswish", "silu")


def prune_dead(graph: Graph) -> Graph:
    """Drop what cannot change the outputs; the pruned network computes the same function.

    - Ops that no output depends on are dropped.
    - A tensor that is zero whatever the weights are (``zero``, and what keeps zero: a convolution without
      bias, pooling, relu ...) is dropped from the sums that it is added to; a sum of one is that summand.
    - Identities are dropped.

    Batch norm of zero is its shift and therefore stays. The input and the outputs stay, under their names.

    Args:
        graph: the network.

    Returns:
        A graph with the names of the places that are left; the graph itself if it has nothing dead.
    """
    if not _may_have_dead(graph):
        return graph
    zero = _always_zero(graph)
    source: dict[str, str] = {}
    for node in graph.nodes:
        source[node.name] = _stands_for(node, zero, source, graph.outputs)
    needed: set[str] = set()
    stack = list(graph.outputs)
    while stack:
        name = stack.pop()
        if name not in needed:
            needed.add(name)
            stack += [source[read] for read in _reads(graph[name], zero)]
    return _rebuild(graph, needed, source, zero)


def _may_have_dead(graph: Graph) -> bool:
    """Whether there is anything to look for: most networks of chains have nothing, and are many."""
    read = {name for node in graph.nodes for name in node.inputs}.union(graph.outputs)
    return any(isinstance(node.op, Zero | Identity) or node.name not in read for node in graph.nodes)


def _always_zero(graph: Graph) -> frozenset[str]:
    zero: set[str] = set()
    for node in graph.nodes:
        from_zero = bool(node.inputs) and all(name in zero for name in node.inputs)
        op = node.op
        keeps = (
            isinstance(op, _KEEP_ZERO)
            or (isinstance(op, Conv) and not op.bias)
            or (isinstance(op, Activation) and op.function in _FUNCTIONS_OF_ZERO)
        )
        product = isinstance(op, Multiply) and any(name in zero for name in node.inputs)
        if isinstance(op, Zero) or product or (from_zero and keeps):
            zero.add(node.name)
    return frozenset(zero)


def _reads(node: Node, zero: frozenset[str]) -> tuple[str, ...]:
    """What a kept node still reads: a sum reads no zeros, unless it has nothing else to read."""
    if not isinstance(node.op, Add):
        return node.inputs
    return tuple(name for name in node.inputs if name not in zero) or node.inputs[:1]


def _stands_for(node: Node, zero: frozenset[str], source: dict[str, str], outputs: tuple[str, ...]) -> str:
    """The node whose output equals this one's, itself unless it is an identity or a sum of one."""
    if node.name in outputs:
        return node.name
    reads = _reads(node, zero)
    if isinstance(node.op, Identity) or (isinstance(node.op, Add) and len(reads) == 1):
        return source[reads[0]]
    return node.name


def _rebuild(graph: Graph, needed: set[str], source: dict[str, str], zero: frozenset[str]) -> Graph:
    build = GraphBuilder()
    tensors: dict[str, Tensor] = {}
    for node in graph.nodes:
        if node.name not in needed and not isinstance(node.op, Input):
            continue
        inputs = [tensors[source[name]] for name in _reads(node, zero)]
        op = node.op
        if isinstance(op, Add) and len(inputs) == 1:
            op = Identity()
        tensors[node.name] = build.apply(node.name, op, *inputs)
    return build.finish(*(tensors[name] for name in graph.outputs))
