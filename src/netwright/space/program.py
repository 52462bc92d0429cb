"""An expression as a program: what is decided and what is built, in the order of the network.

Instructions stand in a list; each leads only to smaller indices, and index 0 is the end. One walk over a
program with all decisions settled builds a network; the walk over all ways to settle them is the diagram.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from netwright.blocks.block import Block
from netwright.errors import SpaceError
from netwright.space.architecture import Value
from netwright.space.composite import Composite
from netwright.space.expression import (
    Choice,
    Derived,
    Part,
    Place,
    Repeat,
    Sequential,
    describe,
    is_expression,
    part_names,
    without_stride,
)

INPUT = "input"
"""Name of the input's node, and the place of the decisions about its shape."""

Settled = Mapping[str, int]
"""Options taken so far: decision name to option index."""

Resolve = Callable[[Settled], Any]


@dataclass(frozen=True, slots=True)
class Decision:
    """One open question of a space.

    Attributes:
        name: unique in the space; for an unnamed choice the place where it landed.
        options: what an architecture may record for it.
    """

    name: str
    options: tuple[Value, ...]

    def index(self, value: Value) -> int:
        """Index of an option.

        Raises:
            SpaceError: if the value is not one of the options.
        """
        for index, option in enumerate(self.options):
            if option == value and isinstance(option, bool) == isinstance(value, bool):
                return index
        raise SpaceError(f"{self.name}: expected one of {self.options}, got {value!r}")


@dataclass(frozen=True, slots=True)
class End:
    """Nothing is left to build."""


@dataclass(frozen=True, slots=True)
class Start:
    """Set the input's shape."""

    shape: Resolve
    needs: frozenset[str]
    next: int


@dataclass(frozen=True, slots=True)
class Decide:
    """Settle a decision, unless it is settled already, and go on where its option leads."""

    decision: str
    next: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Build a block at a place."""

    place: str
    block: Block
    arguments: tuple[tuple[str, Resolve], ...]
    needs: frozenset[str]
    next: int

    def settle(self, settled: Settled) -> tuple[tuple[str, Any], ...]:
        """The block's arguments with all choices settled."""
        return tuple((name, resolve(settled)) for name, resolve in self.arguments)


@dataclass(frozen=True, slots=True)
class Deeper:
    """Go on with layer ``layer`` of a stage if the depth says so, otherwise behind the stage."""

    depths: tuple[int, ...]
    decision: str
    layer: int
    inside: int
    behind: int

    def follow(self, settled: Settled) -> int:
        """Index of the instruction that comes next."""
        return self.inside if self.depths[settled[self.decision]] > self.layer else self.behind


@dataclass(frozen=True, slots=True)
class Compose:
    """Walk through a part that has several tensors alive at once."""

    place: str
    composite: Composite
    arguments: tuple[tuple[str, Resolve], ...]
    needs: frozenset[str]
    next: int

    def settle(self, settled: Settled) -> dict[str, Any]:
        """The part's arguments with all choices settled."""
        return {name: resolve(settled) for name, resolve in self.arguments}


Instruction = End | Start | Decide | Run | Deeper | Compose


@dataclass(frozen=True, slots=True)
class Program:
    """Instructions and the decisions that they settle.

    Attributes:
        instructions: see the module; the walk begins at the last.
        decisions: in the order in which a walk meets them.
        live: for every instruction the decisions that it or what follows may still ask for.
    """

    instructions: tuple[Instruction, ...]
    decisions: tuple[Decision, ...]
    live: tuple[frozenset[str], ...]

    @property
    def start(self) -> int:
        """Index of the first instruction."""
        return len(self.instructions) - 1


def compile_program(expression: Sequential) -> Program:
    """Translate an expression with an ``input`` to a program.

    Raises:
        SpaceError: if a name is used for different choices, or two places have one name.
    """
    writer = _Writer()
    end = writer.emit(End())
    writer.start(expression, end)
    instructions = tuple(writer.instructions)
    return Program(instructions, writer.ordered_decisions(), _live(instructions))


