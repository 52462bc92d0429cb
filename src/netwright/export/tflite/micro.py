"""The real TensorFlow Lite Micro interpreter: what a file computes there, and the arena it takes.

The interpreter ends the process where an arena is far too small, and reports its allocations on standard
error only. So it runs in a process of its own, which reads ``reader.py``, the script that exports carry too.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netwright.errors import ExportError
from netwright.export.tflite.child import last_lines, run_script
from netwright.export.tflite.extra import require
from netwright.export.tflite.flatbuffer import read
from netwright.export.tflite.folder import reader_file

Array = np.ndarray[Any, Any]

ARENA_STEP = 16
"""Bytes that an arena is a multiple of."""

_LINE = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")


@dataclass(frozen=True, slots=True)
class MicroRun:
    """What the interpreter computed and took.

    Attributes:
        outputs: int8 (N, ...), the first output for each image.
        head_bytes: planned activations, as the interpreter reports them.
        tail_bytes: persistent structures, on this computer (64 bit); a microcontroller's are smaller.
        arena_bytes: their sum.
    """

    outputs: Array
    head_bytes: int
    tail_bytes: int
    arena_bytes: int

    @property
    def labels(self) -> Array:
        """Place of the largest output, the first of equals; (N,) or, for maps of labels, (N, H, W)."""
        found: Array = self.outputs.argmax(-1)
        return found


def channels_last(images: Any) -> Array:
    """Images (N, C, H, W) or vectors (N, F) as TFLite reads them, float32."""
    array = np.asarray(images, np.float32)
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1) if array.ndim == 4 else array)


def run_micro(file: bytes, images: Any, arena_bytes: int | None = None) -> MicroRun:
    """Run images through the interpreter of the wheel tflite-micro.

    Args:
        file: what ``convert`` gave.
        images: (N, C, H, W) or (N, F) as the network reads them, N at least 1.
        arena_bytes: size of the arena; None gives plenty.

    Raises:
        MissingDependencyError: if tflite-micro is not installed.
        ExportError: if the interpreter fails; with what it printed.
    """
    done, outputs = _attempt(file, channels_last(images), arena_bytes)
    if outputs is None:
        raise ExportError(
            f"tflite-micro: cannot run this file with an arena of {arena_bytes or 'any number of'} bytes "
            f"(code {done.returncode}); it printed:\n{last_lines(done)}"
        )
    sizes = {kind: int(size) for kind, size in _LINE.findall(done.stderr)}
    if set(sizes) != {"total", "head", "tail"}:
        raise ExportError(f"tflite-micro: expected its allocations, got:\n{last_lines(done)}")
    return MicroRun(outputs, sizes["head"], sizes["tail"], sizes["total"])


def smallest_arena(file: bytes) -> int:
    """The smallest arena with which the interpreter runs the file and computes the same, in bytes.

    It can be more than head and tail together: planning itself takes memory, which is given back before the
    first run. A multiple of 16, measured by trying.

    Raises:
        MissingDependencyError: if tflite-micro is not installed.
        ExportError: if the file does not run at all.
    """
    probe = np.random.default_rng(0).normal(size=(2, *input_shape(file))).astype(np.float32)
    done, expected = _attempt(file, probe, None)
    if expected is None:
        raise ExportError(
            f"tflite-micro: the interpreter cannot run this file; it printed:\n{last_lines(done)}"
        )
    total = int(dict(_LINE.findall(done.stderr))["total"])

    def enough(size: int) -> bool:
        _, found = _attempt(file, probe, size)
        return found is not None and bool((found == expected).all())

    least = -(-total // ARENA_STEP)
    if enough(least * ARENA_STEP):
        return least * ARENA_STEP
    failed, step = least, 1
    while not enough((failed + step) * ARENA_STEP):
        failed, step = failed + step, 2 * step
    works = failed + step
    while works - failed > 1:
        middle = (works + failed) // 2
        works, failed = (middle, failed) if enough(middle * ARENA_STEP) else (works, middle)
    return works * ARENA_STEP


def _attempt(
    file: bytes, images: Array, arena_bytes: int | None
) -> tuple[subprocess.CompletedProcess[str], Array | None]:
    """What the process said, and the outputs where it succeeded."""
    require("tflite-micro", "tflite_micro")
    with tempfile.TemporaryDirectory(prefix="netwright-micro-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(file)
        np.save(folder / "images.npy", images)
        # A copy, as exports have it: the folder of the original would be on the import path.
        script = Path(shutil.copy(reader_file(), folder / "run.py"))
        paths = [str(folder / part) for part in ("model.tflite", "images.npy", "outputs.npy")]
        size = [] if arena_bytes is None else [str(arena_bytes)]
        done = run_script(script, *paths, *size)
        target = folder / "outputs.npy"
        return done, np.load(target) if done.returncode == 0 and target.exists() else None


def input_shape(file: bytes) -> tuple[int, ...]:
    """Shape of the input of a file without the batch."""
    graph = read(file).subgraphs[0]
    return tuple(graph.tensors[graph.inputs[0]].shape[1:])
