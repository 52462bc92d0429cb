"""TFLite files written from a program, and what the real interpreter says about them.

The writer is the generated code of the schema that comes with tflite-micro, with the ``flatbuffers``
package: an oracle for the sizes of files. Weights are zeros. It writes what ``netwright.export.tflite``
does: ranks, an empty record of scales for indices, constants aligned to 16 bytes.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from netwright.ir.tflm.program import FileTensor, Operator, Program

flatbuffers = pytest.importorskip("flatbuffers", reason='needs pip install "netwright[edge]"')
runtime = pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime", reason='needs pip install "netwright[edge]"'
)
schema = pytest.importorskip(
    "tflite_micro.tensorflow.lite.micro.python.schema_py_generated",
    reason='needs pip install "netwright[edge]"',
)

_FUNCTIONS = {"": 0, "relu": 1, "relu6": 3}


class Arena(NamedTuple):
    """What the interpreter says that it took."""

    head: int
    tail: int


def measure(data: bytes, arena: int = 1 << 24) -> Arena:
    """Allocate a file in the real interpreter and read its own account."""
    interpreter = runtime.Interpreter.from_bytes(data, arena_size=arena)
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            interpreter.print_allocations()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        file.seek(0)
        text = file.read().decode()
    found = {part: re.search(rf"Arena allocation {part} (\d+) bytes", text) for part in ("head", "tail")}
    if found["head"] is None or found["tail"] is None:
        raise AssertionError(f"the interpreter printed no account of its arena: {text!r}")
    return Arena(int(found["head"][1]), int(found["tail"][1]))


def write(program: Program) -> bytes:
    """A file with the operators of a program; its weights are zeros."""
    model = schema.ModelT()
    model.version = 3
    codes: list[str] = list(dict.fromkeys(operator.kind for operator in program.operators))
    model.operatorCodes = [_code(kind, program) for kind in codes]
    model.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    contents = _contents(program)
    zeros: dict[int, int] = {}
    graph.tensors = []
    for index, tensor in enumerate(program.tensors):
        written = _tensor(tensor, program, index)
        if tensor.constant and tensor.zeros and tensor.bytes in zeros:
            written.buffer = zeros[tensor.bytes]
        elif tensor.constant:
            buffer = _Aligned()
            buffer.data = contents.get(index, bytes(tensor.bytes))
            written.buffer = len(model.buffers)
            model.buffers.append(buffer)
            if tensor.zeros:
                zeros[tensor.bytes] = written.buffer
        graph.tensors.append(written)
    graph.inputs = list(program.inputs)
    graph.outputs = list(program.outputs)
    graph.operators = [_operator(program, operator, codes) for operator in program.operators]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _Aligned(schema.BufferT):  # type: ignore[name-defined,misc]
    """A constant at a multiple of 16 bytes."""

    def Pack(self, builder: Any) -> Any:  # noqa: N802 - the generated code calls it so
        builder.StartVector(1, len(self.data), 16)
        for value in reversed(self.data):
            builder.PrependUint8(value)
        data = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


def _code(kind: str, program: Program) -> Any:
    code = schema.OperatorCodeT()
    number = getattr(schema.BuiltinOperator, kind)
    code.builtinCode = number
    code.deprecatedBuiltinCode = min(number, 127)
    vectors = any(_reads_vector(program, op) for op in program.operators if op.kind == kind)
    code.version = {
        "FULLY_CONNECTED": 5 if vectors else 1,
        "QUANTIZE": 2,
        "RESIZE_BILINEAR": 3,
        "TRANSPOSE": 4,
    }.get(kind, 1)
    return code


def _reads_vector(program: Program, operator: Operator) -> bool:
    return len(program.tensors[operator.inputs[0]].shape) == 2


def _tensor(tensor: FileTensor, program: Program, index: int) -> Any:
    written = schema.TensorT()
    written.shape = list(tensor.shape)
    written.type = schema.TensorType.INT8 if tensor.itemsize == 1 else schema.TensorType.INT32
    written.hasRank = True
    written.quantization = schema.QuantizationParametersT()
    if tensor.scales:
        written.quantization.scale = [0.5] * tensor.scales
        written.quantization.zeroPoint = [-128 if _of_sigmoid(program, index) else 0] * tensor.scales
        if _of_sigmoid(program, index):
            written.quantization.scale = [1 / 256]
        if tensor.scales > 1:
            depthwise = any(
                operator.kind == "DEPTHWISE_CONV_2D" and operator.inputs[1] == index
                for operator in program.operators
            )
            written.quantization.quantizedDimension = 3 if depthwise else 0
    return written


def _of_sigmoid(program: Program, index: int) -> bool:
    return any(op.kind == "LOGISTIC" and op.output == index for op in program.operators)


def _contents(program: Program) -> dict[int, bytes]:
    """Bytes of the constants that the kernels look at while they are prepared."""
    contents: dict[int, bytes] = {}
    for operator in program.operators:
        source, target = (program.tensors[index].shape for index in (operator.inputs[0], operator.output))
        if operator.kind in ("MEAN", "SUM"):
            contents[operator.inputs[1]] = _indices(1, 2)
        elif operator.kind == "RESHAPE":
            contents[operator.inputs[1]] = _indices(*target)
        elif operator.kind == "TRANSPOSE":
            contents[operator.inputs[1]] = _indices(*range(len(source) - 2), len(source) - 1, len(source) - 2)
        elif operator.kind == "PAD":
            # All of it at the end: the kernel checks the sum alone.
            added = (b - a for a, b in zip(source, target, strict=True))
            contents[operator.inputs[1]] = _indices(*(n for rest in added for n in (0, rest)))
        elif operator.kind == "SLICE":
            contents[operator.inputs[2]] = _indices(*target)
        elif operator.kind == "RESIZE_BILINEAR":
            contents[operator.inputs[1]] = _indices(*target[1:3])
    return contents


def _indices(*values: int) -> bytes:
    return np.array(values, np.int32).tobytes()


def _operator(program: Program, operator: Operator, codes: list[str]) -> Any:
    written = schema.OperatorT()
    written.opcodeIndex = codes.index(operator.kind)
    written.inputs = list(operator.inputs)
    written.outputs = [operator.output]
    make = _OPTIONS.get(operator.kind)
    if make is not None:
        written.builtinOptions = make(program, operator)
        name = type(written.builtinOptions).__name__.removesuffix("T")
        written.builtinOptionsType = getattr(schema.BuiltinOptions, name)
    return written


def _convolution(program: Program, operator: Operator) -> Any:
    depthwise = operator.kind == "DEPTHWISE_CONV_2D"
    options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
    options.padding = 0 if operator.same else 1
    options.strideH, options.strideW = operator.stride
    options.dilationHFactor, options.dilationWFactor = operator.dilation
    options.fusedActivationFunction = _FUNCTIONS[operator.function]
    if depthwise:
        channels = program.tensors[operator.inputs[0]].shape[-1]
        options.depthMultiplier = program.tensors[operator.output].shape[-1] // channels
    return options


def _pool(program: Program, operator: Operator) -> Any:
    options = schema.Pool2DOptionsT()
    options.padding = 0 if operator.same else 1
    options.strideH, options.strideW = operator.stride
    options.filterHeight, options.filterWidth = operator.window
    options.fusedActivationFunction = _FUNCTIONS[operator.function]
    return options


def _fused(make: Callable[[], Any]) -> Callable[[Program, Operator], Any]:
    def options(program: Program, operator: Operator) -> Any:
        made = make()
        made.fusedActivationFunction = _FUNCTIONS[operator.function]
        return made

    return options


def _connected(program: Program, operator: Operator) -> Any:
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = _FUNCTIONS[operator.function]
    options.keepNumDims = _reads_vector(program, operator)
    return options


def _concatenation(program: Program, operator: Operator) -> Any:
    options = schema.ConcatenationOptionsT()
    options.axis = len(program.tensors[operator.output].shape) - 1
    return options


def _mean(program: Program, operator: Operator) -> Any:
    options = schema.ReducerOptionsT()
    options.keepDims = len(program.tensors[operator.output].shape) == 4
    return options


def _resize(program: Program, operator: Operator) -> Any:
    options = schema.ResizeBilinearOptionsT()
    options.halfPixelCenters = True
    return options


_OPTIONS: dict[str, Callable[[Program, Operator], Any]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "MAX_POOL_2D": _pool,
    "AVERAGE_POOL_2D": _pool,
    "ADD": _fused(schema.AddOptionsT),
    "MUL": _fused(schema.MulOptionsT),
    "FULLY_CONNECTED": _connected,
    "CONCATENATION": _concatenation,
    "MEAN": _mean,
    "SUM": _mean,
    "PAD": lambda program, operator: schema.PadOptionsT(),
    "RESIZE_BILINEAR": _resize,
}
