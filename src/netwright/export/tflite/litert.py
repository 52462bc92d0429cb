"""LiteRT, the interpreter of phones and computers: the second opinion on an int8 file.

It prints on standard error when it loads, so it runs in a process of its own, which reads
``litert_reader.py``.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from netwright.errors import ExportError
from netwright.export.tflite.child import last_lines, run_script
from netwright.export.tflite.extra import require
from netwright.export.tflite.micro import Array, channels_last

Kernels = Literal["default", "reference"]
"""``default``: as applications get them, with XNNPACK; ``reference``: plain C++, those that TensorFlow Lite
Micro's are derived from."""


def run_litert(file: bytes, images: Any, kernels: Kernels = "default") -> Array:
    """Run images through LiteRT.

    Args:
        file: what ``convert`` gave.
        images: (N, C, H, W) or (N, F) as the network reads them.
        kernels: see ``Kernels``.

    Returns:
        int8 (N, ...), the first output for each image.

    Raises:
        MissingDependencyError: if ai-edge-litert is not installed.
        ExportError: if the interpreter fails; with what it printed.
    """
    if kernels not in get_args(Kernels):
        raise ExportError(f"litert: kernels: expected one of {get_args(Kernels)}, got {kernels!r}")
    require("ai-edge-litert", "ai_edge_litert")
    with tempfile.TemporaryDirectory(prefix="netwright-litert-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(file)
        np.save(folder / "images.npy", channels_last(images))
        # A copy: the folder of the original would be on the import path, and netwright brings torch along.
        script = Path(shutil.copy(Path(__file__).with_name("litert_reader.py"), folder / "run.py"))
        done = run_script(script, name, kernels)
        target = folder / "outputs.npy"
        if done.returncode or not target.exists():
            raise ExportError(
                f"litert: ended with code {done.returncode}; it last printed:\n{last_lines(done)}"
            )
        outputs: Array = np.load(target)
        return outputs
