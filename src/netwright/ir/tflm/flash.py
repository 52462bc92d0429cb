"""The size of the converted file, from the program alone: what it takes in flash.

The file as ``netwright.export.tflite`` writes it: no names and notes, every constant inside and aligned to 16
bytes, equal constants once. Each tensor bears its shape and for every scale a float32 and an int64 zero
point.
"""

from __future__ import annotations

from functools import cache

from netwright.ir.tflm.flatbuffer import Field, Part, Size, Table, Vector
from netwright.ir.tflm.kernels import REDUCTIONS
from netwright.ir.tflm.program import Operator, Program

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")
_WITH_OPTIONS = frozenset(
    {
        *_CONVOLUTIONS,
        *_POOLS,
        "ADD",
        "CONCATENATION",
        "FULLY_CONNECTED",
        "MEAN",
        "SUM",
        "MUL",
        "PAD",
        "RESIZE_BILINEAR",
    }
)
"""Operators whose options the converter writes, even where all have their default value."""

_DATA_ALIGNMENT = 16
_ZERO_POINT = 8
_SCALES_AT_ONCE = 4
_BYTES_OF_SCALE = 12


def flash_bytes(program: Program) -> int:
    """Bytes of the file."""
    size = Size()
    kinds = tuple(dict.fromkeys(operator.kind for operator in program.operators))
    for kind in kinds:
        size.lay(_code(kind == "ADD", _later_version(kind, program)))
    size.lay(_list(len(kinds)))
    _lay_graph(size, program, kinds)
    size.lay(_list(1))
    constants = _constants(program)
    size.lay(_data(-1))
    for count in constants:
        rest = count % _DATA_ALIGNMENT
        size.lay(_data(rest))
        size.used += count - rest
    size.lay(_list(len(constants) + 1))
    size.lay(_model())
    return size.finish(_DATA_ALIGNMENT if constants else _ZERO_POINT)


def _constants(program: Program) -> list[int]:
    """Bytes of every constant that is in the file; zeros of one length are in it once."""
    zeros: set[int] = set()
    found = []
    for tensor in program.tensors:
        if tensor.constant and not (tensor.zeros and tensor.bytes in zeros):
            found.append(tensor.bytes)
            if tensor.zeros:
                zeros.add(tensor.bytes)
    return found


def _lay_graph(size: Size, program: Program, kinds: tuple[str, ...]) -> None:
    depthwise = {op.inputs[1] for op in program.operators if op.kind == "DEPTHWISE_CONV_2D"}
    for index, (_, shape, _, constant, scales, *_) in enumerate(program.tensors):
        # Four scales take 48 bytes, which does not change how anything lies.
        rest = (scales - 1) % _SCALES_AT_ONCE + 1 if scales else 0
        size.lay(_tensor(len(shape), rest, constant, scales > 1 and index in depthwise))
        size.used += _BYTES_OF_SCALE * (scales - rest)
    size.lay(_list(len(program.tensors)))
    size.lay(_list(len(program.inputs)))
    size.lay(_list(len(program.outputs)))
    first = kinds[0] if kinds else ""
    for operator in program.operators:
        options = _options(program, operator) if operator.kind in _WITH_OPTIONS else None
        size.lay(_operator(len(operator.inputs), operator.kind != first, options))
    size.lay(_list(len(program.operators)))
    size.lay(_graph())


@cache
def _list(number: int) -> Part:
    """References or numbers."""
    return Part((Vector(4, number),))


@cache
def _code(is_add: bool, later: bool) -> Part:
    """The code of a kind of operator; that of ADD is 0, the default, and so is version 1."""
    version: tuple[Field, ...] = ((2, 4),) if later else ()
    return Part((Table(version if is_add else ((0, 1), *version, (3, 4))),))


@cache
def _model() -> Part:
    """Version, codes, graphs, constants."""
    return Part((Table(((0, 4), (1, 4), (2, 4), (4, 4))),))


@cache
def _graph() -> Part:
    """Tensors, inputs, outputs, operators."""
    return Part((Table(((0, 4), (1, 4), (2, 4), (3, 4))),))


@cache
def _tensor(dimensions: int, scales: int, constant: bool, last_axis: bool) -> Part:
    """Shape, scales, zero points and the record of a tensor; ``last_axis``: along which the scales run."""
    axis: tuple[Field, ...] = ((6, 4),) if last_axis else ()
    quantised = (Vector(4, scales), Vector(8, scales, 8), Table(((2, 4), (3, 4), *axis)))
    buffer: tuple[Field, ...] = ((2, 4),) if constant else ()
    record = Table(((0, 4), (1, 1), *buffer, (4, 4), (8, 1)))
    return Part((Vector(4, dimensions), *(quantised if scales else (Table(),)), record))


@cache
def _operator(inputs: int, numbered: bool, options: tuple[Field, ...] | None) -> Part:
    """Inputs, output, options and the record of an operator; the first kind of the file has the number 0."""
    number: tuple[Field, ...] = ((0, 4),) if numbered else ()
    if options is None:
        return Part((Vector(4, inputs), Vector(4, 1), Table((*number, (1, 4), (2, 4)))))
    record = Table((*number, (1, 4), (2, 4), (3, 1), (4, 4)))
    return Part((Vector(4, inputs), Vector(4, 1), Table(options), record))


@cache
def _data(rest: int) -> Part:
    """Values of a constant beyond whole alignments, and its record; -1 is the empty first record."""
    return Part((Vector(1, rest, _DATA_ALIGNMENT), Table(((0, 4),)))) if rest >= 0 else Part((Table(),))


def _options(program: Program, operator: Operator) -> tuple[Field, ...]:
    """Fields of the options that do not have their default value."""
    kind, fused = operator.kind, operator.function != ""
    if kind in _CONVOLUTIONS:
        return _window(kind == "DEPTHWISE_CONV_2D", operator.same, fused, operator.dilation)
    if kind in _POOLS:
        valid: tuple[Field, ...] = () if operator.same else ((0, 1),)
        return (*valid, (1, 4), (2, 4), (3, 4), (4, 4), *(((5, 1),) if fused else ()))
    if kind == "CONCATENATION":
        return ((0, 4),)
    if kind == "RESIZE_BILINEAR":
        return ((3, 1),)
    if kind in REDUCTIONS:
        return ((0, 1),) if len(program.tensors[operator.output].shape) == 4 else ()
    if kind == "FULLY_CONNECTED":
        flat = len(program.tensors[operator.inputs[0]].shape) == 2
        return (*(((0, 1),) if fused else ()), *(((2, 1),) if flat else ()))
    return ((0, 1),) if fused else ()


@cache
def _window(depthwise: bool, same: bool, fused: bool, dilation: tuple[int, int]) -> tuple[Field, ...]:
    """Options of a convolution: padding, strides, multiplier, activation, dilation."""
    place = 4 if depthwise else 3
    down, across = dilation
    fields = [(1, 4), (2, 4)] if same else [(0, 1), (1, 4), (2, 4)]
    fields += [(3, 4)] if depthwise else []
    fields += [(place, 1)] if fused else []
    fields += [(place + 1, 4)] if across > 1 else []
    fields += [(place + 2, 4)] if down > 1 else []
    return tuple(fields)


def _later_version(kind: str, program: Program) -> bool:
    """Whether the converter writes a version above 1, which is the default."""
    if kind == "FULLY_CONNECTED":
        return any(
            len(program.tensors[op.inputs[0]].shape) == 2 for op in program.operators if op.kind == kind
        )
    return kind in ("QUANTIZE", "RESIZE_BILINEAR", "TRANSPOSE")
