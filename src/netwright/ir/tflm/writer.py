"""What has been lowered so far: tensors, operators, and which of them may still change."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.ir.graph import Graph, Node
from netwright.ir.ops import BatchNorm, Conv, Identity, Linear, Op, Shape
from netwright.ir.tflm.program import FileTensor, Operator, Program, activation, constant

_TAKE_FUNCTION = frozenset(
    {"ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "MUL"}
)
LAYERS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
_WITH_WEIGHTS = (BatchNorm, Conv, Linear)


def sources(nodes: Sequence[Node]) -> dict[str, str]:
    """For every node itself, what an identity passes on, or an earlier node that computes the same.

    What has no weights and reads the same is computed once in the file.

    Args:
        nodes: every one behind those that it reads.
    """
    source: dict[str, str] = {}
    known: dict[tuple[Op, tuple[str, ...]], str] = {}
    for node in nodes:
        inputs = tuple(source[read] for read in node.inputs)
        if isinstance(node.op, Identity):
            source[node.name] = inputs[0]
        elif isinstance(node.op, _WITH_WEIGHTS):
            source[node.name] = node.name
        else:
            source[node.name] = known.setdefault((node.op, inputs), node.name)
    return source


class Writer:
    """Collects a program; the rules of the single ops write into it.

    Attributes:
        graph: what is lowered.
        tensors: as in ``Program``, in the order of first use.
        operators: in execution order.
        tensor_of: index of the tensor that holds the output of a node.
        readers: for every node that is not an identity how many nodes read it, the caller counted as one.
        source: see ``sources``.
        dropped: outputs of operators that were written into later ones.
        padded: index of a map by index and sides of the one that it was padded from.
    """

    __slots__ = (
        "_changed",
        "_constants",
        "_producers",
        "dropped",
        "graph",
        "operators",
        "padded",
        "readers",
        "source",
        "tensor_of",
        "tensors",
    )

    def __init__(self, graph: Graph, needed: frozenset[str]) -> None:
        self.graph = graph
        self.tensors: list[FileTensor] = []
        self.operators: list[Operator] = []
        self.tensor_of: dict[str, int] = {}
        self.dropped: set[int] = set()
        self.padded: dict[tuple[int, tuple[int, ...]], int] = {}
        self._producers: dict[int, int] = {}
        self._changed = False
        self._constants: dict[tuple[object, ...], int] = {}
        self.source = sources([node for node in graph.nodes if node.name in needed])
        self.readers: dict[str, list[Node | None]] = {}
        for node in graph.nodes:
            if self.source.get(node.name) == node.name:
                self.readers[node.name] = []
                for read in node.inputs:
                    self.readers[self.source[read]].append(node)
        for name in graph.outputs:
            self.readers[self.source[name]].append(None)

    def read(self, name: str) -> int:
        """Index of the tensor of a node's output."""
        return self.tensor_of[self.source[name]]

    def shape(self, index: int) -> Shape:
        """Shape of a tensor in the file."""
        return self.tensors[index].shape

    def alone(self, name: str) -> bool:
        """Whether a node's output has one reader."""
        return len(self.readers[self.source[name]]) == 1

    def add(self, tensor: FileTensor) -> int:
        """Add a tensor; gives its index."""
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def weights(self, node: str, shape: Shape, channels: int) -> int:
        """Add int8 weights with a scale for each output channel."""
        return self.add(constant(node, shape, 1, channels))

    def bias(self, node: str, channels: int, zeros: bool = False) -> int:
        """Add an int32 bias."""
        return self.add(FileTensor(node, (channels,), 4 * channels, True, channels, 4, zeros))

    def indices(self, node: str, *values: int, rows: int = 0) -> int:
        """A constant of int32 numbers; equal ones are in the file once."""
        key = (rows, *values)
        if key not in self._constants:
            shape = (rows, len(values) // rows) if rows else (len(values),)
            self._constants[key] = self.add(constant(node, shape, 4, 0))
        return self._constants[key]

    def scalar(self, node: str, value: str) -> int:
        """A constant int8 number; equal ones are in the file once."""
        key = ("scalar", value)
        if key not in self._constants:
            self._constants[key] = self.add(constant(node, (), 1, 1))
        return self._constants[key]

    def apply(
        self,
        kind: str,
        node: str,
        inputs: tuple[int, ...],
        shape: Shape,
        same: bool = False,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        window: tuple[int, int] = (1, 1),
        function: str = "",
    ) -> int:
        """Add an operator and its output; gives the index of the output."""
        output = self.add(activation(node, shape))
        self._producers[output] = len(self.operators)
        self.operators.append(Operator(kind, node, inputs, output, same, stride, dilation, window, function))
        return output

    def producer(self, index: int) -> Operator | None:
        """The operator that writes a tensor; None for the input."""
        place = self._producers.get(index)
        return None if place is None else self.operators[place]

    def open_layer(self, name: str) -> int | None:
        """Index of a node's output if a layer writes it that can still take up what follows."""
        index = self.read(name)
        producer = self.producer(index)
        if producer is None or producer.kind not in LAYERS or producer.function or not self.alone(name):
            return None
        return index

    def fuse(self, name: str, function: str) -> int | None:
        """Let the operator before an activation compute it; gives the tensor's index, None if it cannot.

        The operator then runs where the activation stands, as the converter puts it.
        """
        index = self.read(name)
        producer = self.producer(index)
        if (
            producer is None
            or producer.kind not in _TAKE_FUNCTION
            or producer.function
            or not self.alone(name)
        ):
            return None
        place = self._producers[index]
        if place != len(self.operators) - 1:
            for operator in self.operators[place + 1 :]:
                self._producers[operator.output] -= 1
            del self.operators[place]
            self._producers[index] = len(self.operators)
            self.operators.append(producer)
            self._changed = True
        self.operators[-1] = producer._replace(function=function)
        return index

    def reshape_again(self, index: int, inputs: tuple[int, ...], shape: Shape) -> None:
        """Give the output of the reshape that writes a tensor another shape."""
        place = self._producers[index]
        self.operators[place] = self.operators[place]._replace(inputs=inputs)
        self.tensors[index] = self.tensors[index]._replace(shape=shape)
        self._changed = True

    def finish(self) -> Program:
        """The program, its tensors numbered by their first use, as the file has them."""
        outputs = [self.read(name) for name in self.graph.outputs]
        if not self._changed and not self.dropped:
            # Tensors were added in the order of their first use.
            return Program(tuple(self.tensors), tuple(self.operators), (0,), tuple(outputs))
        operators = [operator for operator in self.operators if operator.output not in self.dropped]
        order = [0]
        for operator in operators:
            order += [index for index in operator.inputs if index >= 0]
            order.append(operator.output)
        place = {index: number for number, index in enumerate(dict.fromkeys(order))}
        place[-1] = -1
        return Program(
            tuple(self.tensors[index] for index in place if index >= 0),
            tuple(
                operator._replace(
                    inputs=tuple(place[index] for index in operator.inputs), output=place[operator.output]
                )
                for operator in operators
            ),
            (0,),
            tuple(place[index] for index in outputs),
        )
