"""What ``import netwright`` offers, and that it offers it without importing it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from types import ModuleType

import pytest

import netwright
from netwright.ir.cost import cost
from netwright.models import build_model


@pytest.mark.parametrize("name", netwright.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(netwright, name) is not None
    assert name in dir(netwright)


def test_all_is_sorted_and_has_each_name_once() -> None:
    assert netwright.__all__ == sorted(set(netwright.__all__))


def test_names_are_what_they_say() -> None:
    assert netwright.cost is cost
    assert netwright.__version__ == version("netwright")
    assert isinstance(netwright.models, ModuleType)
    assert netwright.cost(build_model("resnet-50")).params == 25_557_032


def test_from_import() -> None:
    from netwright import Budget, budget_for

    assert isinstance(budget_for("nrf52840"), Budget)


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="module 'netwright' has no attribute 'serach'"):
        getattr(netwright, "serach")  # noqa: B009


@pytest.mark.parametrize(
    "first", ["import netwright.pipeline", "import netwright.cli.search", "import netwright"]
)
def test_search_is_the_function_whatever_was_imported_first(first: str) -> None:
    code = f"{first}\nimport netwright\nimport netwright.pipeline as p\nprint(netwright.search is p.search)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert process.stdout == "True\n", process.stderr
