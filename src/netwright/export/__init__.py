"""Bundles, ONNX files and model cards of trained networks.

``netwright.load`` needs only the bundle; onnx, onnxruntime and the search space are imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from netwright.export.bundle import load, save, staged

if TYPE_CHECKING:
    from netwright.export.card import Accuracy as Accuracy
    from netwright.export.card import Card as Card
    from netwright.export.card import DataFacts as DataFacts
    from netwright.export.card import SearchFacts as SearchFacts
    from netwright.export.card import model_card as model_card
    from netwright.export.card import write_card as write_card
    from netwright.export.onnx import OnnxFile as OnnxFile
    from netwright.export.onnx import check_onnx as check_onnx
    from netwright.export.onnx import export_onnx as export_onnx

__all__ = [
    "Accuracy",
    "Card",
    "DataFacts",
    "OnnxFile",
    "SearchFacts",
    "check_onnx",
    "export_onnx",
    "load",
    "model_card",
    "save",
    "staged",
    "write_card",
]

_HOMES = {
    **dict.fromkeys(
        ("Accuracy", "Card", "DataFacts", "SearchFacts", "model_card", "write_card"), "netwright.export.card"
    ),
    **dict.fromkeys(("OnnxFile", "check_onnx", "export_onnx"), "netwright.export.onnx"),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for [PEP 562]."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
