"""The space of DARTS: its size, published members, and costs by the calculus against built graphs."""

from __future__ import annotations

from itertools import combinations
from math import prod
from typing import Any

import numpy as np
import pytest

from netwright.errors import SpaceError
from netwright.ir.cost import cost
from netwright.models import darts as darts_model
from netwright.models.darts import GENOTYPES, Genotype, PublishedCell
from netwright.space import count, extremes, fitting, mutate, rank, sample, size, unrank
from netwright.space.composite import Tracked
from netwright.space.members import path_costs
from netwright.spaces.darts import OPERATIONS, darts, darts_architecture
from tests.torch_oracle import ask_torch

CIFAR = (3, 32, 32)
DIGITS = (1, 8, 8)


def test_published_sizes() -> None:
    """FACTS: one cell, and the pair, of seven operations."""
    assert size(darts(CIFAR, 10, reduction=False)) == 1_037_664_180
    assert size(darts(CIFAR, 10)) == 1_076_746_950_455_072_400
    assert len(OPERATIONS) == 7


def test_size_with_none() -> None:
    pairs = prod(len(list(combinations(range(node + 1), 2))) for node in range(1, 5))
    assert size(darts(DIGITS, 10, none=True, reduction=False)) == pairs * 8**8


@pytest.mark.parametrize("genotype", ["darts-v1", "darts-v2"])
def test_published_cells_are_members(genotype: str) -> None:
    """With 36 channels and 20 cells, as the paper trains them; DARTS-V2 has 3.3 million parameters."""
    space = darts(CIFAR, 10, channels=36, cells=20)
    architecture = darts_architecture(space, genotype)
    graph = space.to_graph(architecture)
    found, model = cost(graph), cost(darts_model(genotype))
    assert (found.params, found.macs) == (model.params, model.macs)
    assert found.peak_activation_bytes == model.peak_activation_bytes
    assert found.params == {"darts-v1": 3_169_414, "darts-v2": 3_349_342}[genotype]
    assert unrank(space, rank(space, architecture)) == architecture
    for metric in ("macs", "params"):
        ends = extremes(space, metric)
        assert ends.smallest.value <= found.totals()[metric] <= ends.largest.value


def test_published_cells_in_other_spaces() -> None:
    alone = darts(DIGITS, 10, reduction=False)
    assert not any("reduction" in name for name, _ in darts_architecture(alone, "darts-v2"))
    assert darts_architecture(darts(DIGITS, 10, none=True), "darts-v2")["normal.4.op2"] == "dil_conv_3x3"
    with pytest.raises(SpaceError, match=r"normal\.2\.inputs: expected two distinct tensors, got 0 twice"):
        darts_architecture(alone, "nasnet-a")
    edges = (("none", 0), ("skip_connect", 1)) * 4
    with pytest.raises(SpaceError, match=r"normal\.1\.op1: expected one of .*, got 'none'"):
        darts_architecture(
            alone, Genotype(PublishedCell(edges, (2, 3, 4, 5)), GENOTYPES["darts-v1"].reduction)
        )
    with pytest.raises(SpaceError, match=r"genotype: expected one of"):
        darts_architecture(alone, "darts-v3")


def test_inputs_have_no_order() -> None:
    """The genotype with the two terms of every node swapped is the same member."""
    space = darts(DIGITS, 10)
    found = GENOTYPES["darts-v2"]

    def swapped(cell: PublishedCell) -> PublishedCell:
        pairs = [cell.terms[i : i + 2][::-1] for i in range(0, len(cell.terms), 2)]
        return PublishedCell(tuple(term for pair in pairs for term in pair), cell.concat)

    other = Genotype(swapped(found.normal), swapped(found.reduction))
    assert darts_architecture(space, other) == darts_architecture(space, found)


SETTINGS: dict[str, tuple[tuple[int, int, int], dict[str, Any]]] = {
    "digits": (DIGITS, {}),
    "fashion": ((1, 28, 28), {}),
    "odd": ((3, 17, 22), {"none": True, "channels": 6, "cells": 4}),
    "no-reduction": (DIGITS, {"reduction": False, "cells": 2}),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_costs_are_those_of_the_built_graph_and_of_torch(name: str) -> None:
    """The calculus never builds the network; torch never sees the calculus."""
    shape, settings = SETTINGS[name]
    space = darts(shape, 7, **settings)
    sums, peak = (space.diagram_for(t) for t in (Tracked(peak=False), Tracked(sums=False)))
    rng = np.random.default_rng(5)
    architecture = sample(space, rng)
    for number in range(20):
        graph = space.to_graph(architecture)
        totals = cost(graph).totals()
        added, highest = path_costs(space, architecture, sums), path_costs(space, architecture, peak)
        assert [added[key] for key in ("macs", "params", "weight_bytes")] == [
            totals[key] for key in ("macs", "params", "weight_bytes")
        ]
        assert highest["peak_activation_bytes"] == totals["peak_activation_bytes"]
        if number < 2:
            verdict = ask_torch(graph)
            assert (totals["macs"], totals["params"]) == (verdict.macs, verdict.params)
        architecture = mutate(space, architecture, rng)


def test_samples_within_a_budget_fit_it() -> None:
    space = darts(DIGITS, 10)
    ends = extremes(space, "macs")
    budget = {"macs": (ends.smallest.value + ends.largest.value) // 3}
    found = count(space, budget)
    assert 0 < found.lower <= found.upper < size(space)
    members = fitting(space, budget)
    for _ in range(5):
        architecture = members.sample(np.random.default_rng(1))
        assert cost(space.to_graph(architecture)).macs <= budget["macs"]


def test_small_images_get_small_networks() -> None:
    def cells_of(shape: tuple[int, int, int], **settings: Any) -> tuple[int, int]:
        space = darts(shape, 10, **settings)
        graph = space.to_graph(sample(space, np.random.default_rng(0)))
        names = {node.name.split(".")[1] for node in graph.nodes if node.name.startswith("cells.")}
        return len(names), graph["cells.0.input0.conv"].shape[0]

    assert cells_of(CIFAR) == (8, 16)
    assert cells_of((1, 28, 28)) == cells_of(DIGITS) == (5, 8)
    assert cells_of(DIGITS, cells=3, channels=4) == (3, 4)


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((3, 8, 7), {}, r"darts: expected images .* at least 8 pixels, got shape \(3, 8, 7\)"),
        (DIGITS, {"cells": 2}, r"darts\.cells: expected at least 3, .* got 2"),
        (DIGITS, {"cells": 0, "reduction": False}, r"darts\.cells: expected a positive integer, got 0"),
        (DIGITS, {"channels": 0}, r"darts\.channels: expected a positive integer, got 0"),
    ],
)
def test_wrong_arguments_are_named(shape: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        darts(shape, 10, **settings)
