"""Batch norm folded into the convolutions and linear layers before it, as the deployed network has it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from netwright.errors import ExportError
from netwright.ir.graph import Graph, GraphBuilder, Node
from netwright.ir.graph import Tensor as Handle
from netwright.ir.ops import BatchNorm, Conv, Identity, Linear
from netwright.ir.tflm import reordered
from netwright.nn.lower import Network


@dataclass(frozen=True, slots=True)
class Folded:
    """A network without batch norm.

    Attributes:
        graph: no batch norm and no identity in it; every convolution and linear layer has a bias.
        weights: by ``<place>.weight`` and ``<place>.bias``, float32 on the CPU.
    """

    graph: Graph
    weights: Mapping[str, Tensor]


def fold(network: Network, order: Sequence[str] | None = None) -> Folded:
    """Fold every batch norm into the convolution or linear layer whose only reader it is.

    A batch norm behind anything else becomes a 1x1 depthwise convolution, which computes the same. The
    arithmetic is float64, rounded to float32 once.

    Args:
        network: any network of ``netwright.nn.build``; stays as it is.
        order: see ``netwright.ir.tflm.reordered``; None keeps the order of definition.

    Raises:
        ExportError: if a batch norm on a vector has no linear layer before it, or the order is not valid.
    """
    graph = network.graph if order is None else reordered(network.graph, order)
    state = {name: value.detach().cpu().double() for name, value in network.state_dict().items()}
    uses = {node.name: len(readers) for node, readers in _readers(graph)}
    builder = GraphBuilder()
    handles: dict[str, Handle] = {}
    open_layers: set[str] = set()
    weights: dict[str, Tensor] = {}
    for node in graph.nodes:
        inputs = [handles[name] for name in node.inputs]
        if isinstance(node.op, Identity):
            handles[node.name] = inputs[0]
            if uses[node.inputs[0]] > 1:
                open_layers.discard(inputs[0].name)
            continue
        if isinstance(node.op, BatchNorm):
            scale, shift = _scale_and_shift(node, state)
            if inputs[0].name in open_layers and uses[node.inputs[0]] == 1:
                _scale_layer(inputs[0].name, scale, shift, weights)
                handles[node.name] = inputs[0]
                continue
            handles[node.name] = builder.apply(node.name, _as_depthwise(node), *inputs)
            weights[f"{node.name}.weight"] = scale.reshape(-1, 1, 1, 1)
            weights[f"{node.name}.bias"] = shift
            continue
        op = node.op
        if isinstance(op, Conv | Linear):
            weight = state[f"{node.name}.weight"]
            weights[f"{node.name}.weight"] = weight
            bias = state[f"{node.name}.bias"] if op.bias else weight.new_zeros(weight.shape[0])
            weights[f"{node.name}.bias"] = bias
            op = dataclasses.replace(op, bias=True)
            open_layers.add(node.name)
        handles[node.name] = builder.apply(node.name, op, *inputs)
    folded = builder.finish(*(handles[name] for name in graph.outputs))
    return Folded(folded, {name: value.float().contiguous() for name, value in weights.items()})


def _readers(graph: Graph) -> list[tuple[Node, list[str]]]:
    """Every node with the names of its readers; the caller, who reads the outputs, is one too."""
    consumers = graph.consumers()
    outputs = list(graph.outputs)
    return [
        (node, [reader.name for reader in consumers[node.name]] + [n for n in outputs if n == node.name])
        for node in graph.nodes
    ]


def _scale_and_shift(node: Node, state: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """What a batch norm multiplies with and adds, per channel."""
    assert isinstance(node.op, BatchNorm)
    mean, variance = state[f"{node.name}.running_mean"], state[f"{node.name}.running_var"]
    scale = 1 / torch.sqrt(variance + node.op.eps)
    shift = -mean * scale
    if node.op.affine:
        gamma = state[f"{node.name}.weight"]
        scale, shift = scale * gamma, shift * gamma + state[f"{node.name}.bias"]
    return scale, shift


def _scale_layer(place: str, scale: Tensor, shift: Tensor, weights: dict[str, Tensor]) -> None:
    weight = weights[f"{place}.weight"]
    weights[f"{place}.weight"] = weight * scale.reshape(-1, *[1] * (weight.dim() - 1))
    weights[f"{place}.bias"] = weights[f"{place}.bias"] * scale + shift


def _as_depthwise(node: Node) -> Conv:
    if len(node.shape) != 3:
        raise ExportError(
            f"{node.name}: a batch norm on a vector can be exported only right behind a linear layer"
        )
    channels = node.shape[0]
    return Conv(channels, groups=channels, bias=True)
