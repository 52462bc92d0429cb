"""The space of NAS-Bench-201 against its networks and its table."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.errors import GraphError, SpaceError
from netwright.ir.cost import cost
from netwright.models import nasbench201 as model
from netwright.models.nasbench201 import BEST_CIFAR10
from netwright.space import extremes, iterate, rank, sample, size
from netwright.space.composite import Tracked
from netwright.space.members import path_costs
from netwright.spaces.darts import darts
from netwright.spaces.nasbench201 import (
    OPERATIONS,
    nasbench201,
    nasbench201_architecture,
    nasbench201_string,
)
from tests.torch_oracle import ask_torch

CIFAR = (3, 32, 32)
DIGITS = (1, 8, 8)
ALL_3X3 = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"


def test_size() -> None:
    """FACTS."""
    space = nasbench201(CIFAR, 10)
    assert size(space) == 15_625
    assert [decision.name for decision in space.decisions] == [
        f"cell.{target}.from{source}" for target in (1, 2, 3) for source in range(target)
    ]


def test_params_and_macs_of_every_row_of_the_table(shared_data: Path) -> None:
    """By the calculus alone; the benchmark counts the bias of the classifier as operations."""
    data = {"cifar10": (CIFAR, 10), "cifar100": (CIFAR, 100), "imagenet16": ((3, 16, 16), 120)}
    with gzip.open(shared_data / "nb201.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15_625
    for name, (shape, classes) in data.items():
        space = nasbench201(shape, classes)
        diagram = space.diagram_for(Tracked(peak=False))
        for row in rows:
            found = path_costs(space, nasbench201_architecture(space, row["arch"]), diagram)
            assert found["params"] == int(row[f"params_{name}"]), row["arch"]
            assert found["macs"] + classes == int(row[f"macs_{name}"]), row["arch"]


@pytest.mark.parametrize("shape", [CIFAR, (3, 16, 16), (1, 28, 28), DIGITS])
def test_members_cost_what_the_models_do(shape: tuple[int, int, int]) -> None:
    """Maps may be padded otherwise; sizes and counts agree."""
    settings: dict[str, Any] = {"channels": 4, "cells": 2}
    space = nasbench201(shape, 7, **settings)
    rng = np.random.default_rng(2)
    for architecture in [sample(space, rng) for _ in range(15)]:
        text = nasbench201_string(architecture)
        found = cost(space.to_graph(architecture))
        other = cost(model(text, classes=7, resolution=shape[1], in_channels=shape[0], **settings))
        assert found.totals() == other.totals()


def test_costs_are_those_of_the_built_graph_and_of_torch() -> None:
    space = nasbench201((2, 9, 14), 5, channels=3, cells=2)
    sums, peak = (space.diagram_for(t) for t in (Tracked(peak=False), Tracked(sums=False)))
    rng = np.random.default_rng(4)
    for number in range(60):
        architecture = sample(space, rng)
        graph = space.to_graph(architecture)
        totals = cost(graph).totals()
        added = path_costs(space, architecture, sums)
        assert all(added[key] == totals[key] for key in ("macs", "params", "weight_bytes"))
        highest = path_costs(space, architecture, peak)["peak_activation_bytes"]
        assert highest == totals["peak_activation_bytes"]
        if number < 3:
            verdict = ask_torch(graph)
            assert (totals["macs"], totals["params"]) == (verdict.macs, verdict.params)


def test_the_largest_has_3x3_convolutions_everywhere() -> None:
    space = nasbench201(CIFAR, 10)
    found = extremes(space, "macs").largest
    assert nasbench201_string(found.architecture) == ALL_3X3
    assert (found.value + 10, cost(space.to_graph(found.architecture)).params) == (220_119_690, 1_531_546)


def test_ranks_number_the_operations_in_base_5() -> None:
    space = nasbench201(DIGITS, 10)
    for index, architecture in zip(range(0, 15_625), iterate(space), strict=True):
        if index % 521 == 0:
            digits = [OPERATIONS.index(str(value)) for _, value in architecture]
            assert index == int("".join(map(str, digits)), 5) == rank(space, architecture)


def test_strings_and_architectures() -> None:
    space = nasbench201(CIFAR, 10)
    assert nasbench201_string(nasbench201_architecture(space, BEST_CIFAR10)) == BEST_CIFAR10
    text = "|none~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
    architecture = nasbench201_architecture(space, text)
    assert architecture["cell.2.from1"] == "avg_pool_3x3"
    assert nasbench201_string(architecture) == text
    with pytest.raises(GraphError, match=r"nasbench201\.arch: expected a string of the form"):
        nasbench201_architecture(space, "|none~0|")
    with pytest.raises(SpaceError, match=r"architecture: expected one of space nasbench201"):
        nasbench201_string(sample(darts(DIGITS, 10), np.random.default_rng(0)))


def test_small_images_get_small_networks() -> None:
    def cells_of(shape: tuple[int, int, int], **settings: Any) -> tuple[int, int]:
        space = nasbench201(shape, 10, **settings)
        graph = space.to_graph(nasbench201_architecture(space, ALL_3X3))
        names = {node.name.split(".")[1] for node in graph.nodes if ".node1." in node.name}
        return len(names), graph["stem.conv"].shape[0]

    assert cells_of(CIFAR) == cells_of((3, 16, 16)) == (15, 16)
    assert cells_of((1, 28, 28)) == cells_of(DIGITS) == (3, 8)
    assert cells_of(DIGITS, cells=2, channels=4) == (6, 4)


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((3, 4, 4), {}, r"nasbench201: expected images .* at least 8 pixels, got shape \(3, 4, 4\)"),
        (DIGITS, {"cells": 0}, r"nasbench201\.cells: expected a positive integer, got 0"),
        (DIGITS, {"channels": 0}, r"nasbench201\.channels: expected a positive integer, got 0"),
    ],
)
def test_wrong_arguments_are_named(shape: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        nasbench201(shape, 10, **settings)
