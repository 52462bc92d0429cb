"""The network as data: ops in topological order with static shapes.

A graph is an immutable value that knows no torch. Every node bears the name of its *place*, such as
``stage1.0.expand.conv``: the same place of an expression has the same name in every architecture, which
is what weight sharing and rebuilding rely on.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

from netwright.errors import GraphError
from netwright.ir.ops import OPS, Input, Op, Shape

FORMAT = 1
_KINDS: Mapping[str, type[Op]] = {op.kind: op for op in OPS}


@dataclass(frozen=True, slots=True)
class Node:
    """One op at its place.

    Attributes:
        name: stable name of the place, dotted; unique in the graph.
        op: what is computed.
        inputs: names of the nodes whose outputs it reads, in order.
        shape: shape of its output without the batch.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    shape: Shape

    @property
    def elements(self) -> int:
        """Number of elements of the output."""
        return prod(self.shape)


@dataclass(frozen=True)
class Graph:
    """Nodes in execution order; the first is the input.

    Attributes:
        nodes: every node after the nodes that it reads.
        outputs: names of the nodes that are the network's results.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {node.name: node for node in self.nodes})

    def __getitem__(self, name: str) -> Node:
        by_name: dict[str, Node] = self.__dict__["_by_name"]
        try:
            return by_name[name]
        except KeyError:
            raise GraphError(f"graph: no node is called {name!r}") from None

    @property
    def input_shape(self) -> Shape:
        """Shape of the input without the batch."""
        return self.nodes[0].shape

    def input_shapes(self, node: Node) -> tuple[Shape, ...]:
        """Shapes of what a node reads, in order."""
        by_name: dict[str, Node] = self.__dict__["_by_name"]
        return tuple(by_name[name].shape for name in node.inputs)

    def consumers(self) -> dict[str, list[Node]]:
        """For every node the nodes that read its output, in execution order."""
        readers: dict[str, list[Node]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                readers[name].append(node)
        return readers

    def to_dict(self) -> dict[str, Any]:
        """Give the graph as plain JSON values, with a format number."""
        return {
            "format": FORMAT,
            "nodes": [
                {
                    "name": node.name,
                    "op": node.op.kind,
                    "attributes": dataclasses.asdict(node.op),  # type: ignore[call-overload]
                    "inputs": list(node.inputs),
                    "shape": list(node.shape),
                }
                for node in self.nodes
            ],
            "outputs": list(self.outputs),
        }

    def to_json(self) -> str:
        """Write the graph as JSON text."""
        return json.dumps(self.to_dict(), indent=1)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Graph:
        """Read what ``to_dict`` gave; shapes are inferred again and must agree.

        Raises:
            GraphError: if the format is unknown, an op or attribute does not exist, or a shape disagrees.
        """
        if data.get("format") != FORMAT:
            raise GraphError(
                f"graph: expected format {FORMAT}, got {data.get('format')!r}; "
                "it was written by another version of netwright"
            )
        builder = GraphBuilder()
        tensors: dict[str, Tensor] = {}
        try:
            for item in data["nodes"]:
                name = str(item["name"])
                op = _read_op(name, item["op"], item["attributes"])
                tensor = builder.apply(name, op, *(tensors[source] for source in item["inputs"]))
                if tensor.shape != tuple(item["shape"]):
                    raise GraphError(f"{name}: expected shape {tensor.shape}, the file says {item['shape']}")
                tensors[name] = tensor
            return builder.finish(*(tensors[name] for name in data["outputs"]))
        except KeyError as error:
            raise GraphError(f"graph: {error} is missing or is not defined before its use") from None
        except TypeError as error:
            raise GraphError(f"graph: the JSON does not have the form of a graph ({error})") from None

    @staticmethod
    def from_json(text: str) -> Graph:
        """Read what ``to_json`` wrote.

        Raises:
            GraphError: if the text is not such JSON.
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise GraphError(f"graph: expected JSON, got {text[:60]!r} ({error})") from None
        if not isinstance(data, dict):
            raise GraphError(f"graph: expected a JSON object, got {text[:60]!r}")
        return Graph.from_dict(data)


