"""What the runtime on a microcontroller needs for a network, and what it needs at least.

``netwright.ir.tflm`` has the exact account of TensorFlow Lite Micro: how the planner packs the tensors
depends on the whole network, so these figures neither add up over its parts nor are a maximum over them. For
answers about all networks of a space there are *floors*, which do add up: bytes that the structures of the
interpreter (``tail_floor``) and the file (``flash_floor``) take whatever the rest of the network is. With the
largest sum of live tensors, which no plan can be below, they bound every network from below.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from netwright.ir.graph import Graph
from netwright.ir.memory import Step
from netwright.ir.ops import (
    Activation,
    Add,
    BatchNorm,
    Conv,
    Flatten,
    Identity,
    Input,
    Linear,
    Multiply,
    Zero,
    weights,
)
from netwright.ir.prune import prune_dead
from netwright.ir.tflm import tflm_cost

RUNTIME = ("head_bytes", "arena_bytes", "flash_bytes")
"""Costs of one network on its runtime: planned activations; the smallest arena, which holds these, or what
planning takes, and the interpreter's structures as on a 64-bit computer, where they can be measured and are
larger than on the device; the model file."""

FLOORS = ("tail_floor", "flash_floor")
"""Costs that add up, and that no network is below."""

LEAST_PLANNING = 688
"""Bytes beside the structures that the interpreter takes at least, for a while, when it starts."""

TAIL_FIXED = 488
"""Bytes of the interpreter's structures that do not depend on the network."""

_NO_STEP = (Input, Flatten, Identity, Zero, Activation, BatchNorm)
"""What costs nothing, or nothing in some networks: what stands before a block decides whether its first
activation is an operator, and floors are the same in all of them."""
FLASH_FIXED = 400
"""Bytes of every file: its header, input, output."""

_OP, _TENSOR = 64, 24
_CONV_SETTINGS, _CONV_DATA = 28, 80
_LINEAR_SETTINGS, _LINEAR_DATA = 8, 32
_FILE_LAYER, _FILE_OP = 280, 100
"""Records of an operator and its tensors in the file, with weights and without."""

_FILE_CHANNEL = 28
"""For each output channel: a bias of 4 bytes, and scale and zero point (4 and 8) of weights and of bias."""


def runs(dtype: str, memory_model: str) -> bool:
    """Whether the runtime runs networks of a number format, and as the memory model has it."""
    return (dtype, memory_model) == ("int8", "standard")


def runtime_costs(graph: Graph) -> dict[str, int]:
    """The exact costs of ``RUNTIME`` for a network that is deployed with int8 numbers, without its dead ops.

    Returns:
        By name; nothing for a network part of whose output is zero whatever it is shown: there is nothing to
        deploy.

    Raises:
        GraphError: if an op has no rule for this runtime.
    """
    alive = prune_dead(graph)
    if any(isinstance(node.op, Zero) for node in alive.nodes):
        return {}
    found = tflm_cost(alive)
    return {
        "head_bytes": found.head_bytes,
        "arena_bytes": found.smallest_arena_host64,
        "flash_bytes": found.flash_bytes,
    }


def step_floors(graph: Graph, steps: Sequence[Step]) -> tuple[int, int]:
    """The ``FLOORS`` of the steps of a network, or of one block of it.

    Args:
        graph: the network or the block.
        steps: what ``netwright.ir.memory.fuse`` gave for it.
    """
    tail = flash = 0
    for step in steps:
        more_tail, more_flash = _floors(graph, step)
        tail, flash = tail + more_tail, flash + more_flash
    return tail, flash


def _floors(graph: Graph, step: Step) -> tuple[int, int]:
    op = step.node.op
    if isinstance(op, _NO_STEP):
        return 0, 0
    if isinstance(op, Add | Multiply) and len(set(step.node.inputs)) < 2:
        return 0, 0
    tail = _OP + _TENSOR
    if not isinstance(op, Conv | Linear):
        return tail, _FILE_OP
    channels = step.node.shape[0]
    stored = prod(weights(op, graph.input_shapes(step.node))[0].shape)
    if isinstance(op, Linear):
        return tail + 2 * _TENSOR + _LINEAR_SETTINGS + _LINEAR_DATA, stored + 4 * channels + _FILE_LAYER
    scales = 2 * (-(-4 * channels // 16) * 16)
    settings = 2 * _TENSOR + _CONV_SETTINGS + _CONV_DATA
    return tail + settings + scales, stored + _FILE_CHANNEL * channels + _FILE_LAYER
