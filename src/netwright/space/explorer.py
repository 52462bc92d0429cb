"""All ways through a program at once: from a program to its decision diagram."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush
from itertools import count
from typing import Any

from netwright.errors import SpaceError, TooLargeError
from netwright.space.composite import NOTHING, Meter, Move, Signature, Sums, Tracked, Walk, plus
from netwright.space.diagram import Diagram, DiagramNode, Edge
from netwright.space.program import Compose, Decide, Deeper, Program, Run, Settled, Start

STATE_LIMIT = 1_000_000
"""Diagrams of chains larger than this are refused: they would take gigabytes."""

FOLLOWED_LIMIT = 6_000
"""States that are followed in search of the smallest peak: a few seconds."""

COMPOSED_STATE_LIMIT = 25_000
"""Diagrams with cells or a trellis larger than this are refused: they would take half a minute."""


_State = tuple[int, Any, tuple[tuple[str, int], ...]]
"""Instruction, signature of the tensor so far (or walk and state within a part), settled decisions in use."""

_Option = tuple[int, _State, Sums, int]


class Explorer:
    """Walks a program in all ways at once and merges states that cannot be told apart later.

    Args:
        name: name of the space, for messages.
        program: what is decided and built.
        meter: counts the blocks.
        tracked: the costs that are told apart.
    """

    def __init__(self, name: str, program: Program, meter: Meter, tracked: Tracked) -> None:
        self._name = name
        self._tracked = tracked
        self._program = program
        self._meter = meter
        self._within = meter.within_parts()
        self._zeros: Sums = (0,) * len(meter.sums)
        self._evaluated: dict[Any, tuple[Sums, int, Signature]] = {}
        self._walks: list[Walk] = []
        self._walk_numbers: dict[Any, int] = {}
        self._order = {decision.name: index for index, decision in enumerate(program.decisions)}
        composed = any(isinstance(instruction, Compose) for instruction in program.instructions)
        self._limit = COMPOSED_STATE_LIMIT if composed else STATE_LIMIT

    def explore(self) -> Diagram:
        """The decision diagram.

        Raises:
            SpaceError: if some architecture cannot be built.
            TooLargeError: if there are too many states.
        """
        start: _State = (self._program.start, ((), "closed"), ())
        root, base_sums, base_peak = self._advance(start)
        edges: dict[_State, list[_Option]] = {}
        pending = [root]
        while pending:
            state = pending.pop()
            if state in edges:
                continue
            edges[state] = self._options(state)
            pending += [child for _, child, _, _ in edges[state] if child not in edges]
            if len(edges) > self._limit:
                raise self._too_large(state)
        return Diagram(self._numbered(edges), *self._wanted(base_sums, base_peak), self._meter.sums)

    def least_peak(self) -> tuple[int, bool]:
        """The smallest peak memory of all paths, in bytes, and whether it is exact.

        Paths that are lowest so far are followed first. After ``FOLLOWED_LIMIT`` states what is given is a
        lower bound: no architecture needs less.
        """
        start: _State = (self._program.start, ((), "closed"), ())
        first, _, peak = self._advance(start)
        order = count()
        pending = [(peak, 0, next(order), first)]
        seen: set[_State] = set()
        while pending:
            peak, steps, _, state = heappop(pending)
            if state in seen:
                continue
            seen.add(state)
            options = self._options(state)
            if not options or len(seen) > FOLLOWED_LIMIT:
                return peak, not options
            for _, child, _, high in options:
                if child not in seen:
                    # Among equals the longest path first, which soon comes to an end.
                    heappush(pending, (max(peak, high), steps - 1, next(order), child))
        raise SpaceError(f"{self._name}: there is no architecture in it")

    def _wanted(self, sums: Sums, peak: int) -> tuple[Sums, int]:
        kept = sums if self._tracked.sums else NOTHING
        return kept or self._zeros, peak if self._tracked.peak else 0

    def _numbered(self, edges: Mapping[_State, list[_Option]]) -> tuple[DiagramNode, ...]:
        ordered = sorted(edges, key=self._position)
        number = {state: index for index, state in enumerate(ordered)}
        nodes = []
        for state in ordered:
            name = self._decision(state)
            nodes.append(
                DiagramNode(
                    -1 if name is None else self._order[name],
                    tuple(
                        Edge(option, number[child], *self._wanted(sums, peak))
                        for option, child, sums, peak in edges[state]
                    ),
                )
            )
        return tuple(nodes)

    def _position(self, state: _State) -> tuple[int, int]:
        """Sorts children before parents: states of one part by how much of it is settled."""
        composed = isinstance(self._program.instructions[state[0]], Compose)
        return state[0], -state[1][1].step if composed else 0

    def _decision(self, state: _State) -> str | None:
        instruction = self._program.instructions[state[0]]
        if isinstance(instruction, Compose):
            name: str = state[1][1].decision
            return name
        return instruction.decision if isinstance(instruction, Decide) else None

    def _options(self, state: _State) -> list[_Option]:
        index, signature, settled = state
        instruction = self._program.instructions[index]
        if isinstance(instruction, Compose):
            walk, inner = signature
            return [
                (option, *self._moved(state, walk, move)) for option, move in self._walks[walk].options(inner)
            ]
        if not isinstance(instruction, Decide):
            return []
        found = []
        for option, following in enumerate(instruction.next):
            after = (*settled, (instruction.decision, option))
            found.append((option, *self._advance((following, signature, after))))
        return found

    def _advance(self, state: _State) -> tuple[_State, Sums, int]:
        """Build what is settled up to the next open decision; gives the new state and what was added."""
        index, signature, pairs = state
        settled = dict(pairs)
        sums, peak = NOTHING, 0
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
                peak = self._meter.bytes(shape)
                index = instruction.next
            elif isinstance(instruction, Run):
                added, high, signature = self._evaluate(instruction, settled, signature)
                sums, peak = plus(sums, added), max(peak, high)
                index = instruction.next
            elif isinstance(instruction, Compose):
                target, added, high = self._entered(instruction, index, settled, signature)
                return target, plus(sums, added), max(peak, high)
        return self._kept(index, signature, settled), sums, peak

    def _kept(self, index: int, signature: Any, settled: Settled) -> _State:
        """The state with only those settled decisions that are still asked for."""
        if not index:
            return 0, ((), "closed"), ()
        instruction = self._program.instructions[index]
        behind = instruction.next if isinstance(instruction, Compose) else index
        live = self._program.live[behind]
        return index, signature, tuple(sorted(item for item in settled.items() if item[0] in live))

    def _entered(
        self, instruction: Compose, index: int, settled: Settled, signature: Signature
    ) -> tuple[_State, Sums, int]:
        arguments = instruction.settle(settled)
        key = (index, signature, tuple(arguments.items()))
        if key not in self._walk_numbers:
            self._walk_numbers[key] = len(self._walks)
            walk = instruction.composite.walk(signature, arguments, self._within, self._tracked)
            self._walks.append(walk)
        number = self._walk_numbers[key]
        move = self._walks[number].begin()
        return self._moved(self._kept(index, (number, None), settled), number, move)

    def _moved(self, state: _State, walk: int, move: Move) -> tuple[_State, Sums, int]:
        """Follow a move of a part: within it, or out of it and on to the next open decision."""
        index, _, settled = state
        instruction = self._program.instructions[index]
        if not move.ends or not isinstance(instruction, Compose):
            return (index, (walk, move.target), settled), move.sums, move.peak
        target, added, high = self._advance((instruction.next, move.target, settled))
        return target, plus(move.sums, added), max(move.peak, high)

    def _evaluate(self, run: Run, settled: Settled, signature: Signature) -> tuple[Sums, int, Signature]:
        """Build one block concretely and count it; remembered by block, arguments and input."""
        arguments = run.settle(settled)
        key = (run.block.function, arguments, signature)
        found = self._evaluated.get(key)
        if found is None:
            try:
                measured = self._meter.measure(run.place, run.block.replace(**dict(arguments)), signature)
            except SpaceError as error:
                where = ", ".join(
                    f"{name}={self._option(name, option)!r}" for name, option in settled.items()
                )
                raise SpaceError(f"{error}, with {where or 'no decision'}") from None
            found = self._evaluated[key] = (measured.sums, measured.peak, measured.exit)
        return found

    def _option(self, name: str, option: int) -> Any:
        return self._program.decisions[self._order[name]].options[option]

    def _too_large(self, state: _State) -> TooLargeError:
        held = sorted(self._program.live[state[0]] & {name for name, _ in state[2]})
        if isinstance(self._program.instructions[state[0]], Compose):
            held.append(f"those of {self._decision(state)} and before")
        return TooLargeError(
            f"{self._name}: an exact answer would need more than {self._limit:,} states; decisions that "
            f"must be remembered together at one place: {held}. Ask about fewer costs at once, name fewer "
            "choices or place them nearer to where they are used, or sample: "
            "netwright.space.estimate_count and its like"
        )
