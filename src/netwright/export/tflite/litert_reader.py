"""Run an int8 TFLite file through LiteRT: a script for a process with ai-edge-litert and numpy alone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType


def main(folder: Path, kernels: str) -> None:
    """Run images.npy through model.tflite, write outputs.npy: int8, the first output for each."""
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
