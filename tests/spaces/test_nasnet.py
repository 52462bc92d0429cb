"""The space of NASNet: its size, published members, and costs by the calculus against built graphs."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest

from netwright.errors import SpaceError
from netwright.ir.cost import cost
from netwright.models import darts as darts_model
from netwright.models.darts import GENOTYPES
from netwright.space import costs_of, extremes, mutate, rank, sample, size, unrank
from netwright.space.composite import Tracked
from netwright.space.members import path_costs
from netwright.spaces.darts import darts
from netwright.spaces.nasnet import OPERATION_SETS, nasnet, nasnet_architecture
from tests.torch_oracle import ask_torch

CIFAR = (3, 32, 32)
DIGITS = (1, 8, 8)


def test_size_of_the_lecture_notes() -> None:
    """FACTS: 4^B * M^(2B) * N^B with M = 5, N = 2, B = 5."""
    space = nasnet(CIFAR, 10, operations="notes", candidates="inputs", reduction=False)
    assert size(space) == 320_000_000_000
    assert len(space.decisions) == 25


@pytest.mark.parametrize("blocks", [1, 2, 5])
@pytest.mark.parametrize("operations", OPERATION_SETS)
@pytest.mark.parametrize("combine", [("add",), ("concat",), ("add", "concat")])
def test_size_follows_the_formulas(blocks: int, operations: Any, combine: Any) -> None:
    """Inputs are ordered: block b has (b + 1)^2 pairs of all earlier tensors, or 4 of the cell's inputs."""
    kinds = len(OPERATION_SETS[operations])
    rest = kinds ** (2 * blocks) * len(combine) ** blocks
    pairs = {"all": prod((b + 1) ** 2 for b in range(1, blocks + 1)), "inputs": 4**blocks}
    for candidates, number in pairs.items():
        for reduction in (False, True):
            space = nasnet(
                DIGITS,
                10,
                blocks=blocks,
                operations=operations,
                candidates=candidates,  # type: ignore[arg-type]
                combine=combine,
                reduction=reduction,
            )
            assert size(space) == (number * rest) ** (2 if reduction else 1)


def test_there_are_13_operations() -> None:
    assert len(set(OPERATION_SETS["nasnet"])) == 13
    assert set(OPERATION_SETS["notes"]) < set(OPERATION_SETS["nasnet"])


@pytest.mark.parametrize("genotype", ["nasnet-a", "amoebanet-a"])
def test_published_cells_are_members(genotype: str) -> None:
    """With six normal cells a stage; the model is another description of the same network."""
    space = nasnet(CIFAR, 10, channels=GENOTYPES[genotype].channels)
    architecture = nasnet_architecture(space, genotype)
    found, model = cost(space.to_graph(architecture)), cost(darts_model(genotype))
    assert (found.params, found.macs) == (model.params, model.macs)
    assert found.peak_activation_bytes == model.peak_activation_bytes
    assert found.params == {"nasnet-a": 3_061_738, "amoebanet-a": 3_145_078}[genotype]
    assert unrank(space, rank(space, architecture)) == architecture
    assert costs_of(space, architecture)["params"] == found.params


@pytest.mark.parametrize("genotype", ["nasnet-a", "amoebanet-a"])
def test_default_space_has_the_published_cells(genotype: str) -> None:
    architecture = nasnet_architecture(nasnet(CIFAR, 10), genotype)
    assert architecture["normal.1.input1"] == GENOTYPES[genotype].normal.terms[0][1]
    assert architecture["reduction.5.op2"] == GENOTYPES[genotype].reduction.terms[-1][0]
    assert architecture["normal.1.combine"] == "add"


def test_published_cells_in_spaces_of_other_settings() -> None:
    alone = nasnet(DIGITS, 10, reduction=False, combine=("add",))
    names = [name for name, _ in nasnet_architecture(alone, "nasnet-a")]
    assert len(names) == 20
    assert not any(name.startswith("reduction") or name.endswith("combine") for name in names)
    with pytest.raises(SpaceError, match=r"reduction\.1\.op2: expected one of .*, got 'sep_conv_7x7'"):
        nasnet_architecture(nasnet(DIGITS, 10, operations="notes"), "nasnet-a")
    with pytest.raises(SpaceError, match=r"normal\.5"):
        nasnet_architecture(nasnet(DIGITS, 10, blocks=4), "nasnet-a")
    with pytest.raises(SpaceError, match=r"genotype: expected one of .*'nasnet-a'.*, got 'nasnet-b'"):
        nasnet_architecture(nasnet(DIGITS, 10), "nasnet-b")
    with pytest.raises(SpaceError, match=r"normal\.1\.input1"):
        nasnet_architecture(darts(DIGITS, 10), "nasnet-a")


