"""The job of ``make demo``, with fewer trials."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from netwright.devices import budget_for
from netwright.ir.cost import cost
from netwright.ir.graph import Graph
from netwright.ir.runtime import runtime_costs


@pytest.mark.slow
def test_digits_for_a_microcontroller(tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "netwright", "search", "--data", "digits", "--device", "stm32f746"),
        *("--out", "run", "--trials", "6", "--top", "2"),
    ]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=1800)
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["test_accuracy"] >= 0.97
    assert result["fits"]
    graph = Graph.from_json((tmp_path / "run" / "export" / "graph.json").read_text())
    assert budget_for("stm32f746").check(cost(graph).totals() | runtime_costs(graph)).fits
    assert (tmp_path / "run" / "export" / "model.onnx").is_file()
    assert (tmp_path / "run" / "report.html").is_file()
