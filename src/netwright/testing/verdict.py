"""What torch itself says about a graph: the judge of shapes, parameters and multiply-accumulates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from netwright.ir.graph import Graph
from netwright.ir.ops import Shape
from netwright.nn.lower import Network, build


@dataclass(frozen=True)
class Verdict:
    """What torch found.

    Attributes:
        params: number of elements of all parameters.
        macs: half of what ``FlopCounterMode`` counts for one image.
        shapes: real output shape of every node but the input, without the batch.
        weights: shape of every parameter, by node and name.
    """

    params: int
    macs: int
    shapes: dict[str, Shape]
    weights: dict[str, dict[str, Shape]]


def ask_torch(graph: Graph) -> Verdict:
    """Run the network of a graph on one image of the meta device, which computes shapes but no numbers."""
    with torch.device("meta"):
        network = build(graph, seed=0).eval()
        image = torch.empty(1, *graph.input_shape)
    shapes: dict[str, Shape] = {}
    places = {node.name for node in graph.nodes}
    for name, module in network.named_modules():
        if name in places:
            module.register_forward_hook(_noting(name, shapes))
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(image)
    weights: dict[str, dict[str, Shape]] = {}
    for name, parameter in network.named_parameters():
        place, _, leaf = name.rpartition(".")
        weights.setdefault(place, {})[leaf] = tuple(parameter.shape)
    return Verdict(
        params=sum(parameter.numel() for parameter in network.parameters()),
        macs=int(counter.get_total_flops()) // 2,
        shapes=shapes,
        weights=weights,
    )


def _noting(name: str, shapes: dict[str, Shape]) -> Callable[[torch.nn.Module, Any, torch.Tensor], None]:
    def hook(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> None:
        shapes[name] = tuple(output.shape[1:])

    return hook


def random_network(graph: Graph, seed: int = 0) -> Network:
    """The network of a graph in eval mode and float64, every parameter and statistic drawn at random.

    A fresh batch norm is close to the identity, and would hide a wrong order or a wrong channel.
    """
    network = build(graph, seed=seed).double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                drawn = torch.randn(value.shape, generator=generator, dtype=torch.float64)
                value.copy_(drawn.abs() + 0.5 if name.endswith("running_var") else drawn)
    return network


def random_images(graph: Graph, number: int = 2, seed: int = 1) -> torch.Tensor:
    """Gaussian input for the network of a graph, in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(number, *graph.input_shape, generator=generator, dtype=torch.float64)


def results(network: torch.nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """All outputs of a network as a tuple, without gradients."""
    with torch.no_grad():
        outputs = network(images)
    return outputs if isinstance(outputs, tuple) else (outputs,)
