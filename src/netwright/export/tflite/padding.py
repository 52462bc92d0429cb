"""A pad in front of a window without padding becomes a window with padding SAME."""

from __future__ import annotations

from typing import Any

import numpy as np

from netwright.errors import ExportError
from netwright.export.tflite.flatbuffer import data_of, operator_name, schema

_PADS = ("PAD", "PADV2")
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")


def fold_pads(model: Any) -> None:
    """Fold every pad that a window's own padding SAME would do as well; the pad's operator goes.

    A tensor that is padded in memory makes the arena up to 1.8 times larger. Pools must fold: zeros that are
    put into a map beforehand would be counted in an average, and a maximum's padding cannot be int8.

    Args:
        model: a float model, changed in place.

    Raises:
        ExportError: if the pad before a pool is not what SAME does.
    """
    graph = model.subgraphs[0]
    pads = [operator for operator in graph.operators if operator_name(model, operator) in _PADS]
    for pad in pads:
        readers = [op for op in graph.operators if pad.outputs[0] in op.inputs]
        if readers and all(_fits(model, pad, reader) for reader in readers):
            for reader in readers:
                reader.inputs[0] = pad.inputs[0]
                reader.builtinOptions.padding = schema.Padding.SAME
            graph.operators.remove(pad)
            continue
        pools = [name for op in readers if (name := operator_name(model, op)) in _POOLS]
        if pools or operator_name(model, pad) == "PADV2":
            raise ExportError(
                f"tflite: {pools or 'pad'} on {_shape(model, pad.inputs[0])}: expected padding 'same' (or an "
                f"equal one), got {_sides(model, pad).tolist()}; TFLite has no other padding for pools"
            )


def _shape(model: Any, index: int) -> list[int]:
    return list(model.subgraphs[0].tensors[index].shape)


def _sides(model: Any, pad: Any) -> Any:
    """(4, 2) pixels before and after each axis of (N, H, W, C)."""
    index = pad.inputs[1]
    wide = model.subgraphs[0].tensors[index].type == schema.TensorType.INT64
    return np.frombuffer(data_of(model, index), np.int64 if wide else np.int32).reshape(-1, 2)


def _fits(model: Any, pad: Any, reader: Any) -> bool:
    """Whether a reader of a pad would pad in the same way by itself."""
    name = operator_name(model, reader)
    options = reader.builtinOptions
    if name not in _CONVOLUTIONS + _POOLS or options.padding != schema.Padding.VALID:
        return False
    if name != "MAX_POOL_2D" and operator_name(model, pad) == "PADV2":
        return False
    if name in _CONVOLUTIONS:
        _, *kernel, _ = _shape(model, reader.inputs[1])
        dilation = (options.dilationHFactor, options.dilationWFactor)
    else:
        kernel, dilation = [options.filterHeight, options.filterWidth], (1, 1)
    size = _shape(model, pad.inputs[0])[1:3]
    wanted = [[0, 0]]
    for extent, k, stride, d in zip(size, kernel, (options.strideH, options.strideW), dilation, strict=True):
        total = max((-(-extent // stride) - 1) * stride + d * (k - 1) + 1 - extent, 0)
        wanted.append([total // 2, total - total // 2])
    return bool(_sides(model, pad).tolist() == [*wanted, [0, 0]])
