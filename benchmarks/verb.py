"""``netwright benchmark`` as a user would call it, for the scripts beside this one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def benchmark(
    table: str,
    dataset: str,
    strategies: Sequence[str],
    *,
    evaluations: int,
    seeds: int,
    workers: int,
    out: Path,
) -> dict[str, Any]:
    """Run the verb and read its JSON: ``rows`` and ``comparisons`` with the first strategy."""
    command = [
        *(sys.executable, "-m", "netwright", "benchmark", "--table", table, "--dataset", dataset),
        *("--strategies", ",".join(strategies), "--evaluations", str(evaluations)),
        *("--seeds", str(seeds), "--workers", str(workers), "--out", str(out), "--json"),
    ]
    found: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return found
