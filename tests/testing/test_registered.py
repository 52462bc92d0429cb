"""Everything that netwright registers keeps the laws, by being registered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from netwright import blocks as B
from netwright.errors import ConfigError
from netwright.estimators.trained import SplitData, TrainedAccuracy
from netwright.export.onnx import export_onnx
from netwright.ir.graph import Graph
from netwright.ir.ops import OPS
from netwright.models import MODELS, build_model
from netwright.nn.data import load_data
from netwright.nn.lower import build
from netwright.nn.recipe import Recipe
from netwright.seeding import rng_for
from netwright.space import (
    ExpressionSpace,
    choice,
    compile_space,
    rank,
    repeat,
    sample,
    sequential,
    size,
    unrank,
)
from netwright.spaces.catalog import SPACES
from netwright.strategies import STRATEGIES, make_strategy
from netwright.testing import (
    OP_CASES,
    EstimatorLaws,
    ExpressionSpaceLaws,
    GraphLaws,
    OpCase,
    OpLaws,
    StrategyLaws,
    example_space,
)
from netwright.testing.strategies import search
from netwright.trial import Estimator, Metric, Objectives, Proposal, Strategy, Trial

ACCURACY = Metric("accuracy", "share", "maximize")


def test_every_op_has_a_case() -> None:
    assert {type(case.op) for case in OP_CASES} == set(OPS)


class TestOps(OpLaws):
    @pytest.fixture(params=OP_CASES, ids=lambda case: str(case.op))
    def case(self, request: pytest.FixtureRequest) -> OpCase:
        case: OpCase = request.param
        return case


# Small enough to be run in float64; the published figures at full size are tested beside the models.
SMALL = {"resolution": "64", "classes": "10"}
NARROW = {name: {"width": "0.25"} for name in MODELS if name.startswith(("resnet", "mobilenet"))}


@pytest.fixture(scope="module", params=list(MODELS))
def model(request: pytest.FixtureRequest) -> Graph:
    return build_model(request.param, {**SMALL, **NARROW.get(request.param, {})})


class TestModels(GraphLaws):
    @pytest.fixture
    def graph(self, model: Graph) -> Graph:
        return model


FEWER: dict[str, dict[str, Any]] = {
    "nasnet": {"blocks": 2, "operations": "notes", "cells": 1, "channels": 4},
    "mcunet": {"width": 0.5},
    "auto-deeplab": {"layers": 4, "blocks": 1, "width": 1},
    "auto-deeplab-tiny": {"layers": 4, "blocks": 1},
}
"""Parameters with which the laws take seconds; sizes of the whole spaces are tested beside the spaces."""

SMALLEST = {"auto-deeplab": 32}
"""Smallest images of spaces that refuse small ones, in pixels."""

SHAPES = {"28x28": (1, 28, 28), "96x96": (3, 96, 96)}
WINDOWS = {"128": (6, 1, 128), "37": (1, 1, 37)}
RECTANGLES = {"40x49": (1, 40, 49), "13x101": (1, 13, 101)}


def shapes_of(name: str) -> dict[str, tuple[int, int, int]]:
    """Images, or windows for a space of windows, by their sizes in words."""
    if SPACES[name].input_shape[1] == 1:
        return WINDOWS
    return SHAPES | (RECTANGLES if name == "spectrogram-tiny" else {})


COMPILED: dict[str, Callable[[], ExpressionSpace]] = {
    **{
        f"{name} {size}": partial(entry.factory, shape, 10, **FEWER.get(name, {}))
        for name, entry in SPACES.items()
        for size, shape in shapes_of(name).items()
        if min(shape[1:]) >= SMALLEST.get(name, 0)
    },
    "example": example_space,
    "residual": lambda: residual(),
}


def residual() -> ExpressionSpace:
    """Blocks of ResNets in another number format, under the other memory model."""
    body = choice(B.basic(out=8), B.bottleneck(out=8))
    return compile_space(
        sequential(
            B.conv_bn_act(out=choice(4, 8), padding="symmetric"),
            repeat("stage", body, depth=choice(1, 2)),
            B.depthwise(kernel=choice(3, 5)),
            B.classifier(classes=2),
            input=(3, 8, 8),
        ),
        "residual",
        dtype="float32",
        memory_model="inplace-depthwise",
    )


@pytest.fixture(scope="module", params=list(COMPILED))
def compiled(request: pytest.FixtureRequest) -> ExpressionSpace:
    return COMPILED[request.param]()


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_a_network_of_every_space_learns_and_is_exported(name: str, tmp_path: Path) -> None:
    """One step of training moves every weight that has a gradient; ONNX computes the same."""
    shape = (3, 32, 32) if shapes_of(name) is not WINDOWS else (3, 1, 32)
    space = SPACES[name].factory(shape, 4, **FEWER.get(name, {}))
    graph = space.to_graph(sample(space, rng_for(0, name)))
    network = build(graph, seed=0)
    before = [weight.detach().clone() for weight in network.parameters()]
    images = torch.randn(4, *graph.input_shape, generator=torch.Generator().manual_seed(0))
    logits = network(images)
    labels = torch.arange(4).reshape(4, *[1] * (logits.ndim - 2)).expand(4, *logits.shape[2:])
    torch.nn.functional.cross_entropy(logits, labels).backward()
    torch.optim.SGD(network.parameters(), lr=0.1).step()
    moved = [not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True)]
    assert any(moved)
    assert all(bool(torch.isfinite(weight).all()) for weight in network.parameters())
    assert export_onnx(network, graph, tmp_path / "model.onnx").difference <= 1e-4


class TestSpaces(ExpressionSpaceLaws):
    @pytest.fixture
    def space(self, compiled: ExpressionSpace) -> ExpressionSpace:
        return compiled


LATE = {"optuna-gp": {"initial": 28}}
"""Options with which strategies that take a part of a second for a proposal model only the last few."""


class TestStrategies(StrategyLaws):
    @pytest.fixture(params=[name for name in STRATEGIES if name != "cmaes"])
    def strategy(self, request: pytest.FixtureRequest) -> Strategy:
        return make_strategy(request.param, **LATE.get(request.param, {}))


@pytest.mark.parametrize("name", STRATEGIES)
def test_several_objectives_are_taken_or_refused(name: str) -> None:
    """By every strategy, and in the same words."""
    strategy, both = make_strategy(name), (ACCURACY, Metric("macs", "", "minimize"))
    try:
        strategy.init(example_space(), {}, both, 0)
    except ConfigError as error:
        refusal = str(error)
    else:
        return
    assert refusal == (
        f"strategy {name}: expected one objective, got accuracy, macs; give one, or use a strategy for "
        "several such as nsga2"
    )


class TestRandomSearch(StrategyLaws):
    any_order = True
    without_replacement = True

    @pytest.fixture
    def strategy(self) -> Strategy:
        return make_strategy("random")

    def test_seeds_lead_everywhere(self, strategy: Strategy, space: ExpressionSpace) -> None:
        """The first proposals of 200 seeds, in four equal parts of the space: 50 each, give or take 18."""
        firsts = [search(strategy, space, {}, ACCURACY, seed=seed, trials=1)[0] for seed in range(200)]
        quarters = Counter(4 * rank(space, first.proposal.architecture) // size(space) for first in firsts)
        assert sorted(quarters) == [0, 1, 2, 3]
        assert all(32 <= number <= 68 for number in quarters.values())


class TestGrid(StrategyLaws):
    any_order = True
    without_replacement = True

    @pytest.fixture
    def strategy(self) -> Strategy:
        return make_strategy("grid")


class TestCMAES(StrategyLaws):
    """Where all decisions are numbers; with the package cmaes, which is no dependency."""

    @pytest.fixture
    def space(self) -> ExpressionSpace:
        pytest.importorskip("cmaes")
        block = B.inverted_residual(out=choice(8, 4, 12), kernel=choice(3, 5), expand=choice(1, 2, 3))
        body = repeat("stage", block, depth=choice(1, 2))
        return compile_space(sequential(body, B.classifier(classes=2), input=(1, 8, 8)), "numbers")

    @pytest.fixture
    def strategy(self) -> Strategy:
        return make_strategy("cmaes")


class TestSmallEvolution(StrategyLaws):
    """A population that is full soon, so that most proposals are children."""

    any_order = True

    @pytest.fixture
    def strategy(self) -> Strategy:
        return make_strategy("evolution", population=5, tournament=3)


class TestCrossover(StrategyLaws):
    """Evolution in which every child has two parents."""

    any_order = True

    @pytest.fixture
    def strategy(self) -> Strategy:
        return make_strategy("evolution", population=5, tournament=3, crossover=1.0)


class TestSmallNSGA2(StrategyLaws):
    """One objective, and a population that is full soon."""

    @pytest.fixture
    def strategy(self) -> Strategy:
        return make_strategy("nsga2", population=5)


@dataclass(frozen=True)
class WithCosts:
    """Another strategy that gets two costs as objectives besides the one of the laws."""

    strategy: Strategy

    @property
    def name(self) -> str:
        return self.strategy.name

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> Any:
        costs = (Metric("macs", "", "minimize"), Metric("peak_activation_bytes", "bytes", "minimize"))
        return self.strategy.init(space, budget, (*objectives, *costs), seed)

    def update(self, state: Any, trial: Trial) -> Any:
        return self.strategy.update(state, trial)

    def propose(self, state: Any, rng: np.random.Generator, number: int) -> Proposal | None:
        return self.strategy.propose(state, rng, number)


class TestSeveralObjectives(StrategyLaws):
    """The same laws with three objectives."""

    @pytest.fixture
    def strategy(self) -> Strategy:
        return WithCosts(make_strategy("nsga2", population=5))


@pytest.fixture(scope="module")
def trained() -> TrainedAccuracy:
    task = SplitData("digits", load_data("digits").fingerprint, validation_share=0.2, seed=0)
    recipe = Recipe(epochs=4, batch_size=64, learning_rate=0.1)
    return TrainedAccuracy(task, SPACES["mobilenet-tiny"].factory((1, 8, 8), 10), recipe)


class TestTrainedAccuracy(EstimatorLaws):
    """Two epochs on digits of the first network of a space."""

    @pytest.fixture
    def estimator(self, trained: TrainedAccuracy) -> Estimator:
        return trained

    @pytest.fixture
    def proposal(self, trained: TrainedAccuracy) -> Proposal:
        space = trained.space
        assert isinstance(space, ExpressionSpace)
        return Proposal(0, unrank(space, 0), fidelity=0.5)
