"""TFLite: int8 files, the interpreters that run them, and what they need (extra ``edge``).

Every name is imported on first use; torch and the packages of the extra load only where they are needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.devices import NpuTarget as NpuTarget
    from netwright.export.tflite.comparison import Comparison as Comparison
    from netwright.export.tflite.comparison import compare_interpreters as compare_interpreters
    from netwright.export.tflite.conversion import convert as convert
    from netwright.export.tflite.conversion import convert_here as convert_here
    from netwright.export.tflite.description import FileFacts as FileFacts
    from netwright.export.tflite.description import OperatorFacts as OperatorFacts
    from netwright.export.tflite.description import TensorFacts as TensorFacts
    from netwright.export.tflite.description import describe as describe
    from netwright.export.tflite.description import kinds as kinds
    from netwright.export.tflite.folder import write_tflite as write_tflite
    from netwright.export.tflite.litert import run_litert as run_litert
    from netwright.export.tflite.micro import MicroRun as MicroRun
    from netwright.export.tflite.micro import run_micro as run_micro
    from netwright.export.tflite.micro import smallest_arena as smallest_arena
    from netwright.export.tflite.npu import NpuEstimate as NpuEstimate
    from netwright.export.tflite.npu import estimate_npu as estimate_npu
    from netwright.export.tflite.sources import CSources as CSources
    from netwright.export.tflite.sources import write_c_sources as write_c_sources

_MODULES = {
    "comparison": ("Comparison", "compare_interpreters"),
    "conversion": ("convert", "convert_here"),
    "description": ("FileFacts", "OperatorFacts", "TensorFacts", "describe", "kinds"),
    "folder": ("write_tflite",),
    "litert": ("run_litert",),
    "micro": ("MicroRun", "run_micro", "smallest_arena"),
    "npu": ("NpuEstimate", "NpuTarget", "estimate_npu"),
    "sources": ("CSources", "write_c_sources"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "CSources",
    "Comparison",
    "FileFacts",
    "MicroRun",
    "NpuEstimate",
    "NpuTarget",
    "OperatorFacts",
    "TensorFacts",
    "compare_interpreters",
    "convert",
    "convert_here",
    "describe",
    "estimate_npu",
    "kinds",
    "run_litert",
    "run_micro",
    "smallest_arena",
    "write_c_sources",
    "write_tflite",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for [PEP 562]."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
