"""Post-training quantisation to int8: ranges over calibration images, and ai-edge-quantizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from netwright.errors import ExportError
from netwright.export.tflite.extra import missing
from netwright.export.tflite.flatbuffer import is_constant, operator_name

try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    from ai_edge_quantizer import quantizer, recipe
except ImportError as error:
    raise missing("ai-edge-quantizer") from error

Range = tuple[float, float]

_ONE_SCALE = frozenset(
    {
        "AVERAGE_POOL_2D",
        "CONCATENATION",
        "MAX_POOL_2D",
        "PAD",
        "PADV2",
        "REDUCE_MAX",
        "RESHAPE",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "SLICE",
        "STRIDED_SLICE",
        "TRANSPOSE",
    }
)
"""Operators that move values without computing: int8 kernels take one scale for all their tensors."""


def ranges(file: bytes, images: np.ndarray[Any, Any]) -> dict[int, Range]:
    """Smallest and largest value of every activation over all images.

    The extremes, not a moving average of them: with averages the values of rare images are cut off.

    Args:
        file: a float model for one image.
        images: (N, H, W, C) or (N, F), float32.

    Returns:
        By index of the tensor.

    Raises:
        ExportError: if a value is not finite.
    """
    # The default delegate would fuse operators, and their tensors would never be written.
    interpreter = Interpreter(
        model_content=file,
        num_threads=1,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    indices = [tensor["index"] for tensor in interpreter.get_tensor_details()]
    low = np.full(max(indices) + 1, np.inf)
    high = -low
    for image in images:
        interpreter.set_tensor(source["index"], image[None])
        interpreter.invoke()
        for index in indices:
            try:
                value = interpreter.get_tensor(index)
            except ValueError:
                continue  # a scratch tensor of the interpreter, which has no values to read
            if value.dtype == np.float32 and value.size:
                low[index] = min(low[index], value.min())
                high[index] = max(high[index], value.max())
    found = {index: (float(low[index]), float(high[index])) for index in indices if low[index] <= high[index]}
    if not np.isfinite(list(found.values())).all():
        raise ExportError("calibration: the network computes NaN or infinity; train it again")
    return found


def unify(model: Any, found: Mapping[int, Range]) -> dict[int, Range]:
    """One range for all tensors that an operator without arithmetic connects.

    Otherwise the quantizer would put a QUANTIZE before each input of a concatenation whose range differs from
    the others', and how many would depend on the data.
    """
    graph = model.subgraphs[0]
    leader = {index: index for index in found}

    def root(index: int) -> int:
        while leader[index] != index:
            index = leader[index]
        return index

    for operator in graph.operators:
        if operator_name(model, operator) not in _ONE_SCALE:
            continue
        tensors = [
            index
            for index in (*operator.inputs, *operator.outputs)
            if index in found and not is_constant(model, index)
        ]
        for index in tensors[1:]:
            leader[root(index)] = root(tensors[0])
    groups: dict[int, list[Range]] = {}
    for index, pair in found.items():
        groups.setdefault(root(index), []).append(pair)
    merged = {
        key: (min(low for low, _ in group), max(high for _, high in group)) for key, group in groups.items()
    }
    return {index: merged[root(index)] for index in found}


def quantize(file: bytes, model: Any, found: Mapping[int, Range]) -> bytes:
    """Quantise a float model to int8 throughout, weights per channel.

    Args:
        file: the float model, whose tensors have names of their own.
        model: the same, read.
        found: range of every activation by index.

    Returns:
        The file as ai-edge-quantizer writes it, with constants behind the model where they are many.
    """
    names = [tensor.name.decode() for tensor in model.subgraphs[0].tensors]
    statistics = {
        names[index]: {"min": np.array(low, np.float32), "max": np.array(high, np.float32)}
        for index, (low, high) in found.items()
        if index < len(names) and not is_constant(model, index)
    }
    tool = quantizer.Quantizer(bytearray(file), recipe.static_wi8_ai8())
    result = tool.quantize(statistics, enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)
