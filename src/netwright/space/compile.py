"""From an expression to a search space: its decisions, its diagram, and graphs of its architectures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Protocol

from netwright.errors import SpaceError, TooLargeError
from netwright.ir.cost import COSTS
from netwright.ir.dtype import find_dtype
from netwright.ir.graph import Graph, GraphBuilder, Tensor
from netwright.ir.latency import LATENCY, LatencyTable
from netwright.ir.memory import MemoryModel, check_memory_model
from netwright.ir.runtime import RUNTIME, TAIL_FIXED, runs
from netwright.space.architecture import Architecture
from netwright.space.composite import Meter, Tracked
from netwright.space.diagram import PEAK, Diagram
from netwright.space.explorer import Explorer
from netwright.space.expression import Sequential, fingerprint
from netwright.space.lookup import Lookup
from netwright.space.program import (
    Compose,
    Decide,
    Decision,
    Deeper,
    Program,
    Run,
    Settled,
    Start,
    compile_program,
)


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
        latency: a table of measured times, or None; with one, latency is one more cost that adds up.
    """

    name: str
    expression: Sequential
    dtype: str = "int8"
    memory_model: MemoryModel = "standard"
    latency: LatencyTable | None = None

    def __getstate__(self) -> dict[str, Any]:
        # What is compiled on first use is not sent to other processes: it is large and quickly made.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def id(self) -> str:
        """Name and short hash of the canonical expression."""
        return f"{self.name}-{fingerprint(self.expression)}"

    @property
    def sums(self) -> tuple[str, ...]:
        """Names of the costs that add up over a network."""
        return tuple(name for name in self.costs if name != PEAK)

    @property
    def costs(self) -> tuple[str, ...]:
        """Names of the costs of which all can be asked: they add up, or are a maximum over steps."""
        return COSTS if self.latency is None else (*COSTS, LATENCY)

    @property
    def runtime(self) -> bool:
        """Whether the runtime runs its networks, so that ``netwright.ir.runtime.RUNTIME`` can be limited."""
        return runs(self.dtype, self.memory_model)

    @property
    def limits(self) -> tuple[str, ...]:
        """Names of all costs that can be limited."""
        return (*self.costs, *RUNTIME) if self.runtime else self.costs

    @cached_property
    def program(self) -> Program:
        """What is decided and built, in order."""
        return compile_program(self.expression)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Every decision, in the order of the network."""
        return self.program.decisions

    @cached_property
    def composed(self) -> bool:
        """Whether there are cells or a trellis in it, so that what a diagram tracks decides on its size."""
        return any(isinstance(instruction, Compose) for instruction in self.program.instructions)

    @property
    def diagram(self) -> Diagram:
        """The decision diagram with all exact costs; compiled on first use.

        Raises:
            SpaceError: if some architecture cannot be built, or the diagram would be too large.
        """
        return self.diagram_for(Tracked())

    def diagram_for(self, tracked: Tracked) -> Diagram:
        """The decision diagram with some of the costs; the others are 0 in it.

        Paths are the same in all of them, in the same order. In a chain the full diagram is no larger, so it
        is the only one; with cells or a trellis it may be much larger than one without peak memory or without
        sums.

        Args:
            tracked: the costs that are asked for.

        Raises:
            SpaceError: if some architecture cannot be built, or the diagram would be too large.
        """
        wanted = tracked if self.composed else Tracked()
        known = self._diagrams.get(wanted)
        if known is None:
            try:
                known = self._explorer(wanted).explore()
            except TooLargeError as error:
                known = error
            self._diagrams[wanted] = known
        if isinstance(known, TooLargeError):
            raise known
        return known

    @cached_property
    def paths(self) -> Diagram:
        """The smallest diagram, for questions that costs do not matter to; compiled on first use."""
        return self.diagram_for(Tracked(sums=False, peak=False))

    @cached_property
    def lookup(self) -> Lookup:
        """The decisions by what architectures record of them."""
        return Lookup(self.id, self.decisions)

    @cached_property
    def walks(self) -> dict[Architecture, Any]:
        """What ``netwright.space.members.walked`` remembers."""
        return {}

    @cached_property
    def least_tail(self) -> int:
        """Bytes that the structures of the interpreter take in every network, at least."""
        try:
            diagram = self.diagram_for(Tracked(sums=True, peak=False))
        except TooLargeError:
            return TAIL_FIXED
        return diagram.least_total(diagram.term("tail_floor")) + TAIL_FIXED

    @cached_property
    def deployed(self) -> dict[Architecture, dict[str, int]]:
        """What ``netwright.space.deployed.runtime_costs_of`` remembers."""
        return {}

    @cached_property
    def least_peak(self) -> tuple[int, bool]:
        """The smallest peak activation memory of all architectures, in bytes, and whether that is exact.

        Needs no diagram, which may be too large; a value that is not exact is a lower bound.
        """
        return self._explorer(Tracked(sums=False)).least_peak()

    @cached_property
    def operations(self) -> tuple[str, ...]:
        """Whatever some architecture does that takes time: what a table of latency needs an entry for.

        See ``netwright.ir.latency.describe_operation``.

        Raises:
            SpaceError: if some architecture cannot be built.
            TooLargeError: if there are too many states to look at all.
        """
        seen: dict[str, None] = {}

        def record(parts: Sequence[str]) -> int:
            seen.update(dict.fromkeys(parts))
            return 0

        meter = Meter(self.dtype, self.memory_model, record)
        Explorer(self.name, self.program, meter, Tracked(peak=False)).explore()
        return tuple(seen)

    def _explorer(self, tracked: Tracked) -> Explorer:
        time = None if self.latency is None else self.latency.of
        meter = Meter(self.dtype, self.memory_model, time, runtime=self.runtime)
        return Explorer(self.name, self.program, meter, tracked)

    @cached_property
    def _diagrams(self) -> dict[Tracked, Diagram | TooLargeError]:
        return {}

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

    def recorded(self, architecture: Architecture) -> dict[str, int]:
        """The option index of each decision of an architecture.

        Raises:
            SpaceError: if it is of another space, its decisions are not the active ones, or it does not
                record them as this space does: equality of architectures is identity.
        """
        if architecture.space != self.id:
            raise SpaceError(
                f"architecture: expected one of space {self.id}, got one of {architecture.space}"
            )
        settled = self.settle(dict(architecture.choices))
        written = [(d.name, d.options[settled[d.name]]) for d in self.decisions if d.name in settled]
        if [(name, type(value)) for name, value in written] != [
            (n, type(v)) for n, v in architecture.choices
        ]:
            raise SpaceError(
                f"architecture: expected the options themselves, in the order of the space, {written}, got "
                f"{list(architecture.choices)}; make it with space.architecture(...)"
            )
        return settled

    def to_graph(self, architecture: Architecture) -> Graph:
        """Build the network of an architecture.

        Raises:
            SpaceError: if it is of another space, or its decisions are not the active ones.
        """
        settled = self.recorded(architecture)
        build = GraphBuilder()
        built: list[Tensor] = []

        def visit(instruction: Start | Run | Compose) -> None:
            if isinstance(instruction, Start):
                built.append(build.input(instruction.shape(settled)))
                return
            if isinstance(instruction, Compose):
                arguments = instruction.settle(settled)
                with build.scope(instruction.place):
                    built.append(instruction.composite.build(build, built[-1], arguments, settled))
                return
            block = instruction.block.replace(**dict(instruction.settle(settled)))
            with build.scope(instruction.place):
                built.append(block(build, built[-1]))

        self._walk(settled, visit)
        return build.finish(built[-1])

    def _walk(self, settled: Settled, visit: Callable[[Start | Run | Compose], None] | None) -> set[str]:
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
            elif isinstance(instruction, Start | Run | Compose):
                if isinstance(instruction, Compose):
                    met |= self._own(instruction, settled)
                if visit is not None:
                    visit(instruction)
                index = instruction.next
        return met

    def _own(self, instruction: Compose, settled: Settled) -> set[str]:
        own = {name for name, _ in instruction.composite.decisions()}
        for name in own:
            if name not in settled:
                raise SpaceError(f"{name}: this decision is active but the architecture does not settle it")
        instruction.composite.check(settled)
        return own


def compile_space(
    expression: Sequential,
    name: str,
    *,
    dtype: str = "int8",
    memory_model: MemoryModel = "standard",
    latency: LatencyTable | None = None,
) -> ExpressionSpace:
    """Make a search space from an expression and check its decisions.

    Args:
        expression: a ``sequential`` with an ``input``.
        name: for people; the id adds a hash of the expression.
        dtype: number format that weight bytes and memory are counted in.
        memory_model: ``standard`` or ``inplace-depthwise``.
        latency: a table of measured times, which makes latency a cost like the others.

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
    space = ExpressionSpace(name, expression, dtype, memory_model, latency)
    if not space.decisions:
        raise SpaceError(f"{name}: there is no choice in it; a space needs at least one decision")
    return space
