"""What a network costs: parameters, multiply-accumulates, weight bytes and peak activation memory.

| figure | rule |
|---|---|
| ``macs`` | multiply-accumulates of convolution and linear ops; bias, batch norm, pooling, activation are not in it |
| ``flops`` | 2 * macs |
| ``params`` | trainable elements as torch counts them, batch norm's scale and shift included |
| ``weight_bytes`` | what a deployed network stores: batch norm folded, a bias for every convolution and linear op, for int8 an int32 bias and a float32 scale for each output channel |
| ``peak_activation_bytes`` | the largest sum of live tensors over the schedule, see ``netwright.ir.memory`` |
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from netwright.ir.dtype import DType, find_dtype
from netwright.ir.graph import Graph, Node
from netwright.ir.memory import Fusion, MemoryModel, Moment, Step, fuse, profile_steps
from netwright.ir.ops import BatchNorm, Conv, Linear, Shape, macs, weights

COSTS = ("macs", "params", "weight_bytes", "peak_activation_bytes")
"""The costs that budgets limit and that questions about whole spaces are asked of."""


@dataclass(frozen=True, slots=True)
class NodeCost:
    """One node's share.

    Attributes:
        name: the node's place.
        kind: kind of its op.
        shape: output shape.
        params: trainable elements.
        macs: multiply-accumulates.
        weight_bytes: stored bytes, after batch norm is folded.
        memory: memory while its step runs, or None if it is fused into an earlier step.
    """

    name: str
    kind: str
    shape: Shape
    params: int
    macs: int
    weight_bytes: int
    memory: Moment | None


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a whole network.

    Attributes:
        params: trainable elements.
        params_without_bn: the same without the scale and shift of batch norm.
        macs: multiply-accumulates.
        weight_bytes: bytes of the stored weights in ``dtype``.
        peak_activation_bytes: peak of the activation memory in ``dtype``.
        peak_node: the node at whose step the peak is.
        dtype: number format.
        memory_model: name of the memory model.
        fusable: what may still be fused into the producer of the output, see ``netwright.ir.memory.fuse``.
        nodes: the shares of the nodes, in execution order.
    """

    params: int
    params_without_bn: int
    macs: int
    weight_bytes: int
    peak_activation_bytes: int
    peak_node: str
    dtype: str
    memory_model: str
    fusable: Fusion
    nodes: tuple[NodeCost, ...]

    @property
    def flops(self) -> int:
        """Floating-point operations, by convention 2 * macs."""
        return 2 * self.macs

    def totals(self) -> dict[str, int]:
        """The figures of ``COSTS`` by name."""
        return {
            "macs": self.macs,
            "params": self.params,
            "weight_bytes": self.weight_bytes,
            "peak_activation_bytes": self.peak_activation_bytes,
        }

    def to_dict(self) -> dict[str, Any]:
        """All totals as plain JSON values."""
        return {
            "params": self.params,
            "params_without_bn": self.params_without_bn,
            "macs": self.macs,
            "flops": self.flops,
            "weight_bytes": self.weight_bytes,
            "peak_activation_bytes": self.peak_activation_bytes,
            "peak_node": self.peak_node,
            "dtype": self.dtype,
            "memory_model": self.memory_model,
        }


def cost(
    graph: Graph, *, dtype: str = "int8", memory_model: MemoryModel = "standard", entry: Fusion = "closed"
) -> Cost:
    """Count what a network costs.

    Args:
        graph: the network.
        dtype: number format of weights and activations: ``int8``, ``float16`` or ``float32``.
        memory_model: ``standard`` or ``inplace-depthwise``.
        entry: what may be fused into the producer of the input; only for a block within a network.

    Returns:
        Totals and the share of every node.

    Raises:
        GraphError: if an op has no rule, or the dtype or memory model is unknown.
    """
    form = find_dtype(dtype)
    steps, fusable = fuse(graph, entry)
    memory = profile_steps(steps, graph.outputs, form.activation, memory_model)
    moments = {moment.step: moment for moment in memory.moments}
    folded = folded_norms(steps)
    nodes = tuple(_node_cost(graph, node, form, moments, folded) for node in graph.nodes)
    norms = sum(row.params for row in nodes if row.kind == BatchNorm.kind)
    params = sum(row.params for row in nodes)
    return Cost(
        params=params,
        params_without_bn=params - norms,
        macs=sum(row.macs for row in nodes),
        weight_bytes=sum(row.weight_bytes for row in nodes),
        peak_activation_bytes=memory.peak_bytes,
        peak_node=memory.peak_step,
        dtype=dtype,
        memory_model=memory_model,
        fusable=fusable,
        nodes=nodes,
    )


def folded_norms(steps: tuple[Step, ...]) -> frozenset[str]:
    """Names of nodes that are not steps of their own: whatever they hold is folded into another op."""
    return frozenset(name for step in steps for name in step.members[1:])


def stored_bytes(node: Node, inputs: tuple[Shape, ...], dtype: DType, folded: bool) -> int:
    """Bytes that a node's weights take in a deployed network.

    A convolution or linear op stores its weights, a bias for each output channel (which batch norm is
    folded into) and, in int8, a scale for each output channel. A batch norm that cannot be folded stores a
    multiplier and a bias for each channel.
    """
    if isinstance(node.op, Conv | Linear):
        weight = prod(weights(node.op, inputs)[0].shape)
        return weight * dtype.weight + node.shape[0] * (dtype.bias + dtype.scale)
    if isinstance(node.op, BatchNorm) and not folded:
        return node.shape[0] * (dtype.weight + dtype.bias + dtype.scale)
    return 0


def _node_cost(
    graph: Graph, node: Node, dtype: DType, moments: Mapping[str, Moment], folded: frozenset[str]
) -> NodeCost:
    inputs = graph.input_shapes(node)
    return NodeCost(
        name=node.name,
        kind=node.op.kind,
        shape=node.shape,
        params=sum(prod(weight.shape) for weight in weights(node.op, inputs)),
        macs=macs(node.op, inputs, node.shape),
        weight_bytes=stored_bytes(node, inputs, dtype, node.name in folded),
        memory=moments.get(node.name),
    )
