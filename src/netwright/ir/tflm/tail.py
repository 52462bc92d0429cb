"""The tail of the arena, simulated: what the interpreter lays down once and keeps."""

from __future__ import annotations

from netwright.ir.tflm.kernels import ZERO_POINT, Machine, kernel
from netwright.ir.tflm.planner import ALIGNMENT, aligned
from netwright.ir.tflm.program import Program


def tail_bytes(program: Program, machine: Machine) -> int:
    """Bytes of the tail.

    The interpreter allocates from the end of the arena downwards, each structure aligned: its own objects,
    the records of tensors and operators, the settings of all operators, then what each kernel asks for
    first, then what it asks for when it is prepared, the handles of scratch buffers, and what the caller
    sees of inputs and outputs. The end of the arena is assumed to be a multiple of 16.

    Raises:
        GraphError: if a kind of operator has no sizes.
    """
    used = _fixed(program, machine)
    kernels = [kernel(machine, operator.kind) for operator in program.operators]
    for one in kernels:
        if one.settings:  # an operator without settings asks for nothing, and so aligns nothing
            used = aligned(used + one.settings, one.alignment)
    for one in kernels:
        if one.data:
            used = aligned(used + one.data)
    scratch = 0
    for operator, one in zip(program.operators, kernels, strict=True):
        if one.per_channel:
            channels = program.tensors[operator.output].shape[-1]
            # A linear layer of one output has one scale, so the kernel keeps no arrays for it.
            if channels > 1 or operator.kind != "FULLY_CONNECTED":
                used = aligned(used) + one.per_channel * aligned(4 * channels)
        scratch += one.scratch
    used = aligned(used + machine.pointer * scratch, machine.pointer)
    for ends in (program.inputs, program.outputs):
        used = aligned(used + machine.pointer * len(ends), ALIGNMENT)
        used += len(ends) * (machine.caller_tensor + machine.caller_scales + ZERO_POINT)
    return used


def _fixed(program: Program, machine: Machine) -> int:
    objects = sum(machine.fixed)
    return objects + machine.tensor * len(program.tensors) + machine.operator * len(program.operators)
