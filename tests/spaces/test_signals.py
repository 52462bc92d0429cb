"""``conv1d-tiny`` and ``spectrogram-tiny``: their decisions, their sizes, and exact answers about them."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import pytest

from netwright.devices import budget_for
from netwright.errors import SpaceError
from netwright.ir.cost import COSTS, cost
from netwright.ir.ops import Activation, BatchNorm, Conv
from netwright.ir.runtime import runtime_costs
from netwright.seeding import rng_for
from netwright.space import (
    ExpressionSpace,
    costs_of,
    count,
    extremes,
    fitting,
    mutate,
    rank,
    sample,
    size,
    unrank,
)
from netwright.space.architecture import Value
from netwright.spaces.catalog import SPACES
from netwright.testing.verdict import ask_torch

WINDOWS = [(6, 1, 128), (1, 1, 8), (3, 1, 37), (9, 1, 1000)]
SPECTROGRAMS = [(1, 40, 49), (1, 8, 8), (1, 13, 101), (2, 64, 20)]
CASES = [("conv1d-tiny", shape) for shape in WINDOWS] + [
    ("spectrogram-tiny", shape) for shape in SPECTROGRAMS
]
KERNELS = {"conv1d-tiny": (3, 3), "spectrogram-tiny": (2, 2)}
"""Number of kernels of the stem and of a layer."""


def made(name: str, shape: tuple[int, int, int], classes: int = 5) -> ExpressionSpace:
    return SPACES[name].factory(shape, classes)


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_size(name: str, shape: tuple[int, int, int]) -> None:
    """Widths and kernels of the stem; three widths a stage; 2 plain kinds of layer and 2 expanded ones."""
    first, kernels = KERNELS[name]
    options = kernels * (1 + 1 + 2)
    stages = [3 * sum(options**depth for depth in depths) for depths in ((1, 2), (1, 2, 3), (1, 2, 3))]
    assert size(made(name, shape)) == 2 * first * prod(stages)


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_networks_are_what_the_tables_and_torch_say(name: str, shape: tuple[int, int, int]) -> None:
    space = made(name, shape)
    total = size(space)
    for index in (0, total - 1, *(int(rng_for(0, k).integers(total, dtype="uint64")) for k in range(3))):
        architecture = unrank(space, index)
        assert rank(space, architecture) == index
        for one in (architecture, mutate(space, architecture, rng_for(1))):
            graph = space.to_graph(one)
            assert graph.input_shape == shape
            assert graph.nodes[-1].shape == (5,)
            verdict, costs = ask_torch(graph), costs_of(space, one)
            assert costs == cost(graph).totals()
            assert (costs["macs"], costs["params"]) == (verdict.macs, verdict.params)


@pytest.mark.parametrize("shape", WINDOWS)
def test_windows_stay_one_sample_high(shape: tuple[int, int, int]) -> None:
    """Kernels are 1 x k, strides 1 x s: no weight looks at the padding above and below."""
    space = made("conv1d-tiny", shape)
    for draw in range(5):
        graph = space.to_graph(sample(space, rng_for(draw)))
        convolutions = [node for node in graph.nodes if isinstance(node.op, Conv)]
        for node in convolutions:
            assert isinstance(node.op, Conv)
            assert node.op.kernel[0] == node.op.stride[0] == node.shape[1] == 1
            assert node.op.kernel[1] >= node.op.stride[1] or node.op.kernel[1] == 1
    # About 8 samples at the end, as near as halving and a stem of stride 4 can bring it.
    assert 5 <= convolutions[-1].shape[2] <= max(11, -(-shape[2] // 32))


@pytest.mark.parametrize("shape", SPECTROGRAMS)
def test_bands_and_frames_are_halved_each_for_itself(shape: tuple[int, int, int]) -> None:
    space = made("spectrogram-tiny", shape)
    graph = space.to_graph(sample(space, rng_for(0)))
    last = [node.shape for node in graph.nodes if isinstance(node.op, Conv)][-1]
    assert 3 <= last[1] <= 8
    assert 3 <= last[2] <= 8


@pytest.mark.parametrize(("name", "shape"), [CASES[0], CASES[4]])
def test_networks_are_for_microcontrollers(name: str, shape: tuple[int, int, int]) -> None:
    """Padding as TFLite has it, nothing but relu6, every batch norm behind a convolution."""
    space = made(name, shape)
    for draw in range(5):
        graph = space.to_graph(sample(space, rng_for(draw)))
        assert {node.op.function for node in graph.nodes if isinstance(node.op, Activation)} == {"relu6"}
        for node in graph.nodes:
            if isinstance(node.op, Conv):
                assert node.op.padding == "same"
            if isinstance(node.op, BatchNorm):
                assert isinstance(graph[node.inputs[0]].op, Conv)


def test_inverted_residuals_keep_their_shortcut() -> None:
    """The second layer of a stage has the shape of the first: what enters is added to what leaves."""
    space = made("conv1d-tiny", (6, 1, 128))
    whole: dict[str, Value] = {decision.name: decision.options[0] for decision in space.decisions}
    whole |= {"stage1.depth": 2, "stage1.0.op": "inverted", "stage1.1.op": "inverted"}
    graph = space.to_graph(space.architecture(_active(whole)))
    assert [node.name for node in graph.nodes if node.op.kind == "add"] == ["stage1.1.op.inverted.add"]


def _active(values: Mapping[str, Value]) -> dict[str, Value]:
    """What of the values an architecture has: the others belong to options that were not taken."""
    kinds = {name: value for name, value in values.items() if name.endswith(".op")}
    depths = {name.partition(".")[0]: value for name, value in values.items() if name.endswith(".depth")}

    def active(name: str) -> bool:
        words = name.split(".")
        depth = depths.get(words[0])
        if isinstance(depth, int) and words[1].isdigit() and int(words[1]) >= depth:
            return False
        return len(words) < 4 or kinds[".".join(words[:3])] == words[3]

    return {name: value for name, value in values.items() if active(name)}


@pytest.mark.parametrize("metric", COSTS)
@pytest.mark.parametrize(("name", "shape"), [CASES[0], CASES[4]])
def test_extremes_enclose_draws(name: str, shape: tuple[int, int, int], metric: str) -> None:
    space = made(name, shape)
    found = extremes(space, metric)
    for extreme in (found.smallest, found.largest):
        assert cost(space.to_graph(extreme.architecture)).totals()[metric] == extreme.value
    drawn = [costs_of(space, sample(space, rng_for(k)))[metric] for k in range(100)]
    assert found.smallest.value <= min(drawn) <= max(drawn) <= found.largest.value
    assert count(space, {metric: found.smallest.value - 1}).upper == 0


def test_under_a_budget() -> None:
    space = made("conv1d-tiny", (6, 1, 128))
    budget = budget_for("nrf52840", max_macs="200k", max_params="20k")
    number = count(space, budget)
    assert 0 < number.lower <= number.upper < size(space)
    table = fitting(space, budget)
    for draw in range(10):
        graph = space.to_graph(table.sample(rng_for(draw)))
        assert budget.check(cost(graph).totals() | runtime_costs(graph)).fits


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("conv1d-tiny", (3, 32, 32), "expected windows of shape .* take mobilenet-tiny"),
        ("conv1d-tiny", (3, 1, 7), "at least 8 samples"),
        ("conv1d-tiny", (128,), "expected windows"),
        ("spectrogram-tiny", (3, 1, 128), "at least 8 bands and frames.*take conv1d-tiny"),
        ("spectrogram-tiny", (40, 49), "at least 8 bands and frames"),
    ],
)
def test_other_data_are_refused(name: str, shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(SpaceError, match=f"{name}: .*{said}"):
        SPACES[name].factory(shape, 4)