class _Writer:
    """Writes instructions back to front, so that each knows the index of what follows it."""

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self._choices: dict[str, Choice] = {}
        self._met: dict[str, int] = {}
        self._own: dict[str, tuple[int, tuple[Value, ...]]] = {}

    def emit(self, instruction: Instruction) -> int:
        self.instructions.append(instruction)
        return len(self.instructions) - 1

    def ordered_decisions(self) -> tuple[Decision, ...]:
        for name in self._own:
            if name in self._met:
                raise SpaceError(
                    f"{name}: the decision of a cell or trellis and a choice elsewhere have this name; "
                    "rename one"
                )
        labels = {name: self._choices[name].labels for name in self._met}
        labels |= {name: options for name, (_, options) in self._own.items()}
        indices = self._met | {name: index for name, (index, _) in self._own.items()}
        # Sorting is stable, so that the decisions of one part stay in its order.
        names = sorted(labels, key=lambda name: -indices[name])
        return tuple(Decision(name, labels[name]) for name in names)

    def decide(self, name: str, option: Choice, following: tuple[int, ...]) -> int:
        _same_options(name, self._choices.setdefault(name, option), option)
        index = self.emit(Decide(name, following))
        self._met[name] = index
        return index

    def start(self, expression: Sequential, following: int) -> int:
        if expression.input is None:
            raise SpaceError("space: the outermost sequential needs input=(channels, height, width)")
        if INPUT in part_names(expression.parts):
            raise SpaceError(
                f"{INPUT}: the name of the network's input; give the part another name with place(...)"
            )
        following = self.parts(expression, "", following, first=True)
        choices: dict[str, Choice] = {}
        resolvers: list[Resolve] = []
        for axis, item in _axes(expression.input):
            if item is ... and not resolvers:
                raise SpaceError("sequential.input: '...' repeats the size before it; there is none")
            # '...' is the same size, so even an unnamed choice before it is one decision.
            resolvers.append(resolvers[-1] if item is ... else _resolver(item, f"{INPUT}.{axis}", choices))
        index = self.emit(
            Start(lambda settled: tuple(r(settled) for r in resolvers), frozenset(choices), following)
        )
        return self.choices(choices, index)

    def choices(self, choices: Mapping[str, Choice], following: int) -> int:
        """Decide several values, in their order, before what follows."""
        for name in reversed(list(choices)):
            following = self.decide(name, choices[name], (following,) * len(choices[name].options))
        return following

    def write(self, expression: Any, place: str, following: int, *, first: bool) -> int:
        """Write an expression; ``first`` is false in the later layers of a stage, which have no stride."""
        if isinstance(expression, Block):
            return self.block(expression if first else without_stride(expression), place, following)
        if isinstance(expression, Sequential):
            if expression.input is not None:
                raise SpaceError(f"{place}: only the outermost sequential has an input")
            return self.parts(expression, place, following, first=first)
        if isinstance(expression, Place):
            return self.write(expression.body, place, following, first=first)
        if isinstance(expression, Repeat):
            return self.repeat(expression, place, following, first=first)
        if isinstance(expression, Choice):
            return self.branches(expression, place, following, first=first)
        if isinstance(expression, Part):
            return self.compose(expression.composite, place, following)
        raise SpaceError(f"{place}: expected a block or another expression, got {expression!r}")

    def parts(self, expression: Sequential, place: str, following: int, *, first: bool) -> int:
        names = part_names(expression.parts)
        if len(set(names)) != len(names):
            raise SpaceError(f"{place or 'sequential'}: two parts have the same name: {names}")
        for name, part in reversed(tuple(zip(names, expression.parts, strict=True))):
            following = self.write(part, f"{place}.{name}" if place else name, following, first=first)
        return following

    def block(self, block: Block, place: str, following: int) -> int:
        choices: dict[str, Choice] = {}
        arguments = tuple(
            (name, _resolver(value, f"{place}.{name}", choices)) for name, value in block.arguments
        )
        index = self.emit(Run(place, block, arguments, frozenset(choices), following))
        return self.choices(choices, index)

    def compose(self, composite: Composite, place: str, following: int) -> int:
        choices: dict[str, Choice] = {}
        arguments = tuple(
            (name, _resolver(value, f"{place}.{name}", choices)) for name, value in composite.arguments
        )
        index = self.emit(Compose(place, composite, arguments, frozenset(choices), following))
        for name, options in composite.decisions():
            if name in self._own:
                raise SpaceError(
                    f"{name}: two parts of the network have a decision of this name; cells are shared "
                    "within one stack only, so give the cells of the other one other names"
                )
            self._own[name] = (index, options)
        return self.choices(choices, index)

    def repeat(self, expression: Repeat, place: str, following: int, *, first: bool) -> int:
        body, depth = expression.body, expression.depth
        inside = f".{body.name}" if isinstance(body, Place) else ""
        depths = depth.options if isinstance(depth, Choice) else (depth,)
        name = (depth.name or f"{place}.depth") if isinstance(depth, Choice) else ""
        behind = following
        for layer in reversed(range(max(depths))):
            layer_place = f"{place}.{layer}{inside}"
            following = self.write(body, layer_place, following, first=first and layer == 0)
            if isinstance(depth, Choice) and layer >= min(depths):
                following = self.emit(Deeper(depths, name, layer, following, behind))
        if isinstance(depth, Choice):
            following = self.decide(name, depth, (following,) * len(depths))
        return following

    def branches(self, expression: Choice, place: str, following: int, *, first: bool) -> int:
        starts = [
            self.write(option, f"{place}.{_word(label)}", following, first=first)
            for label, option in reversed(tuple(zip(expression.labels, expression.options, strict=True)))
        ]
        return self.decide(expression.name or place, expression, tuple(reversed(starts)))


