"""From an expression to a search space: its decisions, its diagram, and graphs of its architectures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from math import prod
from typing import Any, Protocol

from netwright.errors import GraphError, SpaceError
from netwright.ir.cost import cost
from netwright.ir.dtype import find_dtype
from netwright.ir.graph import Graph, GraphBuilder, Tensor
from netwright.ir.memory import Fusion, MemoryModel, check_memory_model
from netwright.ir.ops import Shape
from netwright.space.architecture import Architecture
from netwright.space.diagram import PEAK, SUMS, Diagram, DiagramNode, Edge
from netwright.space.expression import Sequential, fingerprint
from netwright.space.program import (
    Decide,
    Decision,
    Deeper,
    Program,
    Run,
    Settled,
    Start,
    compile_program,
)

STATE_LIMIT = 1_000_000
"""Diagrams larger than this are refused: they would take gigabytes."""


class SearchSpace(Protocol):
    """A finite set of architectures; this much suffices for an opaque space of a user's own."""

    @property
    def id(self) -> str:
        """Name and short hash."""

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Every decision, in order."""

    def to_graph(self, architecture: Architecture) -> Graph:
        """The network of an architecture."""


@dataclass(frozen=True)
class ExpressionSpace:
    """A search space made from an expression.

    Attributes:
        name: for people.
        expression: the outermost ``sequential``.
        dtype: number format that weight bytes and memory are counted in.
        memory_model: see ``netwright.ir.memory.MemoryModel``.
    """

    name: str
    expression: Sequential
    dtype: str = "int8"
    memory_model: MemoryModel = "standard"

    def __getstate__(self) -> dict[str, Any]:
        # What is compiled on first use is not sent to other processes: it is large and quickly made.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def id(self) -> str:
        """Name and short hash of the canonical expression."""
        return f"{self.name}-{fingerprint(self.expression)}"

    @cached_property
    def program(self) -> Program:
        """What is decided and built, in order."""
        return compile_program(self.expression)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Every decision, in the order of the network."""
        return self.program.decisions

    @cached_property
    def diagram(self) -> Diagram:
        """The decision diagram with exact costs; compiled on first use.

        Raises:
            SpaceError: if some architecture cannot be built, or the diagram would be too large.
        """
        return _Explorer(self).explore()

    def architecture(self, choices: Mapping[str, Any]) -> Architecture:
        """Make an architecture of this space from its active decisions.

        Args:
            choices: decision name to value; exactly the active decisions, in any order.

        Raises:
            SpaceError: if a decision is unknown, missing or not active, or a value is not an option.
        """
        settled = self.settle(choices)
        return Architecture(
            self.id,
            tuple((d.name, d.options[settled[d.name]]) for d in self.decisions if d.name in settled),
        )

    def settle(self, choices: Mapping[str, Any]) -> dict[str, int]:
        """Check active decisions and give the option index of each; see ``architecture``."""
        known = {decision.name: decision for decision in self.decisions}
        for name in choices:
            if name not in known:
                raise SpaceError(f"{name}: {self.name} has no such decision; expected some of {list(known)}")
        settled = {name: known[name].index(value) for name, value in choices.items()}
        met = self._walk(settled, None)
        for name in settled:
            if name not in met:
                raise SpaceError(
                    f"{name}: this decision is not active in the architecture; leave it out "
                    f"(active: {sorted(met)})"
                )
        return settled

    def to_graph(self, architecture: Architecture) -> Graph:
        """Build the network of an architecture.

        Raises:
            SpaceError: if it is of another space, or its decisions are not the active ones.
        """
        if architecture.space != self.id:
            raise SpaceError(
                f"architecture: expected one of space {self.id}, got one of {architecture.space}"
            )
        settled = self.settle(dict(architecture.choices))
        build = GraphBuilder()
        built: list[Tensor] = []

        def visit(instruction: Start | Run) -> None:
            if isinstance(instruction, Start):
                built.append(build.input(instruction.shape(settled)))
                return
            block = instruction.block.replace(**dict(instruction.settle(settled)))
            with build.scope(instruction.place):
                built.append(block(build, built[-1]))

        self._walk(settled, visit)
        return build.finish(built[-1])

    def _walk(self, settled: Settled, visit: Callable[[Start | Run], None] | None) -> set[str]:
        """Follow the program with all decisions settled; gives the names of the decisions it met."""
        program = self.program
        met: set[str] = set()
        index = program.start
        while index:
            instruction = program.instructions[index]
            if isinstance(instruction, Decide):
                name = instruction.decision
                if name not in settled:
                    raise SpaceError(
                        f"{name}: this decision is active but the architecture does not settle it"
                    )
                met.add(name)
                index = instruction.next[settled[name]]
            elif isinstance(instruction, Deeper):
                index = instruction.follow(settled)
            elif isinstance(instruction, Start | Run):
                if visit is not None:
                    visit(instruction)
                index = instruction.next
        return met


def compile_space(
    expression: Sequential, name: str, *, dtype: str = "int8", memory_model: MemoryModel = "standard"
) -> ExpressionSpace:
    """Make a search space from an expression and check its decisions.

    Args:
        expression: a ``sequential`` with an ``input``.
        name: for people; the id adds a hash of the expression.
        dtype: number format that weight bytes and memory are counted in.
        memory_model: ``standard`` or ``inplace-depthwise``.

    Raises:
        SpaceError: if the expression is not valid.
        GraphError: if the dtype or the memory model is unknown.

    >>> from netwright import blocks as B
    >>> from netwright.space import choice, sequential
    >>> body = sequential(B.conv_bn_act(out=choice(8, 16)), B.classifier(classes=10), input=(1, 8, 8))
    >>> [decision.name for decision in compile_space(body, "two").decisions]
    ['conv_bn_act.out']
    """
    if not isinstance(expression, Sequential):
        raise SpaceError(f"{name}: expected a sequential(..., input=...), got {expression!r}")
    find_dtype(dtype)
    check_memory_model(memory_model)
    space = ExpressionSpace(name, expression, dtype, memory_model)
    if not space.decisions:
        raise SpaceError(f"{name}: there is no choice in it; a space needs at least one decision")
    return space


