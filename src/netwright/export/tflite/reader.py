"""Run an int8 TFLite file through TensorFlow Lite Micro: python run.py MODEL IMAGES.npy OUTPUTS.npy.

Needs numpy and tflite-micro, and nothing else: an export puts this file beside the model as run.py. IMAGES
are float32, prepared as for training, (N, H, W, C) or (N, F). OUTPUTS become the int8 outputs (N, ...), which
stand for (value - zero point) * scale. The labels are printed, one a line: the place of the largest output.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from tflite_micro import runtime

PLENTY = 64 << 20
"""Bytes of the arena where none are given; no microcontroller has as many."""


def interpreter(model: bytes, arena: int | None = None) -> Any:
    """The interpreter of a file; None for the size of its arena in bytes gives it plenty."""
    return runtime.Interpreter.from_bytes(model, arena_size=arena or PLENTY)


def quantized(images: Any, details: Any) -> Any:
    """The int8 values of float images, by the scale and zero point of the input."""
    found = details["quantization_parameters"]
    scale, zero = np.float32(found["scales"][0]), int(found["zero_points"][0])
    return np.clip(np.round(images / scale) + zero, -128, 127).astype(np.int8)


def run(net: Any, images: Any) -> Any:
    """The first output for each of N float images, int8 (N, ...)."""
    values = quantized(images, net.get_input_details(0))
    outputs = []
    for value in values:
        net.set_input(value[None], 0)
        net.invoke()
        outputs.append(net.get_output(0)[0].copy())
    return np.stack(outputs)


def main(arguments: list[str]) -> None:
    """Model, images, outputs, and if wanted the size of the arena in bytes."""
    model, images, target, *arena = arguments
    net = interpreter(Path(model).read_bytes(), int(arena[0]) if arena else None)
    outputs = run(net, np.load(images))
    np.save(target, outputs)
    # To standard error: head, tail and what they consist of.
    net.print_allocations()
    print(*outputs.argmax(-1).reshape(-1), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
