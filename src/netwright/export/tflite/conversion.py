"""From a trained network to one int8 TFLite file.

The conversion loads large packages, prints and changes global state, and a fault in native code would end the
process. So ``convert`` runs it in a process of its own (``python -m netwright.export.tflite.conversion``).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from netwright.errors import ExportError, MissingDependencyError, NetwrightError
from netwright.export.bundle import load, save
from netwright.export.tflite.child import TIMEOUT, last_lines, run_module
from netwright.export.tflite.extra import require
from netwright.export.tflite.folding import fold
from netwright.export.tflite.module import Deployed
from netwright.ir.graph import Graph
from netwright.nn.lower import Network

Array = np.ndarray[Any, Any]

_RESULT, _ERROR = "model.tflite", "error.json"


def convert(
    network: Network | str | Path,
    images: torch.Tensor | Array,
    *,
    order: Sequence[str] | None = None,
    timeout: float = TIMEOUT,
) -> bytes:
    """Convert a network to a fully int8 TFLite file, in a process of its own.

    Input and output are int8, maps lie as (1, H, W, C), weights have a scale for each channel. The file bears
    no names and no notes; all constants lie inside it; operators come in the order of the schedule.

    Args:
        network: trained, or the folder of its bundle; stays as it is.
        images: for calibration, as the network reads them: (N, C, H, W) or (N, F), from the training data.
            The extremes over all of them become the ranges of int8.
        order: names of nodes in order of execution, see ``netwright.ir.tflm.reordered``; None for that of
            definition.
        timeout: seconds after which the process is ended.

    Raises:
        MissingDependencyError: if the extra ``edge`` is not installed.
        ExportError: if the network cannot be converted, or the process died; with what it last printed.
    """
    for package in ("litert-torch", "ai-edge-quantizer", "ai-edge-litert"):
        require(package, package.replace("-", "_"))
    array = _array(images)
    if isinstance(network, Network):
        _check_images(array, network.graph)
    with tempfile.TemporaryDirectory(prefix="netwright-tflite-") as name:
        folder = Path(name)
        bundle = folder / "bundle"
        if isinstance(network, Network):
            save(bundle, network.graph, network)
        else:
            bundle = Path(network).absolute()
        np.save(folder / "images.npy", array)
        request = {"bundle": str(bundle), "order": None if order is None else list(order)}
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        run = run_module("netwright.export.tflite.conversion", name, timeout=timeout)
        return _collect(folder, run)


def _collect(folder: Path, run: subprocess.CompletedProcess[str]) -> bytes:
    """The file that the child wrote, or its error."""
    if (folder / _ERROR).exists():
        error = json.loads((folder / _ERROR).read_text(encoding="utf-8"))
        kind = MissingDependencyError if error["kind"] == "MissingDependencyError" else ExportError
        raise kind(error["message"])
    if run.returncode or not (folder / _RESULT).exists():
        raise ExportError(
            f"tflite: the conversion ended with code {run.returncode}; it last printed:\n{last_lines(run)}"
        )
    return (folder / _RESULT).read_bytes()


def convert_here(
    network: Network, images: torch.Tensor | Array, *, order: Sequence[str] | None = None
) -> bytes:
    """As ``convert``, in this process: it prints, and changes global state of torch and logging.

    Raises:
        MissingDependencyError: if the extra ``edge`` is not installed.
        ExportError: if the network cannot be converted.
    """
    # These load the packages of the extra, several seconds and gigabytes; nobody else needs them.
    from netwright.export.tflite import flatbuffer, padding, quantization, rewriting
    from netwright.export.tflite.floating import float_file

    array = _array(images)
    graph = network.graph
    _check_images(array, graph)
    module = Deployed(fold(network, order)).eval()
    examples = np.ascontiguousarray(array.transpose(0, 2, 3, 1) if array.ndim == 4 else array)
    model = flatbuffer.read(float_file(module, torch.from_numpy(examples[:1].copy())))
    padding.fold_pads(model)
    rewriting.replace_relu6(model)
    rewriting.strip(model)
    rewriting.name_tensors(model)
    file = flatbuffer.write(model)
    found = quantization.unify(model, quantization.ranges(file, examples))
    result = flatbuffer.read(quantization.quantize(file, model, found))
    rewriting.strip(result)
    rewriting.check_order(result)
    rewriting.check_int8(result)
    return flatbuffer.write(result)


def _array(images: torch.Tensor | Array) -> Array:
    array = images.detach().cpu().numpy() if isinstance(images, torch.Tensor) else images
    return np.ascontiguousarray(array, np.float32)


def _check_images(images: Array, graph: Graph) -> None:
    if len(images) == 0 or images.shape[1:] != graph.input_shape:
        raise ExportError(
            f"calibration: expected images (N, {', '.join(map(str, graph.input_shape))}), N at least 1, got "
            f"{images.shape}"
        )
    if not np.isfinite(images).all():
        raise ExportError("calibration: expected finite images, got NaN or infinity")


def main(folder: Path) -> None:
    """The child: read a request, write the file or the error."""
    try:
        request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
        torch.set_num_threads(1)
        network = load(request["bundle"])
        file = convert_here(network, np.load(folder / "images.npy"), order=request["order"])
        (folder / _RESULT).write_bytes(file)
    except NetwrightError as error:
        answer = {"kind": type(error).__name__, "message": str(error)}
        (folder / _ERROR).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
