"""What torch itself says about a graph: the judge of shapes, parameters and multiply-accumulates.

Networks run on the meta device, which computes shapes and counts but holds no numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from netwright.blocks import Block
from netwright.ir.graph import Graph, GraphBuilder
from netwright.ir.ops import Shape
from netwright.nn.lower import Network, build


@dataclass(frozen=True)
class Verdict:
    """What torch found.

    Attributes:
        params: number of elements of all parameters.
        macs: ``FlopCounterMode`` / 2 for one image.
        shapes: real output shape of every node but the input, without the batch.
    """

    params: int
    macs: int
    shapes: dict[str, Shape]


def ask_torch(graph: Graph) -> Verdict:
    """Run the network of a graph on one image of the meta device and look."""
    with torch.device("meta"):
        network = build(graph, seed=0).eval()
        image = torch.empty(1, *graph.input_shape)
    shapes: dict[str, Shape] = {}

    def note(name: str) -> Any:
        def hook(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> None:
            shapes[name] = tuple(output.shape[1:])

        return hook

    places = {node.name for node in graph.nodes}
    for name, module in network.named_modules():
        if name in places:
            module.register_forward_hook(note(name))
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(image)
    return Verdict(
        params=sum(parameter.numel() for parameter in network.parameters()),
        macs=counter.get_total_flops() // 2,
        shapes=shapes,
    )


def graph_of(block: Block, shape: Shape) -> Graph:
    """A graph that is one block."""
    builder = GraphBuilder()
    return builder.finish(block(builder, builder.input(shape)))


def random_network(graph: Graph, seed: int = 0) -> Network:
    """The network of a graph in eval mode and float64, every parameter and statistic drawn at random.

    Fresh batch norms are close to the identity, and would hide a wrong order or a wrong channel.
    """
    network = build(graph, seed=seed).double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                drawn = torch.randn(value.shape, generator=generator, dtype=torch.float64)
                value.copy_(drawn.abs() + 0.5 if name.endswith("running_var") else drawn)
    return network
