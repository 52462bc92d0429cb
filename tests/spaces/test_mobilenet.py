"""``mobilenet-tiny``: its decisions, its size, and exact answers about it."""

from __future__ import annotations

from math import prod

import pytest

from netwright.devices import budget_for
from netwright.errors import SpaceError
from netwright.ir.cost import COSTS, cost
from netwright.ir.ops import BatchNorm, Conv, Linear
from netwright.ir.runtime import runtime_costs
from netwright.seeding import rng_for
from netwright.space import costs_of, count, extremes, fitting, rank, sample, size, smallest, unrank
from netwright.spaces import mobilenet_tiny
from netwright.spaces.images import resolutions

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 48, 48), (3, 96, 96)]


def test_decisions() -> None:
    space = mobilenet_tiny((1, 28, 28), 10)
    names = [decision.name for decision in space.decisions]
    assert names[:3] == ["resolution", "stem.out", "stage1.depth"]
    assert names[-1] == "head.out"
    assert {"stage1.width", "stage2.width", "stage3.width", "stage2.depth", "stage3.depth"} <= set(names)
    layers = [name for name in names if name.endswith(".kernel")]
    assert layers == [f"stage{s}.{i}.kernel" for s, depth in ((1, 2), (2, 3), (3, 3)) for i in range(depth)]
    options = {decision.name: decision.options for decision in space.decisions}
    assert options["stage2.1.kernel"] == (3, 5, 7)
    assert options["stage2.1.expand"] == (2, 3, 4, 6)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_size(shape: tuple[int, int, int]) -> None:
    """Resolutions, stem, three widths each, 12 options a layer, head."""
    space = mobilenet_tiny(shape, 10)
    stages = [3 * sum(12**depth for depth in depths) for depths in ((1, 2), (1, 2, 3), (1, 2, 3))]
    assert size(space) == len(resolutions(shape[1])) * 2 * prod(stages) * 3


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (8, (8, 12, 16)),
        (15, (15, 22, 30)),
        (16, (8, 12, 16)),
        (28, (20, 24, 28)),
        (32, (24, 28, 32)),
        (48, (24, 32, 40, 48)),
        (96, (48, 64, 80, 96)),
    ],
)
def test_resolutions(pixels: int, expected: tuple[int, ...]) -> None:
    assert resolutions(pixels) == expected


@pytest.mark.parametrize("pixels", range(8, 97))
def test_resolutions_are_different_and_the_images_own_is_among_them(pixels: int) -> None:
    found = resolutions(pixels)
    assert list(found) == sorted(set(found))
    assert pixels in found
    assert min(found) >= 8


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_networks_are_what_the_tables_say(shape: tuple[int, int, int]) -> None:
    space = mobilenet_tiny(shape, 7)
    total = size(space)
    for index in (0, total - 1, *(int(rng_for(0, k).integers(total, dtype="uint64")) for k in range(6))):
        architecture = unrank(space, index)
        assert rank(space, architecture) == index
        graph = space.to_graph(architecture)
        assert costs_of(space, architecture) == cost(graph).totals()
        side = architecture["resolution"]
        assert graph.input_shape == (shape[0], side, side)
        assert graph.nodes[-1].shape == (7,)
        last = graph["head.conv"].shape[1]
        # About 5 pixels at the largest resolution: as near as halving can bring it.
        assert 2 <= last <= 8
        assert last >= 4 or side != resolutions(shape[1])[-1]


def test_networks_are_for_microcontrollers() -> None:
    """Padding as TFLite has it, nothing but relu6, and every batch norm behind a convolution."""
    space = mobilenet_tiny((3, 32, 32), 10)
    graph = space.to_graph(sample(space, rng_for(0)))
    functions = {node.op.function for node in graph.nodes if node.op.kind == "activation"}  # type: ignore[attr-defined]
    assert functions == {"relu6"}
    for node in graph.nodes:
        if isinstance(node.op, Conv):
            assert node.op.padding == "same"
            assert not node.op.bias
        if isinstance(node.op, BatchNorm):
            assert isinstance(graph[node.inputs[0]].op, Conv)
    assert sum(isinstance(node.op, Linear) for node in graph.nodes) == 1


@pytest.mark.parametrize("metric", COSTS)
def test_extremes_enclose_draws(metric: str) -> None:
    space = mobilenet_tiny((1, 28, 28), 10)
    found = extremes(space, metric)
    assert found.smallest.value == smallest(space, metric)
    for extreme in (found.smallest, found.largest):
        assert cost(space.to_graph(extreme.architecture)).totals()[metric] == extreme.value
    drawn = [costs_of(space, sample(space, rng_for(k)))[metric] for k in range(200)]
    assert found.smallest.value <= min(drawn) <= max(drawn) <= found.largest.value
    assert count(space, {metric: found.largest.value}).lower == size(space)
    assert count(space, {metric: found.smallest.value - 1}).upper == 0
    assert count(space, {metric: found.smallest.value}).lower >= 1


@pytest.mark.parametrize("device", ["stm32f412", "nrf52840", "stm32h743"])
def test_under_a_device(device: str) -> None:
    space = mobilenet_tiny((3, 96, 96), 10)
    budget = budget_for(device, max_macs="20M")
    number = count(space, budget)
    assert 0 < number.lower <= number.upper < size(space)
    table = fitting(space, budget)
    drawn = [table.sample(rng_for(k)) for k in range(20)]
    assert len(set(drawn)) == 20
    for architecture in drawn:
        graph = space.to_graph(architecture)
        assert budget.check(cost(graph).totals() | runtime_costs(graph)).fits


def test_id_depends_on_data_alone() -> None:
    ids = [mobilenet_tiny(shape, classes).id for shape in SHAPES for classes in (2, 10)]
    assert len(set(ids)) == len(ids)
    assert all(one.startswith("mobilenet-tiny-") for one in ids)
    assert mobilenet_tiny((1, 28, 28), 10).id == mobilenet_tiny((1, 28, 28), 10).id


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((3, 32, 24), "32x24"),
        ((3, 7, 7), "7x7"),
        ((3, 97, 97), "97x97"),
        ((12,), r"shape \(12,\)"),
        ((3, 8), r"\(3, 8\)"),
    ],
)
def test_images_of_another_size(shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(
        SpaceError, match=f"mobilenet-tiny: expected square images of 8 to 96 pixels, got .*{said}"
    ):
        mobilenet_tiny(shape, 10)
