"""netwright: neural architecture search for PyTorch, with exact answers about whole search spaces.

Everything here is imported on first use, so that ``import netwright`` needs neither torch nor optuna::

    import netwright as nw

    space = nw.spaces.mobilenet_tiny((1, 28, 28), classes=10)
    budget = nw.budget_for("nrf52840", max_macs="2M")
    nw.count(space, budget)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright import blocks as blocks
    from netwright import models as models
    from netwright import spaces as spaces
    from netwright.devices.budget import Budget as Budget
    from netwright.devices.budget import budget_for as budget_for
    from netwright.export.bundle import load as load
    from netwright.ir.cost import cost as cost
    from netwright.pipeline import deploy as deploy
    from netwright.pipeline import search as search
    from netwright.space import Architecture as Architecture
    from netwright.space import cell as cell
    from netwright.space import cells as cells
    from netwright.space import choice as choice
    from netwright.space import choose as choose
    from netwright.space import compile_space as compile_space
    from netwright.space import count as count
    from netwright.space import derived as derived
    from netwright.space import distribution as distribution
    from netwright.space import each as each
    from netwright.space import extremes as extremes
    from netwright.space import five_steps as five_steps
    from netwright.space import place as place
    from netwright.space import rank as rank
    from netwright.space import repeat as repeat
    from netwright.space import sample as sample
    from netwright.space import sequential as sequential
    from netwright.space import size as size
    from netwright.space import trellis as trellis
    from netwright.space import unrank as unrank

    __version__: str

__all__ = [
    "Architecture",
    "Budget",
    "__version__",
    "blocks",
    "budget_for",
    "cell",
    "cells",
    "choice",
    "choose",
    "compile_space",
    "cost",
    "count",
    "derived",
    "distribution",
    "each",
    "extremes",
    "five_steps",
    "load",
    "models",
    "place",
    "rank",
    "repeat",
    "sample",
    "search",
    "sequential",
    "size",
    "spaces",
    "trellis",
    "unrank",
]

_MODULES = frozenset({"blocks", "models", "spaces"})
_HOMES = {
    **dict.fromkeys(("Budget", "budget_for"), "netwright.devices"),
    **dict.fromkeys(
        (
            *("Architecture", "choice", "compile_space", "derived", "place", "repeat", "sequential"),
            *("cell", "cells", "choose", "each", "five_steps", "trellis"),
            *("count", "distribution", "extremes", "rank", "sample", "size", "unrank"),
        ),
        "netwright.space",
    ),
    "cost": "netwright.ir.cost",
    "deploy": "netwright.pipeline",
    "load": "netwright.export",
    "search": "netwright.pipeline",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for [PEP 562]."""
    value: Any
    if name in _MODULES:
        value = importlib.import_module(f"{__name__}.{name}")
    elif name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    elif name == "__version__":
        value = importlib.import_module("importlib.metadata").version(__name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
