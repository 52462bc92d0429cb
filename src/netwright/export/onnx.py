"""ONNX files: written by torch's exporter, stripped of traces of this machine, and held against torch."""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from netwright.errors import ExportError
from netwright.export.bundle import staged
from netwright.ir.graph import FORMAT, Graph

OPSET = 18
"""The operator set that torch's exporter writes natively; runtimes since 2023 read it."""

TOLERANCE = 1e-4
INPUT = "input"
OUTPUT = "logits"


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """What was written.

    Attributes:
        path: the file.
        bytes: its size.
        opset: its operator set.
        difference: largest difference between onnxruntime and torch, as a share of the largest logit.
    """

    path: Path
    bytes: int
    opset: int
    difference: float


def export_onnx(
    module: nn.Module,
    graph: Graph,
    path: str | Path,
    opset: int = OPSET,
    metadata: Mapping[str, str] | None = None,
    tolerance: float = TOLERANCE,
) -> OnnxFile:
    """Write a network as one ONNX file and check it.

    The input is ``input`` (batch, C, H, W) float32 with a free batch, the output ``logits``; a graph with
    several outputs names them after their places. The file carries the graph and the version of netwright
    as metadata. It appears only after ``onnx.checker`` and the comparison of ``check_onnx`` have passed.

    Args:
        module: the network; stays as it is, its copy is exported in eval mode, float32, on the CPU.
        graph: what it computes.
        path: of the file; its folder is made.
        opset: version of the ONNX operator set, 18 or later.
        metadata: further properties of the model, such as names of classes.
        tolerance: see ``check_onnx``.

    Raises:
        ExportError: if torch cannot export the network, the file cannot be written, or it computes
            something else.
    """
    target = Path(path)
    network = _portable(module)
    model = _convert(network, graph, opset)
    properties = {
        "netwright.version": version("netwright"),
        "netwright.graph_format": str(FORMAT),
        "netwright.graph": json.dumps(graph.to_dict(), separators=(",", ":")),
        **(metadata or {}),
    }
    onnx.helper.set_model_props(model, properties)
    with staged(target.parent) as draft:
        file = draft / target.name
        onnx.save_model(model, file)
        try:
            onnx.checker.check_model(file, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ExportError(f"{target}: the checker of ONNX refuses the file ({error})") from error
        difference = check_onnx(file, network, graph, tolerance=tolerance)
    return OnnxFile(target, target.stat().st_size, opset, difference)


def check_onnx(
    path: str | Path,
    module: nn.Module,
    graph: Graph,
    batches: Sequence[int] = (1, 3),
    tolerance: float = TOLERANCE,
) -> float:
    """Compare an ONNX file under onnxruntime with the network under torch, on normally drawn inputs.

    Args:
        path: of the file.
        module: the network, float32 on the CPU, in eval mode.
        graph: what it computes.
        batches: sizes of the batches that are compared.
        tolerance: the largest difference that passes, as a share of the largest magnitude among the
            outputs of torch (or absolute, if these are all 0).

    Returns:
        The largest difference, in the same unit.

    Raises:
        ExportError: if an output is not finite or differs by more than the tolerance.
    """
    session = _session(Path(path))
    generator = torch.Generator(device="cpu").manual_seed(0)
    names = _output_names(graph)
    largest = 0.0
    for batch in batches:
        images = torch.randn((batch, *graph.input_shape), generator=generator, device="cpu")
        with torch.no_grad():
            outputs = module(images)
        expected = outputs if isinstance(outputs, tuple) else (outputs,)
        found = session.run(names, {INPUT: images.numpy()})
        for name, ours, theirs in zip(names, expected, found, strict=True):
            difference = _difference(f"{path}: {name}, batch {batch}", ours, theirs)
            largest = max(largest, difference)
    if largest > tolerance:
        raise ExportError(
            f"{path}: onnxruntime and torch differ by {largest:.3g} of the largest output, "
            f"expected at most {tolerance:g}"
        )
    return largest


def _difference(where: str, ours: Tensor, theirs: Any) -> float:
    """Largest difference as a share of the largest magnitude of ours."""
    expected = ours.numpy()
    if expected.shape != theirs.shape:
        raise ExportError(f"{where}: expected shape {expected.shape} as torch has it, got {theirs.shape}")
    if not (np.isfinite(expected).all() and np.isfinite(theirs).all()):
        raise ExportError(f"{where}: not finite; the weights hold NaN or overflow, train again")
    scale = float(np.abs(expected).max())
    return float(np.abs(expected - theirs).max()) / (scale if scale > 0 else 1.0)


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    # onnxruntime has a class of its own for each error code, all derived from Exception alone.
    except Exception as error:
        raise ExportError(f"{path}: onnxruntime cannot load the file ({error})") from error


def _output_names(graph: Graph) -> list[str]:
    return [OUTPUT] if len(graph.outputs) == 1 else list(graph.outputs)


def _portable(module: nn.Module) -> nn.Module:
    """A copy in eval mode, float32, on the CPU, in the plain memory format.

    Weights in channels_last, as training leaves them, would add operators that restride them.
    """
    network = copy.deepcopy(module).cpu().float().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.data = parameter.clone(memory_format=torch.contiguous_format)
    return network


def _convert(network: nn.Module, graph: Graph, opset: int) -> onnx.ModelProto:
    """The network as an ONNX model in memory."""
    newest = onnx.defs.onnx_opset_version()
    if not OPSET <= opset <= newest:
        raise ExportError(f"onnx: opset: expected {OPSET} to {newest}, got {opset}")
    # Two images: torch takes a dimension of 1 for a constant.
    example = torch.zeros((2, *graph.input_shape), device="cpu")
    try:
        with _quiet():
            program = torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                input_names=[INPUT],
                output_names=_output_names(graph),
                opset_version=opset,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        raise ExportError(f"onnx: torch cannot export this network at opset {opset} ({error})") from error
    if program is None:
        raise ExportError("onnx: torch's exporter gave no model")
    model: onnx.ModelProto = program.model_proto
    # A conversion that fails leaves the model as it was, with no more than a line in the log.
    found = {entry.version for entry in model.opset_import if not entry.domain}
    if found != {opset}:
        raise ExportError(f"onnx: opset: torch could write {sorted(found)} only, expected {opset}")
    _strip(model)
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back two messages of torch's exporter that a user can do nothing about; all others pass."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    logger.addFilter(_is_worth_showing)
    try:
        with warnings.catch_warnings():
            # torch's own call of its own deprecated class.
            warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)`", FutureWarning)
            yield
    finally:
        logger.removeFilter(_is_worth_showing)


def _is_worth_showing(record: logging.LogRecord) -> bool:
    # torchvision is no dependency of ours, and its ops are in no graph of ours.
    return not record.getMessage().startswith("torchvision is not installed")


def _strip(model: onnx.ModelProto) -> None:
    """Remove the exporter's stack traces and notes.

    They name files of this machine and can outweigh a small network.
    """
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