_Signature = tuple[Shape, Fusion]
_State = tuple[int, _Signature, tuple[tuple[str, int], ...]]


class _Explorer:
    """Walks a program in all ways at once and merges states that cannot be told apart later."""

    def __init__(self, space: ExpressionSpace) -> None:
        self._space = space
        self._program = space.program
        self._evaluated: dict[Any, tuple[tuple[int, ...], int, _Signature]] = {}
        self._order = {decision.name: index for index, decision in enumerate(space.decisions)}

    def explore(self) -> Diagram:
        start: _State = (self._program.start, ((), "closed"), ())
        root, base_sums, base_peak = self._advance(start)
        edges: dict[_State, list[tuple[int, _State, tuple[int, ...], int]]] = {}
        pending = [root]
        while pending:
            state = pending.pop()
            if state in edges:
                continue
            edges[state] = self._options(state)
            pending += [child for _, child, _, _ in edges[state] if child not in edges]
            if len(edges) > STATE_LIMIT:
                raise self._too_large(state)
        return Diagram(self._numbered(edges), base_sums, base_peak)

    def _numbered(
        self, edges: Mapping[_State, list[tuple[int, _State, tuple[int, ...], int]]]
    ) -> tuple[DiagramNode, ...]:
        ordered = sorted(edges, key=lambda state: state[0])
        number = {state: index for index, state in enumerate(ordered)}
        nodes = []
        for state in ordered:
            instruction = self._program.instructions[state[0]]
            decision = self._order[instruction.decision] if isinstance(instruction, Decide) else -1
            nodes.append(
                DiagramNode(
                    decision,
                    tuple(
                        Edge(option, number[child], sums, peak) for option, child, sums, peak in edges[state]
                    ),
                )
            )
        return tuple(nodes)

    def _options(self, state: _State) -> list[tuple[int, _State, tuple[int, ...], int]]:
        index, signature, settled = state
        instruction = self._program.instructions[index]
        if not isinstance(instruction, Decide):
            return []
        found = []
        for option, following in enumerate(instruction.next):
            after = (*settled, (instruction.decision, option))
            found.append((option, *self._advance((following, signature, after))))
        return found

    def _advance(self, state: _State) -> tuple[_State, tuple[int, ...], int]:
        """Build what is settled up to the next open decision; gives the new state and what was added."""
        index, signature, pairs = state
        settled = dict(pairs)
        sums, peak = (0,) * len(SUMS), 0
        while index:
            instruction = self._program.instructions[index]
            if isinstance(instruction, Decide):
                if instruction.decision not in settled:
                    break
                index = instruction.next[settled[instruction.decision]]
            elif isinstance(instruction, Deeper):
                index = instruction.follow(settled)
            elif isinstance(instruction, Start):
                shape = instruction.shape(settled)
                signature = (shape, "closed")
                peak = prod(shape) * find_dtype(self._space.dtype).activation
                index = instruction.next
            elif isinstance(instruction, Run):
                added, high, signature = self._evaluate(instruction, settled, signature)
                sums = tuple(a + b for a, b in zip(sums, added, strict=True))
                peak = max(peak, high)
                index = instruction.next
        if not index:
            return (0, ((), "closed"), ()), sums, peak
        live = self._program.live[index]
        kept = tuple(sorted(item for item in settled.items() if item[0] in live))
        return (index, signature, kept), sums, peak

    def _evaluate(
        self, run: Run, settled: Settled, signature: _Signature
    ) -> tuple[tuple[int, ...], int, _Signature]:
        """Build one block concretely and count it; remembered by block, arguments and input."""
        arguments = run.settle(settled)
        key = (run.block.function, arguments, signature)
        found = self._evaluated.get(key)
        if found is not None:
            return found
        shape, entry = signature
        build = GraphBuilder()
        try:
            x = build.input(shape)
            graph = build.finish(run.block.replace(**dict(arguments))(build, x))
        except GraphError as error:
            where = ", ".join(f"{name}={self._option(name, option)!r}" for name, option in settled.items())
            raise SpaceError(f"{run.place}: {error}; input {shape}, with {where or 'no decision'}") from None
        totals = cost(graph, dtype=self._space.dtype, memory_model=self._space.memory_model, entry=entry)
        figures = totals.totals()
        output = graph[graph.outputs[0]]
        result = (
            tuple(figures[name] for name in SUMS),
            figures[PEAK],
            (output.shape, totals.fusable),
        )
        self._evaluated[key] = result
        return result

    def _option(self, name: str, option: int) -> Any:
        return self._space.decisions[self._order[name]].options[option]

    def _too_large(self, state: _State) -> SpaceError:
        held = sorted(self._program.live[state[0]] & {name for name, _ in state[2]})
        return SpaceError(
            f"{self._space.name}: exact answers would need more than {STATE_LIMIT:,} states; decisions that "
            f"must be remembered together at one place: {held}. Name fewer choices, or place them nearer "
            "to where they are used"
        )
