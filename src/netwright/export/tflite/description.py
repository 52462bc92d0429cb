"""What a TFLite file consists of: operators in order, tensors, constants and their bytes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from netwright.export.tflite.flatbuffer import (
    check_inline,
    data_of,
    is_constant,
    operator_name,
    read,
    schema,
    type_name,
)

Shape = tuple[int, ...]

_PADDINGS = {schema.Padding.SAME: "same", schema.Padding.VALID: "valid"}
_ACTIVATIONS: dict[int, str] = {
    code: name.lower()
    for name, code in vars(schema.ActivationFunctionType).items()
    if not name.startswith("_")
}


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """One tensor.

    Attributes:
        shape: with the batch, maps as (1, H, W, C).
        type: of its elements, such as int8.
        constant: whether its values are in the file.
        bytes: of its elements.
        scales: of its elements, one or one for each channel; none where it is not quantised.
        zero_points: as many.
    """

    shape: Shape
    type: str
    constant: bool
    bytes: int
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OperatorFacts:
    """One operator.

    Attributes:
        kind: as the schema names it, such as CONV_2D.
        inputs: indices of the tensors it reads, -1 for one that is left out.
        outputs: indices of the tensors it writes.
        padding: same or valid; empty where it has no window.
        activation: what is fused into it: none, relu, relu6; empty where nothing can be.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    padding: str
    activation: str


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file.

    Attributes:
        operators: in the order in which they run.
        tensors: in the order of the file; operators point into them.
        inputs: indices of the tensors that the caller fills.
        outputs: indices of the tensors that the caller reads.
        constant_bytes: of all constants, each that several tensors share counted once.
        bytes: size of the file.
    """

    operators: tuple[OperatorFacts, ...]
    tensors: tuple[TensorFacts, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    constant_bytes: int
    bytes: int

    @property
    def activations(self) -> tuple[TensorFacts, ...]:
        """The tensors that take memory in the arena."""
        return tuple(tensor for tensor in self.tensors if not tensor.constant)


def describe(file: bytes) -> FileFacts:
    """Read what a file consists of.

    Raises:
        MissingDependencyError: if the extra ``edge`` is not installed.
        ExportError: if the bytes are not a TFLite file with one graph and all constants inside.
    """
    model = read(file)
    check_inline(file)
    graph = model.subgraphs[0]
    data = [buffer.data for buffer in model.buffers if buffer.data is not None]
    return FileFacts(
        operators=tuple(_operator(model, operator) for operator in graph.operators),
        tensors=tuple(_tensor(model, index) for index in range(len(graph.tensors))),
        inputs=tuple(graph.inputs),
        outputs=tuple(graph.outputs),
        constant_bytes=sum(len(values) for values in data),
        bytes=len(file),
    )


def kinds(file: bytes) -> list[str]:
    """Names of the operators in the order in which they run, such as CONV_2D.

    Raises:
        MissingDependencyError: if the extra ``edge`` is not installed.
        ExportError: if the bytes are not a TFLite file with one graph.
    """
    model = read(file)
    return [operator_name(model, operator) for operator in model.subgraphs[0].operators]


def _operator(model: Any, operator: Any) -> OperatorFacts:
    options = operator.builtinOptions
    padding = getattr(options, "padding", None)
    activation = getattr(options, "fusedActivationFunction", None)
    return OperatorFacts(
        operator_name(model, operator),
        tuple(operator.inputs),
        tuple(operator.outputs),
        "" if padding is None else _PADDINGS[padding],
        "" if activation is None else _ACTIVATIONS[activation],
    )


def _tensor(model: Any, index: int) -> TensorFacts:
    tensor = model.subgraphs[0].tensors[index]
    constant = is_constant(model, index)
    found = tensor.quantization
    known = found is not None and found.scale is not None
    kind = type_name(tensor)
    size = {"int8": 1, "int32": 4, "float32": 4, "int64": 8}.get(kind, 1)
    return TensorFacts(
        tuple(tensor.shape),
        kind,
        constant,
        len(data_of(model, index)) if constant else prod(tensor.shape) * size,
        tuple(map(float, found.scale)) if known else (),
        tuple(map(int, found.zeroPoint)) if known else (),
    )
