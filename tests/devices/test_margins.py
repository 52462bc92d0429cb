"""The margins against the measured formulas of the TensorFlow Lite Micro interpreter (int8, x86-64).

The formulas predict the interpreter's own memory to the byte and the file within 0.5 % for convolutions,
additions and global pooling; they were fitted to the real interpreter, not derived from netwright.
"""

from __future__ import annotations

import functools

import pytest

from netwright.devices import budget_for
from netwright.ir.graph import Graph
from netwright.ir.ops import Conv, Linear
from netwright.seeding import rng_for
from netwright.space import ExpressionSpace, costs_of, fitting
from netwright.spaces.mobilenet import mobilenet_tiny

PROGRAM = 64 * 1024
NETWORKS = 60


def runtime_bytes(graph: Graph) -> tuple[int, float]:
    """The interpreter's tail, and the file beyond weights, biases and scales."""
    channels = [node.shape[0] for node in graph.nodes if isinstance(node.op, Conv | Linear)]
    additions = sum(node.op.kind == "add" for node in graph.nodes)
    convolutions, operators = len(channels), len(channels) + additions + 1
    activations, constants = operators + 1, 2 * len(channels)
    tail = 504 + 24 * (activations + 2 * convolutions + constants) + 64 * operators
    tail += (28 + 80) * convolutions + (8 + 60) * additions + 1 + 44 + 24
    tail += sum(2 * ((4 * count + 15) // 16 * 16) for count in channels) + 2 * (8 + 64 + 24 + 8)
    file = (
        27.9 * sum(channels) + 209 * activations + 238 * convolutions - 81 * operators + 67 * constants + 290
    )
    return tail, file - 8 * sum(channels)


@functools.cache
def space_of(pixels: int) -> ExpressionSpace:
    return mobilenet_tiny((3, pixels, pixels), 10)


@pytest.mark.parametrize(
    ("pixels", "sram", "flash"),
    [(28, 64, 256), (28, 96, 512), (96, 128, 512), (96, 256, 1024), (96, 320, 1024), (96, 512, 2048)],
)
def test_what_fits_leaves_room_for_the_runtime(pixels: int, sram: int, flash: int) -> None:
    space = space_of(pixels)
    candidates = fitting(space, budget_for(max_sram=f"{sram}KB", max_flash=f"{flash}KB"))
    for number in range(NETWORKS):
        network = candidates.sample(rng_for(0, "margins", number))
        costs = costs_of(space, network)
        tail, beyond_weights = runtime_bytes(space.to_graph(network))
        assert costs["peak_activation_bytes"] + tail <= sram * 1024
        assert costs["weight_bytes"] + beyond_weights + PROGRAM <= flash * 1024


def test_the_worst_fragmentation_and_the_tail_that_the_docstring_names() -> None:
    for kilobytes in (48, 64, 128, 256, 320, 512):
        sram = kilobytes * 1024
        limit = budget_for(max_sram=sram)["peak_activation_bytes"]
        assert limit / 0.75 + 24 * 1024 <= sram