def _read_op(name: str, kind: str, attributes: Mapping[str, Any]) -> Op:
    if kind not in _KINDS:
        raise GraphError(f"{name}: expected an op of {sorted(_KINDS)}, got {kind!r}")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in attributes.items()}
    try:
        return _KINDS[kind](**values)
    except TypeError as error:
        raise GraphError(f"{name}: attributes {sorted(values)} do not fit op {kind!r} ({error})") from None
    except GraphError as error:
        raise GraphError(f"{name}: {error}") from None


@dataclass(frozen=True, slots=True)
class Tensor:
    """A handle on the output of a node while a graph is built."""

    name: str
    shape: Shape

    @property
    def channels(self) -> int:
        """Number of channels or features."""
        return self.shape[0]


class GraphBuilder:
    """Builds a graph op by op, infers every shape and names the place in every error.

    >>> from netwright.ir.ops import Conv
    >>> build = GraphBuilder()
    >>> x = build.input((3, 32, 32))
    >>> with build.scope("stem"):
    ...     x = build.apply("conv", Conv(16, (3, 3), (2, 2)), x)
    >>> x
    Tensor(name='stem.conv', shape=(16, 16, 16))
    """

    __slots__ = ("_names", "_nodes", "_prefix", "_scopes")

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._names: set[str] = set()
        self._scopes: set[str] = set()
        self._prefix = ""

    def input(self, shape: Shape, name: str = "input") -> Tensor:
        """Declare the network's input.

        Args:
            shape: (C, H, W) or (F,), without the batch.
            name: name of its node.

        Raises:
            GraphError: if there is an input already or the shape is not valid.
        """
        if self._nodes:
            raise GraphError(f"{name}: the graph has an input already, {self._nodes[0].name}")
        return self.apply(name, Input(shape))

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Put ``name.`` before the names of all nodes added inside the ``with`` block."""
        before = self._prefix
        self._prefix = f"{before}{name}."
        try:
            yield
        finally:
            self._prefix = before

    def apply(self, name: str, op: Op, *inputs: Tensor) -> Tensor:
        """Add an op.

        Args:
            name: name of the place within the current scope.
            op: the op.
            *inputs: tensors of this graph that it reads.

        Returns:
            A handle on its output.

        Raises:
            GraphError: if the name is taken or the shapes do not fit; the message begins with the place.
        """
        full = self._prefix + name
        self._claim(full)
        try:
            shape = op.output_shape(tuple(tensor.shape for tensor in inputs))
        except GraphError as error:
            raise GraphError(f"{full}: {error}") from None
        self._nodes.append(Node(full, op, tuple(tensor.name for tensor in inputs), shape))
        self._names.add(full)
        return Tensor(full, shape)

    def _claim(self, full: str) -> None:
        """Check that a name is free, and that no node's name is a scope of another's."""
        if full in self._names or full in self._scopes:
            taken = "a node" if full in self._names else "a scope"
            raise GraphError(f"{full}: this name is taken by {taken}; every place needs a name of its own")
        end = full.rfind(".")
        while end > 0 and full[:end] not in self._scopes:
            if full[:end] in self._names:
                raise GraphError(f"{full}: {full[:end]!r} is a node and cannot be a scope as well")
            self._scopes.add(full[:end])
            end = full.rfind(".", 0, end)

    def finish(self, *outputs: Tensor) -> Graph:
        """Close the graph.

        Raises:
            GraphError: if there is no input or no output.
        """
        if not self._nodes or not isinstance(self._nodes[0].op, Input):
            raise GraphError("graph: expected an input as the first node; call builder.input first")
        if not outputs:
            raise GraphError("graph: expected at least one output")
        return Graph(tuple(self._nodes), tuple(tensor.name for tensor in outputs))
