"""The size of the converted file, from the program alone: what it takes in flash.

The file as ``netwright.export.tflite`` writes it: no names and notes, every constant inside and aligned to 16
bytes, equal constants once. Each tensor bears its shape and for every scale a float32 and an int64 zero point.
"""

from __future__ import annotations

from netwright.ir.tflm.flatbuffer import Field, Size
from netwright.ir.tflm.program import FileTensor, Operator, Program

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")
_WITH_OPTIONS = frozenset(
    {*_CONVOLUTIONS, *_POOLS, "ADD", "CONCATENATION", "FULLY_CONNECTED", "MEAN", "MUL", "PAD", "RESIZE_BILINEAR"}
)
"""Operators whose options the converter writes, even where all have their default value."""

_DATA_ALIGNMENT = 16


def flash_bytes(program: Program) -> int:
    """Bytes of the file."""
    size = Size()
    kinds = list(dict.fromkeys(operator.kind for operator in program.operators))
    for kind in kinds:
        # The code of ADD is 0, the default.
        known = () if kind == "ADD" else ((0, 1), (3, 4))
        version = ((2, 4),) if _version(kind, program) > 1 else ()
        size.table(*known[:1], *version, *known[1:])
    size.vector(4, len(kinds))
    _graph(size, program, kinds)
    size.vector(4, 1)
    constants = [tensor for tensor in program.tensors if tensor.constant]
    size.table()
    for tensor in constants:
        _data(size, tensor)
    size.vector(4, len(constants) + 1)
    size.table((0, 4), (1, 4), (2, 4), (4, 4))
    return size.finish()


def _graph(size: Size, program: Program, kinds: list[str]) -> None:
    depthwise = {op.inputs[1] for op in program.operators if op.kind == "DEPTHWISE_CONV_2D"}
    for index, tensor in enumerate(program.tensors):
        _tensor(size, tensor, index in depthwise)
    size.vector(4, len(program.tensors))
    size.vector(4, len(program.inputs))
    size.vector(4, len(program.outputs))
    for operator in program.operators:
        _operator(size, program, operator, operator.kind != kinds[0])
    size.vector(4, len(program.operators))
    size.table((0, 4), (1, 4), (2, 4), (3, 4))


def _tensor(size: Size, tensor: FileTensor, depthwise: bool) -> None:
    """Shape, scales and record of a tensor."""
    dimensions, scales = len(tensor.shape), tensor.scales
    last = depthwise and scales > 1

    def write() -> None:
        size.vector(4, dimensions)
        if scales:
            size.vector(4, remainder)
            size.vector(8, remainder, 8)
            size.table((2, 4), (3, 4), *(((6, 4),) if last else ()))
        else:
            size.table()
        buffer: tuple[Field, ...] = ((2, 4),) if tensor.constant else ()
        size.table((0, 4), (1, 1), *buffer, (4, 4), (8, 1))

    # Four scales take 48 bytes, which does not change how anything lies.
    whole = max(scales - 1, 0) // 4 * 4
    remainder = scales - whole
    size.part(("tensor", dimensions, remainder, tensor.constant, last), write)
    size.used += 12 * whole


def _operator(size: Size, program: Program, operator: Operator, numbered: bool) -> None:
    """Inputs, outputs, options and record of an operator; the first kind of the file has the number 0."""
    options = _options(program, operator) if operator.kind in _WITH_OPTIONS else None
    number = len(operator.inputs)

    def write() -> None:
        size.vector(4, number)
        size.vector(4, 1)
        fields: list[Field] = [(0, 4)] if numbered else []
        fields += [(1, 4), (2, 4)]
        if options is not None:
            size.table(*options)
            fields += [(3, 1), (4, 4)]
        size.table(*fields)

    size.part(("operator", number, numbered, options), write)


def _options(program: Program, operator: Operator) -> tuple[Field, ...]:
    """Fields of the options that do not have their default value."""
    kind = operator.kind
    valid: tuple[Field, ...] = () if operator.same else ((0, 1),)
    fused = operator.function != ""
    if kind in _CONVOLUTIONS:
        place = 4 if kind == "DEPTHWISE_CONV_2D" else 3
        multiplier: tuple[Field, ...] = ((3, 4),) if kind == "DEPTHWISE_CONV_2D" else ()
        down, across = operator.dilation
        return (
            *valid,
            *((1, 4), (2, 4)),
            *multiplier,
            *(((place, 1),) if fused else ()),
            *(((place + 1, 4),) if across > 1 else ()),
            *(((place + 2, 4),) if down > 1 else ()),
        )
    if kind in _POOLS:
        return (*valid, (1, 4), (2, 4), (3, 4), (4, 4), *(((5, 1),) if fused else ()))
    if kind == "CONCATENATION":
        return ((0, 4),)
    if kind == "RESIZE_BILINEAR":
        return ((3, 1),)
    if kind == "MEAN":
        return ((0, 1),) if len(program.tensors[operator.output].shape) == 4 else ()
    if kind == "FULLY_CONNECTED":
        flat = len(program.tensors[operator.inputs[0]].shape) == 2
        return (*(((0, 1),) if fused else ()), *(((2, 1),) if flat else ()))
    return ((0, 1),) if fused else ()


def _version(kind: str, program: Program) -> int:
    """Version of an operator that the converter writes, as far as it is 1 or more than 1."""
    if kind == "FULLY_CONNECTED":
        flat = (len(program.tensors[op.inputs[0]].shape) == 2 for op in program.operators if op.kind == kind)
        return 2 if any(flat) else 1
    return 2 if kind in ("QUANTIZE", "RESIZE_BILINEAR", "TRANSPOSE") else 1


def _data(size: Size, tensor: FileTensor) -> None:
    """The values of a constant, and its record."""
    whole = tensor.bytes // _DATA_ALIGNMENT * _DATA_ALIGNMENT
    rest = tensor.bytes - whole

    def write() -> None:
        size.vector(1, rest, _DATA_ALIGNMENT)
        size.table((0, 4))

    size.part(("data", rest), write)
    size.used += whole
