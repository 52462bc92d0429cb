"""Sizes of structures: against the real interpreter, and laid out by hand for both widths of pointers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version

import pytest

from netwright.errors import GraphError
from netwright.ir.tflm.cost import scratch_of
from netwright.ir.tflm.kernels import HOST64, INTERPRETER, MCU32, kernel
from netwright.ir.tflm.planner import lifetimes, plan
from netwright.ir.tflm.program import OMITTED, FileTensor, Operator, Program, activation, constant
from netwright.ir.tflm.tail import tail_bytes

MAP = (1, 8, 8, 4)


def one(
    kind: str, inputs: Sequence[FileTensor | None], shape: tuple[int, ...], read: int = 1, **settings: object
) -> Program:
    """A program of one operator; the first ``read`` inputs are filled by the caller."""
    present = [tensor for tensor in inputs if tensor is not None]
    places = iter(range(len(present)))
    indices = tuple(OMITTED if tensor is None else next(places) for tensor in inputs)
    operator = Operator(kind, "x", indices, len(present))._replace(**settings)  # type: ignore[arg-type]
    return Program((*present, activation("x", shape)), (operator,), tuple(range(read)), (len(present),))


def indices(*shape: int) -> FileTensor:
    return constant("x", shape, 4, 0)


def layer(filters: int, *shape: int) -> list[FileTensor]:
    return [constant("x", shape, 1, filters), constant("x", (filters,), 4, filters)]


def programs() -> Iterator[tuple[str, Program]]:
    """Every kind of operator, in more than one size where its structures depend on that."""
    x = activation("x", MAP)
    for kind in ("HARD_SWISH", "RELU", "LOGISTIC", "QUANTIZE"):
        yield kind, one(kind, [x], MAP)
    for kind in ("ADD", "MUL"):
        yield kind, one(kind, [x, x], MAP, read=2)
        yield f"{kind}-relu6", one(kind, [x, x], MAP, read=2, function="relu6")
        yield f"{kind}-constant", one(kind, [x, constant("x", (), 1, 1)], MAP)
    for number in (2, 3, 10):
        yield (
            f"CONCATENATION-{number}",
            one("CONCATENATION", [x] * number, (1, 8, 8, 4 * number), read=number),
        )
    yield "RESHAPE", one("RESHAPE", [x, indices(2)], (1, 256))
    yield "TRANSPOSE", one("TRANSPOSE", [activation("x", (1, 8, 8, 2, 3)), indices(5)], (1, 8, 8, 3, 2))
    yield "SLICE", one("SLICE", [x, indices(4), indices(4)], (1, 8, 8, 3))
    yield "PAD", one("PAD", [x, indices(4, 2)], (1, 9, 9, 4))
    yield "RESIZE_BILINEAR", one("RESIZE_BILINEAR", [x, indices(2)], (1, 16, 16, 4))
    for kind in ("MEAN", "SUM"):
        yield kind, one(kind, [x, indices(2)], (1, 1, 1, 4))
        yield f"{kind}-vector", one(kind, [x, indices(2)], (1, 4))
    for kind in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
        yield kind, one(kind, [x], (1, 4, 4, 4), same=True, window=(2, 2), stride=(2, 2))
        yield f"{kind}-valid", one(kind, [x], (1, 4, 4, 4), window=(2, 2), stride=(2, 2), function="relu")
    for filters in (1, 3, 4, 5, 8, 17):
        parts = layer(filters, filters, 3, 3, 4)
        yield f"CONV_2D-{filters}", one("CONV_2D", [x, *parts], (1, 8, 8, filters), same=True)
        weights, bias = layer(filters, filters, 8)
        vector = activation("x", (1, 8))
        if filters > 1:
            # The kernel compares the scales of input, weights and bias where there is one of each.
            yield f"FULLY_CONNECTED-{filters}", one("FULLY_CONNECTED", [vector, weights, bias], (1, filters))
        yield f"FULLY_CONNECTED-{filters}-bare", one("FULLY_CONNECTED", [vector, weights, None], (1, filters))
    for filters in (4, 8):
        parts = layer(filters, 1, 3, 3, filters)
        yield f"DEPTHWISE-{filters}", one("DEPTHWISE_CONV_2D", [x, *parts], (1, 8, 8, filters), same=True)


CASES = dict(programs())


def changes() -> list[str]:
    """The kinds of operators whose arena the real interpreter measures otherwise."""
    from tests.ir.tflm.files import measure, write

    found = []
    for name, program in CASES.items():
        predicted = (
            plan(lifetimes(program, scratch_of(program))[1]).bytes,
            tail_bytes(program, HOST64),
        )
        measured = measure(write(program))
        if predicted != measured:
            found.append(f"{name}: head and tail {predicted} predicted, {tuple(measured)} measured")
    return found


def test_every_kernel_has_a_case() -> None:
    tested = {operator.kind for program in CASES.values() for operator in program.operators}
    assert tested == set(HOST64.kernels) == set(MCU32.kernels)


def test_the_installed_interpreter_has_these_structures() -> None:
    pytest.importorskip("tflite_micro", reason='needs pip install "netwright[edge]"')
    installed = version("tflite-micro")
    assert not changes(), (
        f"tflite-micro {installed} lays out its arena differently from {INTERPRETER}, which the constants of "
        f"netwright.ir.tflm.kernels are from: {'; '.join(changes())}; measure them again and set INTERPRETER"
    )


def test_a_wheel_that_changed_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tflite_micro", reason='needs pip install "netwright[edge]"')
    monkeypatch.setitem(HOST64.kernels, "MUL", kernel(HOST64, "MUL")._replace(data=52))
    assert {line.partition(":")[0] for line in changes()} == {"MUL", "MUL-relu6", "MUL-constant"}


# ---------------------------------------------------------------------------- the same, laid out by hand

POINTER, SIZE, NUMBER, FLAG, BYTE, HALF, FLOAT = "pointer", "size", "number", "flag", "byte", "half", "float"


def laid_out(fields: Sequence[str], pointer: int) -> int:
    """Bytes of a structure with these members, each aligned to its size, the whole to its largest."""
    sizes = {POINTER: pointer, SIZE: pointer, NUMBER: 4, FLAG: 1, BYTE: 1, HALF: 2, FLOAT: 4}
    used, largest = 0, 1
    for name in fields:
        size = sizes[name]
        used = -(-used // size) * size + size
        largest = max(largest, size)
    return -(-used // largest) * largest


PADDING = [HALF, HALF, HALF, HALF]
"""``TfLitePaddingValues`` in numbers: width, height and their offsets are int."""

CONVOLUTION = [NUMBER] * 9 + [POINTER, POINTER] + [NUMBER] * 3
CONNECTED = [NUMBER] * 9 + [POINTER, POINTER, FLAG]
JOINED = [BYTE, POINTER, POINTER, HALF, NUMBER, FLOAT]
ALLOCATOR = [POINTER] * 2 + [POINTER] * 5 + [SIZE, NUMBER]
PLANNER = [POINTER, NUMBER, NUMBER, *[POINTER] * 4, NUMBER, NUMBER, POINTER, FLAG]
OWNER = [POINTER, *[POINTER] * 4, FLAG, SIZE, POINTER, SIZE]


def test_structures_of_the_measured_host_follow_from_their_declarations() -> None:
    records = 8 * 24
    assert HOST64.fixed == (
        laid_out([*ALLOCATOR, *[SIZE] * 4], 8),
        laid_out(PLANNER, 8),
        laid_out([*OWNER, POINTER], 8) + records,
        laid_out([POINTER, POINTER], 8),
        laid_out([POINTER, POINTER, POINTER], 8),
    )
    assert HOST64.tensor == laid_out([POINTER, POINTER, NUMBER], 8)
    assert HOST64.operator == laid_out([*[POINTER] * 6, NUMBER, POINTER], 8)
    tensor = [NUMBER, POINTER, FLOAT, NUMBER, POINTER, POINTER, SIZE, NUMBER, NUMBER, FLAG]
    assert HOST64.caller_tensor == laid_out(tensor, 8)
    assert HOST64.caller_scales == laid_out([POINTER, POINTER, NUMBER], 8)
    # With compression a layer has two more numbers, a concatenation one for each of ten inputs.
    assert kernel(HOST64, "CONV_2D").data == laid_out([*CONVOLUTION, NUMBER, NUMBER], 8)
    assert kernel(HOST64, "FULLY_CONNECTED").data == laid_out([*CONNECTED, NUMBER, NUMBER], 8)
    assert kernel(HOST64, "CONCATENATION").data == laid_out(JOINED, 8) + 40


def test_structures_of_a_microcontroller_are_the_same_declarations() -> None:
    assert MCU32.fixed == (
        laid_out(ALLOCATOR, 4),
        laid_out(PLANNER, 4),
        laid_out(OWNER, 4),
        laid_out([POINTER, POINTER], 4),
        laid_out([POINTER, POINTER], 4),
    )
    assert MCU32.tensor == laid_out([POINTER, POINTER, NUMBER], 4)
    assert MCU32.operator == laid_out([*[POINTER] * 6, NUMBER, POINTER], 4)
    tensor = [NUMBER, POINTER, FLOAT, NUMBER, POINTER, POINTER, SIZE, NUMBER, NUMBER, FLAG]
    assert MCU32.caller_tensor == laid_out(tensor, 4)
    assert MCU32.caller_scales == laid_out([POINTER, POINTER, NUMBER], 4)
    assert kernel(MCU32, "CONV_2D").data == laid_out(CONVOLUTION, 4)
    assert kernel(MCU32, "FULLY_CONNECTED").data == laid_out(CONNECTED, 4)
    assert kernel(MCU32, "CONCATENATION").data == laid_out(JOINED, 4)


def test_settings_of_a_linear_layer_hold_a_pointer() -> None:
    fields = [NUMBER, NUMBER, FLAG, FLAG, NUMBER, POINTER, NUMBER]
    assert kernel(HOST64, "FULLY_CONNECTED").settings == laid_out(fields, 8)
    assert kernel(MCU32, "FULLY_CONNECTED").settings == laid_out(fields, 4)


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(GraphError, match="BIDIRECTIONAL: no sizes"):
        kernel(HOST64, "BIDIRECTIONAL")


@pytest.mark.parametrize("kind", ["HARD_SWISH", "LOGISTIC", "RELU", "QUANTIZE"])
@pytest.mark.parametrize("before", range(12))
def test_an_operator_without_settings_aligns_nothing(kind: str, before: int) -> None:
    """Among resizes, whose settings of 2 bytes let the next ones begin anywhere."""
    pytest.importorskip("tflite_micro", reason='needs pip install "netwright[edge]"')
    from tests.ir.tflm.files import measure, write

    tensors, operators = [indices(2), activation("x", MAP)], []
    for each in [*["RESIZE_BILINEAR"] * before, kind, "RESIZE_BILINEAR"]:
        read = (len(tensors) - 1, 0) if each == "RESIZE_BILINEAR" else (len(tensors) - 1,)
        operators.append(Operator(each, "x", read, len(tensors)))
        tensors.append(activation("x", MAP))
    program = Program(tuple(tensors), tuple(operators), (1,), (len(tensors) - 1,))
    assert tail_bytes(program, HOST64) == measure(write(program)).tail
