"""What each kernel of the interpreter keeps in the arena: sizes of its structures in bytes.

The sizes of a 64-bit host were read off the real interpreter (the wheel tflite-micro of version
``INTERPRETER``, x86-64), which prints what it was asked for. They agree with the declarations of the
structures when it is built with ``USE_TFLM_COMPRESSION``, as the wheel is. Those of a 32-bit processor are
modelled, see ``mcu32``.
"""

from __future__ import annotations

from typing import NamedTuple

from netwright.errors import GraphError

INTERPRETER = "0.dev20261023182759"
"""Version of the wheel tflite-micro that the sizes are from."""


class Kernel(NamedTuple):
    """One kind of operator.

    Attributes:
        settings: the options of the operator as the interpreter unpacks them.
        alignment: of the settings.
        data: what the kernel works out once, aligned to 16.
        per_channel: arrays of one int32 for each output channel that it keeps beside that, each aligned to
        16. scratch: number of buffers that it asks for while it runs; ``scratch_sizes`` says how large they
        are.
    """

    settings: int = 0
    alignment: int = 4
    data: int = 0
    per_channel: int = 0
    scratch: int = 0


class Machine(NamedTuple):
    """A processor and a build of the interpreter for it.

    Attributes:
        fixed: allocators, planner and the list of graphs, in the order in which they are laid: bytes of each.
        pointer: bytes of a pointer, and the alignment of structures that hold one.
        tensor: the record of a tensor that kernels see.
        operator: the record of an operator.
        caller_tensor: the record of an input or output that the caller sees.
        caller_scales: the record of its scales, without the zero point.
        kernels: by kind.
    """

    fixed: tuple[int, ...]
    pointer: int
    tensor: int
    operator: int
    caller_tensor: int
    caller_scales: int
    kernels: dict[str, Kernel]


REDUCTIONS = frozenset({"MEAN", "SUM"})
"""Operators that ask for scratch buffers."""

ZERO_POINT = 8
"""The array of one zero point that an input or output has: its length and one int32."""

_SAME_EVERYWHERE: dict[str, Kernel] = {
    "ADD": Kernel(settings=8, data=60),
    "AVERAGE_POOL_2D": Kernel(settings=40, data=32),
    "HARD_SWISH": Kernel(data=20),
    "LOGISTIC": Kernel(data=16),
    "MAX_POOL_2D": Kernel(settings=40, data=32),
    "MEAN": Kernel(settings=1, alignment=1, data=44, scratch=3),
    "MUL": Kernel(settings=4, data=36),
    "PAD": Kernel(data=56),
    "QUANTIZE": Kernel(data=32),
    "RELU": Kernel(data=28),
    "RESHAPE": Kernel(settings=36),
    "RESIZE_BILINEAR": Kernel(settings=2, alignment=1),
    "SLICE": Kernel(),
    "SUM": Kernel(settings=1, alignment=1, data=44, scratch=3),
    "TRANSPOSE": Kernel(),
}
"""Kernels whose structures hold no pointer and nothing that depends on the build."""

HOST64 = Machine(
    fixed=(104, 72, 272, 16, 24),
    pointer=8,
    tensor=24,
    operator=64,
    caller_tensor=64,
    caller_scales=24,
    kernels={
        **_SAME_EVERYWHERE,
        "CONCATENATION": Kernel(settings=8, data=80),
        "CONV_2D": Kernel(settings=28, data=80, per_channel=2),
        "DEPTHWISE_CONV_2D": Kernel(settings=28, data=80, per_channel=2),
        "FULLY_CONNECTED": Kernel(settings=32, alignment=8, data=72, per_channel=2),
    },
)
"""The wheel on a 64-bit computer: an allocator that keeps records of what it does, and compressed tensors."""

MCU32 = Machine(
    fixed=(36, 44, 36, 8, 8),
    pointer=4,
    tensor=12,
    operator=32,
    caller_tensor=40,
    caller_scales=12,
    kernels={
        **_SAME_EVERYWHERE,
        "CONCATENATION": Kernel(settings=8, data=24),
        "CONV_2D": Kernel(settings=28, data=56, per_channel=2),
        "DEPTHWISE_CONV_2D": Kernel(settings=28, data=56, per_channel=2),
        "FULLY_CONNECTED": Kernel(settings=24, data=48, per_channel=2),
    },
)
"""A 32-bit microcontroller, modelled and not measured.

The declarations of the structures laid out with pointers and ``size_t`` of 4 bytes and enumerations of 4,
for the usual build: ``MicroInterpreter`` with an arena, without records of allocations and without
compressed tensors, reference kernels. In order: ``SingleArenaBufferAllocator`` (two virtual tables, five
pointers, a checksum, a counter), ``GreedyMemoryPlanner`` (a virtual table, five pointers, four numbers, a
flag), ``MicroAllocator`` (a virtual table, five pointers, two sizes, a flag), the allocator of settings (a
virtual table, a pointer), the list of graphs (two pointers); ``TfLiteEvalTensor`` (two pointers, a type),
``NodeAndRegistration`` (seven pointers, a number), ``TfLiteTensor`` and ``TfLiteAffineQuantization``. The
same count with 8-byte pointers, with records and with compressed tensors gives the sizes of ``HOST64``
exactly, which were measured. What differs on a device: a compiler with short enumerations saves up to 8
bytes an operator, and optimised kernels (CMSIS-NN) keep other structures and ask for scratch buffers in the
head, which no figure here contains.
"""


def kernel(machine: Machine, kind: str) -> Kernel:
    """The sizes of a kind of operator.

    Raises:
        GraphError: if there are none.
    """
    try:
        return machine.kernels[kind]
    except KeyError:
        raise GraphError(
            f"{kind}: no sizes of its structures in TensorFlow Lite Micro; expected one of "
            f"{', '.join(sorted(machine.kernels))}"
        ) from None


def scratch_sizes(kind: str, channels: int) -> tuple[int, ...]:
    """Bytes of each buffer that a kernel asks for while it runs.

    Args:
        kind: the operator.
        channels: elements of its output.
    """
    # They sum up in int32, and keeps an index for each of at most four axes and the list of two axes.
    return (4 * channels, 16, 8) if kind in REDUCTIONS else ()
