from __future__ import annotations

import pytest

from netwright.ir.ops import Activation, Conv
from netwright.ir.tflm import lower
from netwright.seeding import rng_for
from netwright.space import sample, size
from netwright.spaces.catalog import make_space
from netwright.spaces.tinyml import convnet_tiny


@pytest.mark.parametrize(("layers", "kinds"), [("all", 1 + 1 + 2 * 2), ("ordinary", 2)])
def test_size_of_the_space_of_small_convolutional_networks(layers: str, kinds: int) -> None:
    # One to three layers of each kind in a stage of 4 or 5 widths; 4 widths and 2 strides of the stem.
    stage = kinds + kinds**2 + kinds**3
    space = make_space("convnet-tiny", (1, 28, 28), 10, {"layers": layers})
    assert size(space) == 4 * 2 * (4 * stage) * (5 * stage) * (4 * stage)


def test_ordinary_layers_are_not_depthwise() -> None:
    space = convnet_tiny((3, 32, 32), 10, layers="ordinary")
    rng = rng_for(0)
    for _ in range(20):
        graph = space.to_graph(sample(space, rng))
        assert all(node.op.groups == 1 for node in graph.nodes if isinstance(node.op, Conv))


def test_activations_are_taken_up_and_nothing_is_padded() -> None:
    space = convnet_tiny((1, 28, 28), 10)
    rng = rng_for(0)
    for _ in range(20):
        graph = space.to_graph(sample(space, rng))
        assert {node.op.function for node in graph.nodes if isinstance(node.op, Activation)} == {"relu6"}
        assert set(lower(graph).kinds) <= {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MEAN", "FULLY_CONNECTED"}
