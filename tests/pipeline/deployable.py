"""Finished runs to deploy: a real search that takes seconds, and one that only looks finished."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import netwright
from netwright import blocks as B
from netwright.export import Accuracy, Card, DataFacts, save, write_card
from netwright.ir.cost import cost
from netwright.ir.graph import Graph
from netwright.nn.data import load_data, split
from netwright.nn.lower import Network
from netwright.nn.prepare import statistics
from netwright.nn.recipe import recipe_for
from netwright.space import choice, compile_space, place, repeat, sequential
from tests.export.tflite.small import random_weights

PACKAGES = ("litert_torch", "ai_edge_quantizer", "ai_edge_litert", "tflite_micro")

SPACE = compile_space(
    sequential(
        place("stem", B.conv_bn_act(out=choice(4, 8), stride=2)),
        repeat("body", B.inverted_residual(out=8, kernel=choice(3, 5), expand=choice(2, 3)), depth=2),
        place("classifier", B.classifier(classes=10)),
        input=(1, choice(8, 12, name="resolution"), ...),
    ),
    "deployable",
)
"""Networks for digits with a residual, all of them below 16 KB of arena."""

SHARE = 0.2


def need_edge() -> None:
    """Skip, visibly, where the extra is missing."""
    absent = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if absent:
        pytest.skip(f'needs {", ".join(absent)}: pip install -c constraints.txt "netwright[edge]"')


def search_deployable(out: Path, data: Any = "digits") -> Path:
    """Search, train and export in seconds; the limits hold."""
    netwright.search(
        data,
        out,
        space=SPACE,
        trials=2,
        epochs=1,
        top=1,
        workers=1,
        seed=3,
        max_arena="16KB",
        max_file="32KB",
    )
    return out


def write_run(out: Path, graph: Graph, network: Network | None = None, **changes: Any) -> Path:
    """What a search writes that deploying reads.

    Args:
        out: the run directory.
        graph: the network, for digits.
        network: the same with weights; None draws them at random.
        **changes: of ``result.json``.
    """
    found = load_data("digits")
    rows = split(found, SHARE, 0)
    scale = statistics(found.images[rows.train_indices])
    channels, height, width = graph.input_shape
    facts = DataFacts(
        found.name, found.fingerprint, found.classes, (channels, height, width), "grey", scale.mean, scale.std
    )
    save(out / "export", graph, random_weights(graph) if network is None else network)
    write_card(out / "export", Card("random", facts, cost(graph).totals(), Accuracy(0.5), 0))
    result = {
        "format": 1,
        "task": "classification",
        "architecture": {"key": "0" * 16},
        "costs": cost(graph).to_dict(),
        "budget": netwright.budget_for(max_arena="64KB").to_dict(),
        "seed": 0,
        "data": {"name": found.name, "fingerprint": found.fingerprint},
        "settings": {"estimator": {**asdict(recipe_for(found)), "validation_share": SHARE, "split_seed": 0}},
        **changes,
    }
    (out / "result.json").write_text(json.dumps(result))
    return out
