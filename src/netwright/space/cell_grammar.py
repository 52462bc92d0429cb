"""Cells as values: small graphs of operations with open decisions, of which networks are stacked.

A cell is a list of nodes; each node takes earlier tensors (the cell's inputs and the outputs of nodes before
it), applies an operation to each and combines the results. Three ways to take them:

- ``five_steps``: the generator of NASNet [Zoph et al. 2018, arXiv:1707.07012, Fig. 3]: choose a first input,
  a second one, an operation for each, and how to combine the two;
- ``choose``: k distinct, unordered inputs with an operation each, summed [Liu et al. 2019, DARTS,
  arXiv:1806.09055, Sec. 2.1];
- ``each``: an operation on every earlier tensor, summed [Dong & Yang 2020, NAS-Bench-201, arXiv:2001.00326].

One decision of a cell shows at every place where the cell stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal, get_args

from netwright.blocks.block import Block
from netwright.errors import SpaceError
from netwright.space.architecture import Value
from netwright.space.expression import Choice, checked_name, choice, describe

Candidates = Literal["all", "inputs"]
"""What a node may take: every earlier tensor, or the cell's inputs only."""

Combine = Literal["add", "concat"]
"""How the results of a node's operations become one tensor. ``concat`` is followed by a 1x1 convolution back
to the width of the cell, so that every tensor in a cell has the same width."""

Output = Literal["loose", "all", "last"]
"""What leaves a cell: the node outputs that no node takes, or all of them, concatenated; or the last one."""

SlotKind = Literal["input", "inputs", "operation", "combine"]


