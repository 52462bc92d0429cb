"""Processes of our own for native code that prints, changes global state and can end its process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from netwright.errors import ExportError

TIMEOUT = 1800


def run_module(module: str, *arguments: str, timeout: float = TIMEOUT) -> subprocess.CompletedProcess[str]:
    """Run ``python -m module`` with the import path of this process, quiet and with one thread.

    Raises:
        ExportError: if it takes longer than ``timeout`` seconds.
    """
    return _run([sys.executable, "-m", module, *arguments], timeout)


def run_script(script: Path, *arguments: str, timeout: float = TIMEOUT) -> subprocess.CompletedProcess[str]:
    """Run a script in the same way.

    Raises:
        ExportError: if it takes longer than ``timeout`` seconds.
    """
    return _run([sys.executable, str(script), *arguments], timeout)


def last_lines(done: subprocess.CompletedProcess[str], number: int = 12) -> str:
    """What the process printed last."""
    return "\n".join((done.stdout + done.stderr).strip().splitlines()[-number:])


def _run(command: list[str], timeout: float) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        "PYTHONWARNINGS": "ignore",
        "OMP_NUM_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_PLATFORMS": "cpu",
    }
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        raise ExportError(f"{command[2]}: took more than {timeout:g} s and was ended") from None
