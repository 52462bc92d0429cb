"""Rounding to int8 while training, so that a network learns to bear it.

Simulated quantisation with straight-through gradients [Jacob et al. 2018, arXiv:1712.05877, Sec. 3]: every
tensor that is int8 in the file is rounded to the grid that it would have there. Batch norm is folded before
[Sec. 3.2, with the statistics of training, which stay], so that weights are rounded as the file has them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization, remove_parametrizations

from netwright.export.tflite.folding import fold
from netwright.ir.graph import Graph
from netwright.ir.ops import Activation, Conv, Linear
from netwright.ir.tflm import lower
from netwright.ir.tflm.writer import sources
from netwright.nn.lower import Network, build


def folded_network(network: Network) -> Network:
    """The same network with every batch norm folded into the layer before it, in eval mode.

    Args:
        network: any network of ``netwright.nn.build``; stays as it is.

    Raises:
        ExportError: if a batch norm cannot be folded.
    """
    folded = fold(network)
    new = build(folded.graph, seed=0)
    new.load_state_dict(dict(folded.weights))
    return new.eval()


class FakeQuantized(nn.Module):
    """A network with int8's rounding of weights and activations, to be trained.

    Weights have a scale for each output channel, and no zero point; activations one scale and zero point for
    the whole tensor, by the extremes over the batch, as calibration takes them over its images. What rounds
    to one value gives its gradient to what it was rounded from. Biases, which are int32, are not rounded.

    Attributes:
        network: what is trained: that which was given, with batch norm folded, in float32.

    Args:
        network: trained; stays as it is.

    Raises:
        ExportError: if a batch norm cannot be folded.
        GraphError: if an op has no int8 form.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = folded_network(network)
        graph = self.network.graph
        for node in graph.nodes:
            if isinstance(node.op, Conv | Linear):
                layer = self.network.get_submodule(node.name)
                register_parametrization(layer, "weight", _Weights())
        self._hooks = [
            self.network.get_submodule(name).register_forward_hook(_round_output)
            for name in int8_nodes(graph)
        ]

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The outputs for a batch, as the network has them."""
        outputs: Tensor | tuple[Tensor, ...] = self.network(round_activations(x))
        return outputs

    def finish(self) -> Network:
        """End the rounding of activations; the weights of the network stay rounded.

        Returns:
            The network, in eval mode. It is a plain one again, and this module is of no more use.
        """
        for hook in self._hooks:
            hook.remove()
        for node in self.network.graph.nodes:
            if isinstance(node.op, Conv | Linear):
                remove_parametrizations(self.network.get_submodule(node.name), "weight")
        return self.network.eval()


def int8_nodes(graph: Graph) -> tuple[str, ...]:
    """Nodes but for the input whose output is a tensor of the file, not computed within another operator.

    Args:
        graph: without batch norm and identities, as ``folding.fold`` gives it.

    >>> from netwright.ir.graph import GraphBuilder
    >>> build = GraphBuilder()
    >>> x = build.apply("conv", Conv(8, (3, 3), bias=True), build.input((3, 8, 8)))
    >>> int8_nodes(build.finish(build.apply("act", Activation("relu6"), x)))
    ('act',)
    """
    program = lower(graph)
    fused = {
        operator.node
        for operator in program.operators
        if operator.function and not isinstance(graph[operator.node].op, Activation)
    }
    written = {program.tensors[operator.output].node for operator in program.operators}
    source = sources(graph.nodes)
    whole = {
        node.name
        for node in graph.nodes[1:]
        if (node.name in written and node.name not in fused)
        or (isinstance(node.op, Activation) and source[node.inputs[0]] in fused)
    }
    return tuple(node.name for node in graph.nodes[1:] if source[node.name] in whole)


def round_activations(x: Tensor) -> Tensor:
    """Round to the 256 values that int8 has between the extremes of a tensor, zero always among them."""
    low = x.detach().amin().clamp(max=0.0)
    high = x.detach().amax().clamp(min=0.0)
    scale = ((high - low) / 255).clamp(min=torch.finfo(torch.float32).tiny)
    zero_point = (-128 - torch.round(low / scale)).clamp(-128, 127).to(torch.int32)
    return torch.fake_quantize_per_tensor_affine(x, scale, zero_point, -128, 127)


def round_weights(weight: Tensor) -> Tensor:
    """Round to 255 values for each output channel, the first axis, symmetric around zero."""
    largest = weight.detach().abs().flatten(1).amax(1)
    scale = (largest / 127).clamp(min=torch.finfo(torch.float32).tiny)
    zero_points = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scale, zero_points, 0, -127, 127)


class _Weights(nn.Module):
    """``round_weights`` as a parametrization."""

    def forward(self, weight: Tensor) -> Tensor:
        return round_weights(weight)


def _round_output(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return round_activations(output)