@dataclass(frozen=True, slots=True)
class CellNode:
    """One node of a cell; see ``five_steps``, ``choose`` and ``each``.

    Attributes:
        operations: a choice between blocks.
        picks: how many inputs it takes; 0 for every earlier tensor.
        together: whether the inputs are one decision, distinct and unordered, rather than one each.
        candidates: what it may take.
        combine: how results are combined, one word or several to choose from.
    """

    operations: Choice
    picks: int
    together: bool
    candidates: Candidates
    combine: tuple[Combine, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """One decision of a cell.

    Attributes:
        name: within the cell, such as ``2.input1``.
        node: index of the node.
        kind: what is decided.
        term: which of the node's inputs it is about.
        options: labels.
        sources: for ``input`` and ``inputs`` the tensors that each option takes.
    """

    name: str
    node: int
    kind: SlotKind
    term: int
    options: tuple[Value, ...]
    sources: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell; see ``cell``.

    Attributes:
        name: prefix of its decisions.
        nodes: in order.
        output: what leaves it.
        stride: 2 for a reduction cell: operations on the cell's inputs halve the map, and where it stands
            the network doubles its width.
    """

    name: str
    nodes: tuple[CellNode, ...]
    output: Output
    stride: int

    def terms(self, node: int, inputs: int) -> int:
        """How many tensors a node takes, in a cell of ``inputs`` inputs."""
        return self.nodes[node].picks or inputs + node

    def sources(self, node: int, inputs: int) -> int:
        """How many tensors there are for a node to choose from."""
        return inputs if self.nodes[node].candidates == "inputs" else inputs + node

    def slots(self, inputs: int) -> tuple[Slot, ...]:
        """Every decision, in order: for each node and input what is taken and what is applied to it.

        Args:
            inputs: number of the cell's inputs; tensors count from them on: with two, 0 is the output of the
                cell before the last, 1 that of the last, 2 that of the first node.
        """
        return tuple(slot for number in range(len(self.nodes)) for slot in self._node_slots(number, inputs))

    def _node_slots(self, number: int, inputs: int) -> list[Slot]:
        node, name = self.nodes[number], str(number + 1)
        labels, count = node.operations.labels, self.sources(number, inputs)
        found: list[Slot] = []
        if node.together:
            pairs = tuple(combinations(range(count), node.picks))
            names = tuple("+".join(map(str, pair)) for pair in pairs)
            found.append(Slot(f"{name}.inputs", number, "inputs", 0, names, pairs))
        for term in range(self.terms(number, inputs)):
            if node.picks and not node.together:
                sources = tuple((source,) for source in range(count))
                one = f"{name}.input{term + 1}"
                found.append(Slot(one, number, "input", term, tuple(range(count)), sources))
            operation = f"{name}.op{term + 1}" if node.picks else f"{name}.from{term}"
            found.append(Slot(operation, number, "operation", term, labels))
        if len(node.combine) > 1:
            found.append(Slot(f"{name}.combine", number, "combine", 0, node.combine))
        # With one option there is nothing to decide.
        return [slot for slot in found if len(slot.options) > 1]

    def describe(self) -> Any:
        """The canonical form as JSON values."""
        nodes = [
            [describe(node.operations), node.picks, node.together, node.candidates, list(node.combine)]
            for node in self.nodes
        ]
        return ["cell", self.name, nodes, self.output, self.stride]


def _operations(where: str, operations: Mapping[str, Block] | Choice) -> Choice:
    if isinstance(operations, Mapping):
        operations = choice(dict(operations))
    if not isinstance(operations, Choice) or not all(isinstance(o, Block) for o in operations.options):
        raise SpaceError(f"{where}.operations: expected {{'label': block, ...}}, got {operations!r}")
    for label, block in zip(operations.labels, operations.options, strict=True):
        if not isinstance(label, str) or "." in label:
            raise SpaceError(f"{where}.operations: expected words without dots as labels, got {label!r}")
        if any(isinstance(value, Choice) for _, value in block.arguments):
            raise SpaceError(
                f"{where}.operations.{label}: expected settled arguments; list each variant as an operation"
            )
    return replace(operations, name=None)


def five_steps(
    operations: Mapping[str, Block],
    *,
    combine: Sequence[Combine] = ("add", "concat"),
    candidates: Candidates = "all",
) -> CellNode:
    """A node of the five-step generator: first input, second input, an operation for each, a combination.

    With M operations, N combinations and B nodes in a cell of two inputs there are ``4^B * M^(2B) * N^B``
    cells where only the two inputs are candidates, the formula of the lecture notes; with all earlier tensors
    as candidates, node b has ``(b + 1)^2`` pairs in place of 4.

    Args:
        operations: label to block; blocks keep the shape but for their ``stride``.
        combine: ways to combine.
        candidates: ``all`` (NASNet) or ``inputs``.

    Raises:
        SpaceError: if the operations are not labelled blocks or a combination is unknown.

    >>> blocks, ops, combinations = 5, 5, 2
    >>> 4**blocks * ops ** (2 * blocks) * combinations**blocks
    320000000000
    """
    return CellNode(
        _operations("five_steps", operations), 2, False, _candidates(candidates), _combine(combine)
    )


def choose(
    picks: int,
    operations: Mapping[str, Block],
    *,
    combine: Combine = "add",
    candidates: Candidates = "all",
) -> CellNode:
    """A node that takes ``picks`` distinct tensors, in no order, with an operation on each.

    Args:
        picks: at least 2.
        operations: label to block.
        combine: ``add`` or ``concat``.
        candidates: ``all`` or ``inputs``.

    Raises:
        SpaceError: if an argument is not valid.
    """
    if not isinstance(picks, int) or picks < 2:
        raise SpaceError(f"choose.picks: expected an integer of at least 2, got {picks!r}")
    return CellNode(
        _operations("choose", operations), picks, True, _candidates(candidates), _combine((combine,))
    )


def each(operations: Mapping[str, Block]) -> CellNode:
    """A node that sums one operation on every earlier tensor of the cell.

    Raises:
        SpaceError: if the operations are not labelled blocks.
    """
    return CellNode(_operations("each", operations), 0, False, "all", ("add",))


def cell(name: str, *nodes: CellNode, output: Output = "loose", stride: int = 1) -> Cell:
    """A cell of nodes.

    Args:
        name: prefix of its decisions; ``normal.2.op1`` is the operation on the first input of node 2.
        *nodes: made by ``five_steps``, ``choose`` or ``each``.
        output: ``loose``: node outputs that no node takes are concatenated; ``all``; or ``last``.
        stride: 1, or 2 for a reduction cell.

    Raises:
        SpaceError: if an argument is not valid.
    """
    if not nodes or not all(isinstance(node, CellNode) for node in nodes):
        raise SpaceError(f"{name}: expected nodes made by five_steps, choose or each, got {nodes!r}")
    if output not in get_args(Output):
        raise SpaceError(f"{name}.output: expected one of {get_args(Output)}, got {output!r}")
    if stride not in (1, 2):
        raise SpaceError(f"{name}.stride: expected 1 or 2, got {stride!r}")
    found = Cell(checked_name(name), tuple(nodes), output, stride)
    for number, node in enumerate(nodes):
        for label, block in zip(node.operations.labels, node.operations.options, strict=True):
            if stride != 1 and not block.accepts("stride"):
                raise SpaceError(
                    f"{name}.{number + 1}.{label}: expected an operation with a stride in a cell of stride "
                    f"{stride}; give block {block.kind} that argument"
                )
    return found


def _candidates(value: Candidates) -> Candidates:
    if value not in get_args(Candidates):
        raise SpaceError(f"candidates: expected one of {get_args(Candidates)}, got {value!r}")
    return value


def _combine(values: Sequence[Combine]) -> tuple[Combine, ...]:
    if isinstance(values, str) or not values or len(set(values)) != len(values):
        raise SpaceError(f"combine: expected different ways of {get_args(Combine)}, got {values!r}")
    for value in values:
        if value not in get_args(Combine):
            raise SpaceError(f"combine: expected some of {get_args(Combine)}, got {value!r}")
    return tuple(values)


def check_cell(where: str, cell: Cell, inputs: int) -> None:
    """Check that a cell can stand where it has so many inputs.

    Raises:
        SpaceError: if it cannot.
    """
    for number, node in enumerate(cell.nodes):
        if node.together and cell.sources(number, inputs) < node.picks:
            raise SpaceError(
                f"{where}.{cell.name}.{number + 1}: expected at least {node.picks} tensors to choose from, "
                f"got {cell.sources(number, inputs)}"
            )
    alone = inputs == 1 and not cell.nodes[0].picks
    if alone and (len(cell.nodes) == 1 or any(node.picks for node in cell.nodes)):
        raise SpaceError(
            f"{where}.{cell.name}: expected two nodes or more, all made by `each`, as the first one has a "
            "single operation; use a choice between blocks for a single operation"
        )


@dataclass(frozen=True, slots=True)
class SettledNode:
    """A node with its decisions settled.

    Attributes:
        sources: the tensors that it takes.
        labels: label of the operation on each.
        blocks: the operations, without stride.
        combine: how results are combined.
    """

    sources: tuple[int, ...]
    labels: tuple[str, ...]
    blocks: tuple[Block, ...]
    combine: Combine


def settled_nodes(cell: Cell, inputs: int, option: Callable[[str], int]) -> tuple[SettledNode, ...]:
    """A cell with its decisions settled.

    Args:
        cell: the cell.
        inputs: number of its inputs.
        option: gives the option index of a decision, by its name within the cell.
    """
    slots = {(slot.node, slot.kind, slot.term): slot for slot in cell.slots(inputs)}

    def taken(number: int, kind: SlotKind, term: int) -> int:
        slot = slots.get((number, kind, term))
        return 0 if slot is None else option(slot.name)

    found = []
    for number, node in enumerate(cell.nodes):
        count = cell.sources(number, inputs)
        if node.together:
            sources = tuple(combinations(range(count), node.picks))[taken(number, "inputs", 0)]
        elif node.picks:
            sources = tuple(taken(number, "input", term) for term in range(node.picks))
        else:
            sources = tuple(range(count))
        options = [taken(number, "operation", term) for term in range(len(sources))]
        found.append(
            SettledNode(
                sources,
                tuple(str(node.operations.labels[o]) for o in options),
                tuple(node.operations.options[o] for o in options),
                node.combine[taken(number, "combine", 0)],
            )
        )
    return tuple(found)


def loose_ends(nodes: Sequence[SettledNode], inputs: int) -> tuple[int, ...]:
    """Indices of the nodes whose output no node takes; the last is always among them."""
    used = {source for node in nodes for source in node.sources}
    return tuple(number for number in range(len(nodes)) if inputs + number not in used)
