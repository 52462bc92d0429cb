"""Every strategy that is registered, in every space that comes with netwright, with a budget and without."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

import pytest

from netwright.errors import ConfigError
from netwright.ir.cost import cost
from netwright.seeding import rng_for
from netwright.space import ExpressionSpace, costs_of, sample
from netwright.spaces.catalog import SPACES
from netwright.strategies import STRATEGIES, make_strategy
from netwright.testing.strategies import search
from netwright.trial import Metric, Strategy

ACCURACY = Metric("accuracy", "share", "maximize")
IMAGES = (3, 32, 32)
WINDOWS = (3, 1, 64)
STEPS = 3

FEWER: Mapping[str, Mapping[str, Any]] = {
    "nasnet": {"blocks": 2, "operations": "notes", "cells": 1, "channels": 4},
    "darts": {"cells": 3},
    "mcunet": {"width": 0.5},
    "auto-deeplab": {"layers": 4, "blocks": 1, "width": 1},
    "auto-deeplab-tiny": {"layers": 4, "blocks": 1},
}
"""Parameters of spaces that take long in full; what is decided in them is the same."""

SOON: Mapping[str, Mapping[str, Any]] = {
    "annealing": {"opening": 1},
    "evolution": {"population": 1, "tournament": 1},
    "successive-halving": {"eta": 2, "minimum": 0.5},
    "hyperband": {"eta": 2, "minimum": 0.5},
    "asha": {"eta": 2, "minimum": 0.5},
    **{name: {"initial": 1} for name in ("gp", "bananas", "tpe", "optuna-gp", "auto")},
}
"""Options with which the third step is no longer one of the opening."""


@pytest.fixture(scope="module", params=list(SPACES))
def space(request: pytest.FixtureRequest) -> ExpressionSpace:
    shape = WINDOWS if SPACES[request.param].input_shape[1] == 1 else IMAGES
    return SPACES[request.param].factory(shape, 10, **FEWER.get(request.param, {}))


@pytest.fixture(scope="module")
def budget(space: ExpressionSpace) -> dict[str, int]:
    """Limits that about half of the space keeps, one of the kind that adds up and one that does not."""
    costs = [costs_of(space, sample(space, rng_for(k, "budget"))) for k in range(11)]
    return {name: int(median(one[name] for one in costs)) for name in ("macs", "peak_activation_bytes")}


OFTEN = ("random", "evolution", "local", "auto")
"""Strategies that the fast tests try; the slow ones try them all."""


@pytest.mark.parametrize(
    "name", [name if name in OFTEN else pytest.param(name, marks=pytest.mark.slow) for name in STRATEGIES]
)
@pytest.mark.parametrize("limited", [False, True], ids=["free", "limited"])
def test_three_steps(space: ExpressionSpace, budget: dict[str, int], name: str, limited: bool) -> None:
    strategy, limits = make_strategy(name, **SOON.get(name, {})), budget if limited else {}
    if name == "cmaes":
        # It has numbers to work on nowhere but in spaces of widths, depths and the like, and says so.
        refusal = why_not(strategy, space, limits)
        if refusal is not None:
            assert "expected options that are numbers" in refusal or "pip install cmaes" in refusal
            return
    history = search(strategy, space, limits, ACCURACY, trials=STEPS, lag=1, fails=lambda number: False)
    assert len(history) == STEPS
    for trial in history:
        graph = space.to_graph(trial.proposal.architecture)
        totals = cost(graph, dtype=space.dtype, memory_model=space.memory_model).totals()
        assert all(totals[metric] <= limit for metric, limit in limits.items())


def why_not(strategy: Strategy, space: ExpressionSpace, limits: Mapping[str, int]) -> str | None:
    """Why a strategy refuses a space, or None if it does not."""
    try:
        strategy.init(space, limits, (ACCURACY,), 0)
    except ConfigError as error:
        return str(error)
    return None
