"""Latency from a table: what was measured of single ops or whole blocks, added up.

A network's latency is the sum over its parts of what a table says of each. A part is an op with the
activation that follows it, or several such ops in a row, as published tables have whole blocks. Batch norm,
activations and what only renames a tensor take no time of their own: run-times fuse them into the op before.

Everything else needs an entry. An op that the table does not have is an error, never a zero.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from netwright.errors import GraphError
from netwright.ir.graph import Graph
from netwright.ir.ops import Activation, BatchNorm, Flatten, Identity, Input, Op, Shape, Zero

LATENCY = "latency_ns"
"""The cost that a table gives: nanoseconds, whole ones, so that sums are exact."""

FUSED = (Input, BatchNorm, Activation, Flatten, Identity, Zero)
"""Ops without a time of their own."""

_UNTIMED = frozenset({"bias", "padding", "eps", "momentum", "affine"})
"""Attributes that do not tell entries apart: what they change takes next to no time."""

_IN_THE_OUTPUT = frozenset({"out_channels", "out_features"})
"""Attributes that the output's shape shows."""


def describe_operation(op: Op, inputs: Sequence[Shape], output: Shape, activation: str = "") -> str:
    """Say what an op does, as the tables know it.

    Args:
        op: the op.
        inputs: shapes of what it reads, (C, H, W) or (F,).
        output: shape of its output.
        activation: of the activation that is fused into it, empty for none.

    >>> from netwright.ir.ops import Conv
    >>> describe_operation(Conv(16, (3, 3), (2, 2)), [(3, 32, 32)], (16, 16, 16), "relu6")
    'conv 3x32x32 to 16x16x16, kernel 3x3, stride 2x2, groups 1, relu6'
    >>> describe_operation(Conv(8, (3, 3), groups=8), [(8, 4, 4)], (8, 4, 4))
    'conv 8x4x4 to 8x4x4, kernel 3x3, stride 1x1, groups 8'
    """
    sources = " and ".join(_text(shape) for shape in inputs)
    parts = [f"{op.kind} {sources} to {_text(output)}"]
    for one in fields(op):  # type: ignore[arg-type]
        value = getattr(op, one.name)
        plain = one.name == "dilation" and value == (1, 1)
        if one.name not in _UNTIMED | _IN_THE_OUTPUT and not plain:
            parts.append(f"{one.name} {_text(value)}")
    return ", ".join([*parts, *([activation] if activation else [])])


def _text(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def operations(graph: Graph) -> tuple[str, ...]:
    """What a graph does in its order, one description for each op that takes time."""
    place: dict[str, int] = {}
    parts: list[tuple[Op, tuple[Shape, ...], Shape]] = []
    activations: dict[int, str] = {}
    for node in graph.nodes:
        if not isinstance(node.op, FUSED):
            place[node.name] = len(parts)
            parts.append((node.op, graph.input_shapes(node), node.shape))
        elif node.inputs and node.inputs[0] in place:
            place[node.name] = place[node.inputs[0]]
            if isinstance(node.op, Activation):
                activations.setdefault(place[node.name], node.op.function)
    return tuple(
        describe_operation(op, inputs, output, activations.get(number, ""))
        for number, (op, inputs, output) in enumerate(parts)
    )


@dataclass(frozen=True)
class LatencyTable:
    """Measured times of parts of networks.

    Attributes:
        name: what was measured where, for people.
        entries: nanoseconds by the ``operations`` of the part; at least one operation each.
        batch: number of images that a time is for.
        source: who says so.

    >>> table = LatencyTable("board", {("linear 8 to 4",): 1500})
    >>> table.of(("linear 8 to 4", "linear 8 to 4"))
    3000
    """

    name: str
    entries: Mapping[tuple[str, ...], int] = field(hash=False)
    batch: int = 1
    source: str = ""

    def __post_init__(self) -> None:
        """Check the entries.

        Raises:
            GraphError: if one has no operation, or a time is not a whole number of nanoseconds.
        """
        for parts, nanoseconds in self.entries.items():
            if not parts:
                raise GraphError(f"latency table {self.name}: an entry has no operation")
            if isinstance(nanoseconds, bool) or not isinstance(nanoseconds, int) or nanoseconds < 0:
                raise GraphError(
                    f"latency table {self.name}: {parts[0]}: expected whole nanoseconds of at least 0, "
                    f"got {nanoseconds!r}"
                )

    def of(self, parts: Sequence[str]) -> int:
        """The time of what one place of an expression does: the longest entry that fits, then what follows.

        Args:
            parts: the operations of a block, in order.

        Returns:
            Nanoseconds.

        Raises:
            GraphError: if no entry begins with one of the operations.
        """
        total = position = 0
        while position < len(parts):
            for length in range(min(self._longest, len(parts) - position), 0, -1):
                found = self.entries.get(tuple(parts[position : position + length]))
                if found is not None:
                    total += found
                    position += length
                    break
            else:
                raise GraphError(
                    f"latency table {self.name}: expected an entry for {parts[position]!r}, there is none "
                    f"among {len(self.entries)}; measure it and add it, or choose another table"
                )
        return total

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of the entries: two tables that say the same have the same."""
        text = json.dumps(sorted((list(parts), time) for parts, time in self.entries.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self.entries), default=0)
