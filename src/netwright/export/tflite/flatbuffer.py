"""TFLite files read into objects and written again, with every constant inside the file."""

from __future__ import annotations

from typing import Any

import numpy as np

from netwright.errors import ExportError
from netwright.export.tflite.extra import missing

try:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema
except ImportError as error:
    raise missing("ai-edge-litert") from error

__all__ = [
    "ALIGNMENT",
    "IDENTIFIER",
    "OPERATORS",
    "check_inline",
    "data_of",
    "is_constant",
    "operator_name",
    "read",
    "schema",
    "type_name",
    "write",
]

IDENTIFIER = b"TFL3"
ALIGNMENT = 16
"""Of every constant within the file; the schema asks for it, and small cores cannot read across it."""

OPERATORS: dict[int, str] = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}
_TYPES: dict[int, str] = {
    code: name.lower() for name, code in vars(schema.TensorType).items() if not name.startswith("_")
}


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]
    """A constant whose bytes begin at a multiple of ``ALIGNMENT``, which the generated code forgets."""

    def Pack(self, builder: Any) -> Any:  # noqa: N802 - the generated code calls it so
        """Write it."""
        place = None
        if self.data is not None and len(self.data):
            data = bytes(bytearray(self.data))
            builder.StartVector(1, len(data), ALIGNMENT)
            builder.head -= len(data)
            builder.Bytes[builder.head : builder.head + len(data)] = data
            place = builder.EndVector()
        schema.BufferStart(builder)
        if place is not None:
            schema.BufferAddData(builder, place)
        return schema.BufferEnd(builder)


def read(file: bytes) -> Any:
    """Read a TFLite file into the objects of the schema; constants kept behind the model are brought in.

    Raises:
        ExportError: if the bytes are not a TFLite file with one graph.
    """
    if len(file) < 8 or file[4:8] != IDENTIFIER:
        raise ExportError(f"tflite: expected a file with the mark {IDENTIFIER!r}, got {file[:8]!r}")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(file, 0))
    if len(model.subgraphs) != 1:
        raise ExportError(f"tflite: expected a file with one graph, got {len(model.subgraphs)}")
    for buffer in model.buffers:
        if buffer.offset > 1:
            buffer.data = np.frombuffer(file, np.uint8, buffer.size, buffer.offset)
        buffer.offset = buffer.size = 0
    graph = model.subgraphs[0]
    for owner in (graph, *graph.operators):
        owner.inputs, owner.outputs = _numbers(owner.inputs), _numbers(owner.outputs)
    for tensor in graph.tensors:
        tensor.shape = _numbers(tensor.shape)
    return model


def _numbers(values: Any) -> list[int]:
    """A list that can be changed; the generated code gives arrays that cannot, or None for empty ones."""
    return [] if values is None else [int(value) for value in values]


def write(model: Any) -> bytes:
    """Write a model; every constant lies inside, aligned.

    Raises:
        ExportError: if the file that was written has constants outside, or any that is not aligned.
    """
    for buffer in model.buffers:
        buffer.__class__ = _AlignedBuffer
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    file = bytes(builder.Output())
    check_inline(file)
    return file


def check_inline(file: bytes) -> None:
    """Check that no constant lies outside the model, where TensorFlow Lite Micro would not see it.

    The interpreter plans a tensor without data as an activation, and computes wrong results without a word.

    Raises:
        ExportError: if one does, or is not aligned; names the buffer.
    """
    model = schema.Model.GetRootAsModel(file, 0)
    for index in range(model.BuffersLength()):
        buffer = model.Buffers(index)
        if buffer.Offset() > 1 or buffer.Size() > 1:
            raise ExportError(
                f"tflite: buffer {index}: expected its data inside the model, got offset {buffer.Offset()}; "
                "TensorFlow Lite Micro cannot read it; convert the network again"
            )
        if buffer.DataLength():
            place = buffer._tab.Vector(buffer._tab.Offset(4))
            if place % ALIGNMENT:
                raise ExportError(
                    f"tflite: buffer {index}: expected data at a multiple of {ALIGNMENT}, got {place}"
                )


def operator_name(model: Any, operator: Any) -> str:
    """Name of the kind of an operator, such as CONV_2D."""
    code = model.operatorCodes[operator.opcodeIndex]
    return OPERATORS[max(code.builtinCode, code.deprecatedBuiltinCode)]


def type_name(tensor: Any) -> str:
    """Name of the element type of a tensor, such as int8."""
    return _TYPES[tensor.type]


def is_constant(model: Any, index: int) -> bool:
    """Whether a tensor of the graph has its values in the file."""
    if index < 0:
        return False
    data = model.buffers[model.subgraphs[0].tensors[index].buffer].data
    return data is not None and len(data) > 0


def data_of(model: Any, index: int) -> bytes:
    """Bytes of a constant tensor."""
    return bytes(bytearray(model.buffers[model.subgraphs[0].tensors[index].buffer].data))
