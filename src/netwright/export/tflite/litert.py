"""LiteRT, the interpreter of phones and computers: the second opinion on an int8 file.

It prints on standard error when it loads, so it runs in a process of its own
(``python -m netwright.export.tflite.litert``).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from netwright.errors import ExportError
from netwright.export.tflite.child import last_lines, run_module
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
        done = run_module("netwright.export.tflite.litert", name, kernels)
        target = folder / "outputs.npy"
        if done.returncode or not target.exists():
            raise ExportError(
                f"litert: ended with code {done.returncode}; it last printed:\n{last_lines(done)}"
            )
        outputs: Array = np.load(target)
        return outputs


def main(folder: Path, kernels: str) -> None:
    """The child: run the images of a folder, write the outputs."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kind = OpResolverType.AUTO if kernels == "default" else OpResolverType.BUILTIN_REF
    net = Interpreter(
        model_content=(folder / "model.tflite").read_bytes(),
        num_threads=1,
        experimental_op_resolver_type=kind,
    )
    net.allocate_tensors()
    source, target = net.get_input_details()[0], net.get_output_details()[0]
    scale, zero = source["quantization"]
    outputs = []
    for image in np.load(folder / "images.npy"):
        value = np.clip(np.round(image[None] / np.float32(scale)) + zero, -128, 127).astype(np.int8)
        net.set_tensor(source["index"], value)
        net.invoke()
        outputs.append(net.get_tensor(target["index"])[0].copy())
    np.save(folder / "outputs.npy", np.stack(outputs))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
