"""Conformance kit: laws that every op, graph, space, strategy and estimator must keep, as pytest classes.

Subclass the laws of what you have made and say in a fixture where it is::

    from netwright.testing import StrategyLaws

    class TestMyStrategy(StrategyLaws):
        @pytest.fixture
        def strategy(self):
            return MyStrategy()

Wherever a law is about numbers, the judge is not netwright: torch's shapes, parameters and FLOP counter, a
machine that allocates and frees buffers, an interpreter that goes through a space network by network. Draws
come from fixed seeds, so a law that fails once fails always. It needs the extra ``dev``.

Everything here is imported on first use, so that laws of torch-free things need no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from netwright.errors import MissingDependencyError

try:
    import pytest
except ImportError as error:
    raise MissingDependencyError(
        "netwright.testing needs pytest; install it with: pip install 'netwright[dev]'"
    ) from error

if TYPE_CHECKING:
    from netwright.testing.estimators import EstimatorLaws as EstimatorLaws
    from netwright.testing.examples import OP_CASES as OP_CASES
    from netwright.testing.examples import OpCase as OpCase
    from netwright.testing.examples import example_space as example_space
    from netwright.testing.graphs import GraphLaws as GraphLaws
    from netwright.testing.interpreter import Member as Member
    from netwright.testing.interpreter import members as members
    from netwright.testing.machine import Machine as Machine
    from netwright.testing.machine import simulate as simulate
    from netwright.testing.ops import OpLaws as OpLaws
    from netwright.testing.spaces import ExpressionSpaceLaws as ExpressionSpaceLaws
    from netwright.testing.spaces import SpaceLaws as SpaceLaws
    from netwright.testing.strategies import StrategyLaws as StrategyLaws
    from netwright.testing.verdict import Verdict as Verdict
    from netwright.testing.verdict import ask_torch as ask_torch

__all__ = [
    "OP_CASES",
    "EstimatorLaws",
    "ExpressionSpaceLaws",
    "GraphLaws",
    "Machine",
    "Member",
    "OpCase",
    "OpLaws",
    "SpaceLaws",
    "StrategyLaws",
    "Verdict",
    "ask_torch",
    "example_space",
    "members",
    "simulate",
]

_HOMES = {
    "estimators": ("EstimatorLaws",),
    "examples": ("OP_CASES", "OpCase", "example_space"),
    "graphs": ("GraphLaws",),
    "interpreter": ("Member", "members"),
    "machine": ("Machine", "simulate"),
    "ops": ("OpLaws",),
    "spaces": ("ExpressionSpaceLaws", "SpaceLaws"),
    "strategies": ("StrategyLaws",),
    "verdict": ("Verdict", "ask_torch"),
}

# A law that is broken should show both sides of its assertion, as in a test.
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in _HOMES))


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for [PEP 562]."""
    for module, names in _HOMES.items():
        if name in names:
            value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
