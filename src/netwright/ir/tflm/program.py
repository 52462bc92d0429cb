"""What a converted int8 file consists of, as values: tensors and operators in execution order.

Names of operators are TFLite's own (``CONV_2D``). Shapes are those of the file: maps are (1, H, W, C),
vectors are (1, F).
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from netwright.ir.ops import Shape

OMITTED = -1
"""Index of an input that an operator does without, as TFLite writes it."""


class FileTensor(NamedTuple):
    """One tensor of the file.

    Attributes:
        node: name of the node that it comes from.
        shape: its dimensions, the batch of one included; () is a scalar.
        bytes: what its elements take.
        constant: whether its elements lie in the file; an activation lies in the arena.
        scales: number of its quantisation scales: 1, the number of output channels, or 0 for indices.
        itemsize: bytes of one element, 1 for int8, 4 for int32.
        zeros: whether it is known to hold nothing but zeros: the bias of a layer that has none.
    """

    node: str
    shape: Shape
    bytes: int
    constant: bool
    scales: int
    itemsize: int
    zeros: bool = False


class Operator(NamedTuple):
    """One operator of the file.

    Attributes:
        kind: TFLite's name of it.
        node: name of the node that it comes from.
        inputs: indices of the tensors that it reads, ``OMITTED`` for a bias that is not there.
        output: index of the tensor that it writes.
        same: for windows, whether the padding is SAME (otherwise VALID).
        stride: for windows, (vertical, horizontal).
        dilation: for convolutions, (vertical, horizontal).
        window: for pools, (vertical, horizontal).
        function: the fused activation: ``""``, ``relu`` or ``relu6``.
    """

    kind: str
    node: str
    inputs: tuple[int, ...]
    output: int
    same: bool = False
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    window: tuple[int, int] = (1, 1)
    function: str = ""


class Program(NamedTuple):
    """A whole file.

    Attributes:
        tensors: those that are activations are in the order in which they are written.
        operators: in execution order.
        inputs: indices of what the caller fills.
        outputs: indices of what the caller reads.
    """

    tensors: tuple[FileTensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The operators' names in execution order."""
        return tuple(operator.kind for operator in self.operators)


def activation(node: str, shape: Shape) -> FileTensor:
    """An int8 tensor in the arena."""
    return FileTensor(node, shape, prod(shape), False, 1, 1)


def constant(node: str, shape: Shape, itemsize: int, scales: int) -> FileTensor:
    """A tensor in the file: int8 weights, int32 biases or indices."""
    return FileTensor(node, shape, itemsize * prod(shape), True, scales, itemsize)
