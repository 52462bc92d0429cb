from __future__ import annotations

from typing import Any

import pytest

from netwright.ir.cost import cost
from netwright.ir.ops import Activation, Conv
from netwright.ir.tflm import lower
from netwright.seeding import rng_for
from netwright.space import sample, size
from netwright.space.deployed import runtime_costs_of
from netwright.spaces.catalog import make_space
from netwright.spaces.tinyml import convnet_tiny


@pytest.mark.parametrize(("layers", "kinds"), [("all", 1 + 1 + 2 * 2), ("ordinary", 2)])
@pytest.mark.parametrize(("pixels", "free"), [(28, True), (8, False)])
def test_size_of_the_space_of_small_convolutional_networks(
    layers: str, kinds: int, pixels: int, free: bool
) -> None:
    # One to three layers of each kind in a stage, with 8, 8 and 7 widths; the last stage may be left out.
    # Five widths of the stem; stem, first and last stage have one of two strides, small images only the last.
    stage = kinds + kinds**2 + kinds**3
    space = make_space("convnet-tiny", (1, pixels, pixels), 10, {"layers": layers})
    strides = 2 if free else 1
    assert size(space) == (5 * strides) * (8 * strides * stage) * (8 * stage) * (1 + 7 * 2 * stage)


def stage(name: str, width: int, layers: str, stride: int | None = None) -> dict[str, Any]:
    """The choices of a stage; each letter of ``layers`` is a convolution or a basic block."""
    kinds = {"c": "conv", "b": "basic"}
    own = {f"{name}.depth": len(layers), f"{name}.width": width}
    own |= {} if stride is None else {f"{name}.stride": stride}
    return own | {f"{name}.{index}.op": kinds[letter] for index, letter in enumerate(layers)}


@pytest.mark.parametrize(
    ("choices", "macs", "head", "file"),
    [
        (
            {"stem.width": 12, "stem.stride": 1, **stage("stage1", 24, "cb", 2), **stage("stage2", 40, "cb")}
            | {"stage3.depth": 0},
            4.46e6,
            14_112,
            60_728,
        ),
        (
            {"stem.width": 24, "stem.stride": 2, **stage("stage1", 40, "bb", 1), **stage("stage2", 64, "cb")}
            | stage("stage3", 128, "c", 2),
            16.3e6,
            None,
            245_616,
        ),
    ],
)
def test_networks_that_others_made_by_hand_are_members(
    choices: dict[str, Any], macs: float, head: int | None, file: int
) -> None:
    # The figures were measured on networks built without this project.
    space = convnet_tiny((1, 28, 28), 10, layers="ordinary")
    network = space.architecture(choices)
    costs = runtime_costs_of(space, network)
    assert cost(space.to_graph(network)).macs == pytest.approx(macs, rel=2e-3)
    assert costs["flash_bytes"] == pytest.approx(file, rel=0.01)
    if head is not None:
        assert costs["head_bytes"] == head


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
