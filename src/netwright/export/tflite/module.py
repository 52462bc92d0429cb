"""A folded network as a torch module that litert-torch turns into the operators that we want.

It computes what ``netwright.nn.lower.Network`` computes, with images as TFLite has them: (1, H, W, C). What
torch pads with one pixel more at the end is written as a pad and a window without padding; the two become one
operator with padding SAME, see ``padding.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netwright.errors import ExportError
from netwright.export.tflite.folding import Folded
from netwright.ir.graph import Graph, Node
from netwright.ir.ops import (
    Activation,
    Add,
    ChannelShuffle,
    Concat,
    Conv,
    Flatten,
    GlobalPool,
    Input,
    Linear,
    Multiply,
    Op,
    Pool,
    Resize,
    Sides,
    Slice,
    pad_sides,
)

_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "hardswish": F.hardswish,
    "silu": lambda x: x * torch.sigmoid(x),
    "sigmoid": torch.sigmoid,
    "hardsigmoid": F.hardsigmoid,
}


class Deployed(nn.Module):
    """Images (1, H, W, C) or vectors (1, F) to the outputs of the graph, maps again as (1, H, W, C)."""

    def __init__(self, folded: Folded) -> None:
        super().__init__()
        self.graph = folded.graph
        readers = folded.graph.consumers()
        self._vectors = {
            node.name
            for node in folded.graph.nodes
            if isinstance(node.op, GlobalPool)
            and node.name not in folded.graph.outputs
            and all(isinstance(reader.op, Flatten) for reader in readers[node.name])
        }
        weights = dict(folded.weights)
        for node in folded.graph.nodes:
            if isinstance(node.op, Linear):
                key = f"{node.name}.weight"
                weights[key] = _columns_last(folded.graph, node, weights[key])
        for name, value in weights.items():
            self.register_buffer(_attribute(name), value)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The outputs of the graph."""
        values = {self.graph.nodes[0].name: x}
        for node in self.graph.nodes[1:]:
            arguments = [values[name] for name in node.inputs]
            values[node.name] = self._compute(node, arguments)
        results = tuple(values[name] for name in self.graph.outputs)
        return results[0] if len(results) == 1 else results

    def _compute(self, node: Node, inputs: list[Tensor]) -> Tensor:
        op = node.op
        if isinstance(op, Conv):
            return self._convolve(node, op, inputs[0])
        if isinstance(op, Linear):
            return F.linear(inputs[0], self._weight(node, "weight"), self._weight(node, "bias"))
        if isinstance(op, GlobalPool):
            return _global_pool(op, inputs[0], kept=node.name not in self._vectors)
        rule = _RULES.get(type(op))
        if rule is None:
            raise ExportError(f"{node.name}: {op.kind} cannot be exported to TFLite; known are {_known()}")
        return rule(node, op, inputs)

    def _weight(self, node: Node, kind: str) -> Tensor:
        return self.get_buffer(_attribute(f"{node.name}.{kind}"))

    def _convolve(self, node: Node, op: Conv, x: Tensor) -> Tensor:
        sides = pad_sides(op.padding, (x.shape[1], x.shape[2]), op.kernel, op.stride, op.dilation)
        top, bottom, left, right = sides
        padding = (top, left) if top == bottom >= 0 and left == right >= 0 else (0, 0)
        if padding == (0, 0):
            x = _padded(x, sides, 0.0)
        weight, bias = self._weight(node, "weight"), self._weight(node, "bias")
        y = F.conv2d(_columns_first(x), weight, bias, op.stride, padding, op.dilation, op.groups)
        return _channels_last(y)


def _attribute(name: str) -> str:
    return "w_" + name.replace(".", "__")


def _known() -> str:
    known: list[type[Op]] = [*_RULES, Conv, Linear, GlobalPool, Input]
    return ", ".join(sorted(op.kind for op in known))


def _columns_last(graph: Graph, node: Node, weight: Tensor) -> Tensor:
    """The weight of a linear layer with its columns in the order in which TFLite flattens a map."""
    flattened = graph[node.inputs[0]]
    if not isinstance(flattened.op, Flatten):
        return weight
    shape = graph[flattened.inputs[0]].shape
    if len(shape) != 3:
        return weight
    table = weight.reshape(weight.shape[0], *shape).permute(0, 2, 3, 1)
    return table.reshape(weight.shape).contiguous()


def _columns_first(x: Tensor) -> Tensor:
    """(N, H, W, C) as torch's windows read it."""
    return x.permute(0, 3, 1, 2)


def _channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def _padded(x: Tensor, sides: Sides, fill: float) -> Tensor:
    """The map (N, H, W, C) padded, or cropped where a side is below 0."""
    top, bottom, left, right = sides
    if min(sides) < 0:
        x = x[:, -min(top, 0) : x.shape[1] + min(bottom, 0), -min(left, 0) : x.shape[2] + min(right, 0)]
        top, bottom, left, right = (max(side, 0) for side in sides)
    return F.pad(x, (0, 0, left, right, top, bottom), value=fill) if max(sides) > 0 else x


def _pool(node: Node, op: Pool, inputs: list[Tensor]) -> Tensor:
    (x,) = inputs
    sides = pad_sides(op.padding, (x.shape[1], x.shape[2]), op.kernel, op.stride)
    x = _columns_first(_padded(x, sides, -inf if op.mode == "max" else 0.0))
    pool = F.max_pool2d if op.mode == "max" else F.avg_pool2d
    return _channels_last(pool(x, op.kernel, op.stride))


def _global_pool(op: GlobalPool, x: Tensor, kept: bool) -> Tensor:
    """(N, 1, 1, C); a mean that is flattened at once keeps no axes, (N, C), which spares a reshape."""
    if op.mode == "average":
        return x.mean((1, 2), keepdim=kept)
    # As a window over the whole map: the quantizer has no form of a maximum over axes.
    return _channels_last(F.max_pool2d(_columns_first(x), (x.shape[1], x.shape[2])))


def _shuffle(node: Node, op: ChannelShuffle, inputs: list[Tensor]) -> Tensor:
    """On the last axis: reshape, transpose, reshape."""
    batch, height, width, channels = inputs[0].shape
    table = inputs[0].reshape(batch, height, width, op.groups, channels // op.groups)
    return table.transpose(3, 4).reshape(batch, height, width, channels)


def _flatten(node: Node, op: Flatten, inputs: list[Tensor]) -> Tensor:
    return inputs[0].reshape(inputs[0].shape[0], -1)


def _add(node: Node, op: Add, inputs: list[Tensor]) -> Tensor:
    total = inputs[0]
    for other in inputs[1:]:
        total = total + other
    return total


def _resize(node: Node, op: Resize, inputs: list[Tensor]) -> Tensor:
    if op.mode == "bilinear":
        x = _columns_first(inputs[0])
        return _channels_last(F.interpolate(x, size=op.size, mode="bilinear", align_corners=False))
    raise ExportError(f"{node.name}: resize by nearest pixel cannot be exported to TFLite; use bilinear")


_RULES: dict[type[Any], Callable[[Node, Any, list[Tensor]], Tensor]] = {
    Activation: lambda node, op, inputs: _FUNCTIONS[op.function](inputs[0]),
    Pool: _pool,
    Add: _add,
    Multiply: lambda node, op, inputs: inputs[0] * inputs[1],
    Concat: lambda node, op, inputs: torch.cat(inputs, -1),
    ChannelShuffle: _shuffle,
    Slice: lambda node, op, inputs: inputs[0][..., op.start : op.stop],
    Resize: _resize,
    Flatten: _flatten,
}
