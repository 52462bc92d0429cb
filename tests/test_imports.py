"""What needs no tensors must start fast: it imports none of the heavy libraries.

Every case is a process of its own, started as a user would start it; ``sys.modules`` is written down when it
exits.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "optuna", "sklearn", "plotly"}

# Python imports a module of this name by itself at every start.
SITECUSTOMIZE = """
import atexit, os, pathlib, sys

def write(path=pathlib.Path(os.environ["MODULES_FILE"])):
    path.write_text("\\n".join(sys.modules))

atexit.register(write)
"""

COMMANDS = {
    "import": ["-c", "import netwright"],
    "help": ["-m", "netwright", "--help"],
    "cost": ["-m", "netwright", "cost", "resnet-50"],
    "cost-json": [
        *("-m", "netwright", "cost", "mobilenet-v2", "--json"),
        *("--set", "width=0.35", "--set", "resolution=144", "--set", "last=448"),
    ],
    "cost-convention": ["-m", "netwright", "cost", "resnet-50", "--convention", "thop"],
    "devices": ["-m", "netwright", "devices"],
    "benchmark-help": ["-m", "netwright", "benchmark", "--help"],
    "tables": ["-c", "import netwright.estimators.tables, netwright.study.in_memory, netwright.strategies"],
    "search-help": ["-m", "netwright", "search", "--help"],
}


def imported_by(arguments: list[str], folder: Path) -> set[str]:
    """Top-level names in ``sys.modules`` at the end of a Python process with these arguments."""
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
    modules = folder / "modules.txt"
    path = os.pathsep.join(p for p in (str(folder), os.environ.get("PYTHONPATH")) if p)
    process = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": path, "MODULES_FILE": str(modules)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return {name.partition(".")[0] for name in modules.read_text().splitlines()}


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS.keys())
def test_no_heavy_library_is_imported(arguments: list[str], tmp_path: Path) -> None:
    imported = imported_by(arguments, tmp_path)
    assert "netwright" in imported
    assert imported & HEAVY == set()


@pytest.mark.parametrize("library", sorted(HEAVY))
def test_the_probe_sees_what_is_imported(library: str, tmp_path: Path) -> None:
    assert library in imported_by(["-c", f"import {library}"], tmp_path)
