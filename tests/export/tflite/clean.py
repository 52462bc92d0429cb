"""A process in which there is nothing but tflite-micro and what it requires."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

_CLEAN = """
import sys
sys.path[:] = [entry for entry in sys.path if "site-packages" not in entry] + [{packages!r}]
for name in ("torch", "netwright", "ai_edge_litert"):
    try:
        __import__(name)
    except ImportError:
        continue
    raise SystemExit(name + " can be imported: this is no clean environment")
sys.argv = ["run.py", "model.tflite", {images!r}, {outputs!r}]
exec(compile(open("run.py").read(), "run.py", "exec"))
"""


def clean_labels(folder: Path, images: Any, scratch: Path) -> list[int]:
    """The labels that ``run.py`` of an export prints where there is only tflite-micro and numpy.

    Args:
        folder: of the export.
        images: (N, H, W, C), prepared.
        scratch: an empty folder.
    """
    packages = scratch / "packages"
    packages.mkdir()
    # The wheel itself, and what its metadata require.
    for name in ("tflite_micro", "numpy", "flatbuffers", "yaml"):
        found = importlib.util.find_spec(name)
        assert found is not None
        assert found.origin is not None
        home = Path(found.origin).parent
        (packages / name).symlink_to(home)
        if (home.parent / f"{name}.libs").exists():
            (packages / f"{name}.libs").symlink_to(home.parent / f"{name}.libs")
    np.save(scratch / "images.npy", images)
    code = _CLEAN.format(
        packages=str(packages), images=str(scratch / "images.npy"), outputs=str(scratch / "outputs.npy")
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert run.returncode == 0, run.stderr
    return [int(line) for line in run.stdout.split()]
