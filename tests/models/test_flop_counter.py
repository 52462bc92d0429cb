"""Every published network against torch: shapes, parameters, and FlopCounterMode / 2."""

from __future__ import annotations

import pytest

from netwright.ir.cost import cost
from netwright.models import MODELS, build_model
from tests.torch_oracle import ask_torch

SETTINGS: dict[str, dict[str, str]] = {
    "small": {"resolution": "65", "classes": "7", "in_channels": "1"},
    "narrow": {"width": "0.5"},
    "wide": {"width": "1.5", "resolution": "96"},
    "mcunet": {"width": "0.35", "resolution": "144", "last": "448"},
}
CASES = [(name, "published") for name in MODELS] + [(name, "small") for name in MODELS]
CASES += [
    (name, case)
    for case in ("narrow", "wide")
    for name, model in MODELS.items()
    if any(parameter.name == "width" for parameter in model.parameters)
]
CASES += [("mobilenet-v2", "mcunet")]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_torch_agrees(name: str, case: str) -> None:
    settings = dict(SETTINGS.get(case, {}))
    if name == "nasbench201":
        settings.pop("resolution", None)  # an odd map does not fit its shortcut
    graph = build_model(name, settings)
    verdict, found = ask_torch(graph), cost(graph)
    assert found.macs == verdict.macs
    assert found.flops == 2 * verdict.macs
    assert found.params == verdict.params
    assert {node.name: node.shape for node in graph.nodes[1:]} == verdict.shapes