def _same_options(name: str, known: Choice, option: Choice) -> None:
    if describe(known) != describe(option):
        raise SpaceError(
            f"choice {name!r}: expected the same options wherever it appears, "
            f"got {known.labels} and {option.labels}; give one of them another name"
        )


def _axes(shape: tuple[Any, ...]) -> list[tuple[str, Any]]:
    names = ("channels", "height", "width") if len(shape) == 3 else ("features",)
    return list(zip(names, shape, strict=True))


def _word(label: Value) -> str:
    """A label as a part of a place's name, which must not have dots."""
    return str(label).replace(".", "_")


def _resolver(value: Any, place: str, choices: dict[str, Choice]) -> Resolve:
    """A function that gives an argument's value, and in ``choices`` what it has to know for that."""
    if isinstance(value, Choice):
        if value.structural:
            raise SpaceError(f"{place}: an argument takes a choice of values, got a choice of blocks")
        name = value.name or (place if place not in choices else f"{place}.{len(choices)}")
        _same_options(name, choices.setdefault(name, value), value)
        options = value.options
        return lambda settled: options[settled[name]]
    if isinstance(value, Derived):
        function = value.function
        inner = [_resolver(argument, place, choices) for argument in value.arguments]
        return lambda settled: function(*(resolve(settled) for resolve in inner))
    if isinstance(value, tuple):
        items = [_resolver(item, place, choices) for item in value]
        return lambda settled: tuple(resolve(settled) for resolve in items)
    if is_expression(value):
        raise SpaceError(f"{place}: an argument takes a value, got a block")
    if not _constant(value):
        raise SpaceError(f"{place}: expected numbers, words, tuples or choices of them, got {value!r}")
    return lambda settled: value


def _constant(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _live(instructions: tuple[Instruction, ...]) -> tuple[frozenset[str], ...]:
    live: list[frozenset[str]] = []
    for instruction in instructions:
        if isinstance(instruction, Decide):
            later = frozenset[str]().union(*(live[index] for index in instruction.next))
            live.append(later | {instruction.decision})
        elif isinstance(instruction, Deeper):
            live.append(live[instruction.inside] | live[instruction.behind] | {instruction.decision})
        elif isinstance(instruction, Start | Run | Compose):
            live.append(live[instruction.next] | instruction.needs)
        else:
            live.append(frozenset())
    return tuple(live)