SETTINGS: dict[str, tuple[tuple[int, int, int], dict[str, Any]]] = {
    "digits": (DIGITS, {}),
    "fashion": ((1, 28, 28), {"operations": "notes"}),
    "odd": ((3, 17, 22), {"blocks": 3, "channels": 6}),
    "no-reduction": (DIGITS, {"reduction": False, "cells": 2}),
    "concat": ((3, 9, 15), {"combine": ("concat",), "blocks": 2, "cells": 2}),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_random_members_cost_what_torch_counts(name: str) -> None:
    shape, settings = SETTINGS[name]
    space = nasnet(shape, 7, **settings)
    rng = np.random.default_rng(3)
    architecture = sample(space, rng)
    for _ in range(3):
        graph = space.to_graph(architecture)
        found, verdict = cost(graph), ask_torch(graph)
        assert (found.macs, found.params) == (verdict.macs, verdict.params)
        assert graph.nodes[-1].shape == (7,)
        architecture = mutate(space, architecture, rng)


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        (DIGITS, {"blocks": 2, "operations": "notes"}),
        ((3, 17, 22), {"blocks": 3, "operations": "notes", "candidates": "inputs"}),
        (DIGITS, {"reduction": False, "blocks": 3, "operations": "notes"}),
        ((3, 9, 15), {"combine": ("concat",), "blocks": 2, "cells": 2, "operations": "notes"}),
    ],
)
def test_costs_of_the_calculus_are_those_of_the_built_graph(
    shape: tuple[int, int, int], settings: dict[str, Any]
) -> None:
    space = nasnet(shape, 5, channels=4, **settings)
    sums, peak = (space.diagram_for(t) for t in (Tracked(peak=False), Tracked(sums=False)))
    rng = np.random.default_rng(8)
    for _ in range(25):
        architecture = sample(space, rng)
        totals = cost(space.to_graph(architecture)).totals()
        added = path_costs(space, architecture, sums)
        assert all(added[key] == totals[key] for key in ("macs", "params", "weight_bytes"))
        highest = path_costs(space, architecture, peak)["peak_activation_bytes"]
        assert highest == totals["peak_activation_bytes"]


def test_sums_of_the_published_space_are_those_of_the_built_graph() -> None:
    """13 operations, five blocks, all earlier tensors, two cells: 5.2e36 networks."""
    space = nasnet(CIFAR, 10)
    diagram = space.diagram_for(Tracked(peak=False))
    rng = np.random.default_rng(9)
    members = [nasnet_architecture(space, "amoebanet-a"), *(sample(space, rng) for _ in range(8))]
    for architecture in members:
        totals = cost(space.to_graph(architecture)).totals()
        added = path_costs(space, architecture, diagram)
        assert all(added[key] == totals[key] for key in ("macs", "params", "weight_bytes"))


@pytest.mark.parametrize("metric", ["macs", "params"])
def test_extremes_are_costs_of_members(metric: str) -> None:
    space = nasnet(DIGITS, 10)
    found = extremes(space, metric)
    for end in (found.smallest, found.largest):
        assert cost(space.to_graph(end.architecture)).totals()[metric] == end.value


def test_small_images_get_small_networks() -> None:
    def cells_of(shape: tuple[int, int, int], **settings: Any) -> tuple[int, int]:
        space = nasnet(shape, 10, blocks=1, **settings)
        graph = space.to_graph(sample(space, np.random.default_rng(0)))
        names = {node.name.split(".")[1] for node in graph.nodes if node.name.startswith("cells.")}
        return len(names), graph["cells.0.input0.conv"].shape[0]

    assert cells_of(CIFAR) == (20, 32)
    assert cells_of((1, 28, 28)) == cells_of(DIGITS) == (5, 8)
    assert cells_of(DIGITS, cells=2, channels=4) == (8, 4)
    assert cells_of(CIFAR, reduction=False) == (18, 32)


def test_without_a_reduction_cell_the_stem_shrinks_the_map() -> None:
    for shape, side in ((CIFAR, 8), ((1, 28, 28), 7), ((1, 15, 15), 8), (DIGITS, 4)):
        space = nasnet(shape, 10, blocks=1, reduction=False)
        graph = space.to_graph(sample(space, np.random.default_rng(0)))
        assert graph["cells.0.input0.conv"].shape[1:] == (side, side)


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((3, 7, 8), {}, r"nasnet: expected images .* at least 8 pixels, got shape \(3, 7, 8\)"),
        ((64,), {}, r"nasnet: expected images"),
        (DIGITS, {"blocks": 0}, r"nasnet\.blocks: expected a positive integer, got 0"),
        (DIGITS, {"operations": "all"}, r"nasnet\.operations: expected one of .*, got 'all'"),
        (DIGITS, {"cells": 0}, r"nasnet\.cells: expected a positive integer, got 0"),
        (DIGITS, {"channels": -1}, r"nasnet\.channels: expected a positive integer, got -1"),
        (DIGITS, {"candidates": "none"}, r"candidates: expected one of"),
        (DIGITS, {"combine": ("sum",)}, r"combine: expected some of"),
    ],
)
def test_wrong_arguments_are_named(shape: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        nasnet(shape, 10, **settings)
