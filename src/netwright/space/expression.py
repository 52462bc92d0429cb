"""Search spaces as expressions: networks with open decisions in them.

An expression is a value: blocks, ``sequential``, ``repeat`` and ``choice`` in any nesting. A *named* choice
is one decision wherever it appears; an *unnamed* choice is a fresh decision at every place where it lands.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

from netwright.blocks.block import Block
from netwright.errors import SpaceError
from netwright.space.architecture import Value
from netwright.space.composite import Composite


@dataclass(frozen=True, slots=True)
class Choice:
    """An open decision; see ``choice``.

    Attributes:
        labels: what an architecture records, one for each option.
        options: values, or blocks and other expressions.
        name: shared name, or None for a fresh decision at every place.
    """

    labels: tuple[Value, ...]
    options: tuple[Any, ...]
    name: str | None

    @property
    def structural(self) -> bool:
        """Whether the options are blocks or other expressions rather than values."""
        return is_expression(self.options[0])


@dataclass(frozen=True, slots=True)
class Derived:
    """A value computed from choices when a place is built; see ``derived``."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same body several times in a row; see ``repeat``."""

    name: str
    body: Any
    depth: Any


@dataclass(frozen=True, slots=True)
class Place:
    """An expression whose nodes and decisions bear a name of their own; see ``place``."""

    name: str
    body: Any


@dataclass(frozen=True, slots=True)
class Part:
    """A stack of cells or a trellis, which walks through its decisions by itself; see ``Composite``."""

    composite: Composite


@dataclass(frozen=True, slots=True)
class Sequential:
    """Expressions one after the other; see ``sequential``."""

    parts: tuple[Any, ...]
    input: tuple[Any, ...] | None


Expression = Block | Choice | Repeat | Place | Part | Sequential


def is_expression(value: object) -> bool:
    """Whether a value stands for a piece of a network (rather than for an argument of one)."""
    return isinstance(value, Block | Repeat | Place | Part | Sequential) or (
        isinstance(value, Choice) and value.structural
    )


def choice(*options: Any, name: str | None = None) -> Choice:
    """Leave a decision open.

    Args:
        *options: two or more values (numbers or words of one kind), or blocks and other expressions; or a
            single mapping from label to option.
        name: makes it one decision wherever a choice of this name appears.

    Raises:
        SpaceError: if there are no options, two are equal, or values and expressions are mixed.

    >>> choice(3, 5, 7).labels
    (3, 5, 7)
    """
    where = f"choice {name!r}" if name else "choice"
    labels: tuple[Any, ...]
    if len(options) == 1 and isinstance(options[0], Mapping):
        labels, options = tuple(options[0].keys()), tuple(options[0].values())
    else:
        labels = _labels(options)
    if not options:
        raise SpaceError(f"{where}: expected at least one option, got none")
    expressions = [is_expression(option) for option in options]
    if any(expressions) != all(expressions):
        raise SpaceError(f"{where}: expected values or expressions, got a mixture: {labels}")
    for label in labels:
        if not isinstance(label, int | float | str):
            raise SpaceError(
                f"{where}: expected numbers, words or expressions as options, got {label!r}; "
                "give other values a label with choice({'label': value})"
            )
    if len(set(labels)) != len(labels):
        raise SpaceError(f"{where}: expected different options, got {labels}")
    for option in options:
        if isinstance(option, Choice | Derived) and not is_expression(option):
            raise SpaceError(
                f"{where}: a choice of values cannot be an option of another; list all values in one"
            )
    return Choice(labels, options, name)


def _labels(options: tuple[Any, ...]) -> tuple[Any, ...]:
    """Values stand for themselves; expressions are called as the parts of a sequence are."""
    names = iter(part_names(tuple(option for option in options if is_expression(option))))
    return tuple(next(names) if is_expression(option) else option for option in options)


def _kind(expression: Any) -> str:
    if isinstance(expression, Block):
        return expression.kind
    if isinstance(expression, Repeat | Place):
        return expression.name
    if isinstance(expression, Part):
        return expression.composite.name
    if isinstance(expression, Choice):
        return expression.name or "choice"
    return "sequential"


def derived(name: str, function: Callable[..., Any], *arguments: Any) -> Derived:
    """Compute an argument of a block from choices.

    Args:
        name: names the function in the id of the space; change it when the function changes.
        function: called with the settled arguments when a place is built.
        *arguments: values and choices of values.

    >>> width = choice(0.5, 1.0, name="width")
    >>> derived("double", lambda w: int(2 * w), width).name
    'double'
    """
    return Derived(name, function, arguments)


def repeat(name: str, body: Any, depth: int | Choice) -> Repeat:
    """Repeat a body; depth d keeps the first d layers, and the stride belongs to the first.

    Args:
        name: name of the stage: layer i is the place ``name.i``.
        body: an expression; every unnamed choice in it is a decision of each layer.
        depth: a positive integer or a choice of such; 0 among others leaves the whole stage out.

    Raises:
        SpaceError: if a depth is not such an integer or the body is not an expression.
    """
    depths = depth.options if isinstance(depth, Choice) else (depth,)
    least = 0 if len(depths) > 1 else 1
    for value in depths:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            wanted = (
                "positive integers, or 0 as one of several options" if value == 0 else "positive integers"
            )
            raise SpaceError(f"{name}.depth: expected {wanted}, got {value!r}")
    if not is_expression(body):
        raise SpaceError(f"{name}: expected a block or another expression as its body, got {body!r}")
    return Repeat(checked_name(name), body, depth)


def place(name: str, body: Any) -> Place:
    """Give an expression's nodes and decisions a name of their own.

    Args:
        name: the name, without dots.
        body: an expression.

    Raises:
        SpaceError: if the name is not valid or the body is not an expression.
    """
    if not is_expression(body):
        raise SpaceError(f"{name}: expected a block or another expression, got {body!r}")
    return Place(checked_name(name), body)


def sequential(*parts: Any, input: tuple[int | Choice | EllipsisType, ...] | None = None) -> Sequential:
    """Put expressions one after the other.

    Args:
        *parts: blocks and other expressions.
        input: for the outermost one, the shape (channels, height, width) of the input; each may be a
            choice, and ``...`` as the width means the height.

    Raises:
        SpaceError: if a part is not an expression or the input is not such a shape.
    """
    if not parts:
        raise SpaceError("sequential: expected at least one part, got none")
    for index, part in enumerate(parts):
        if not is_expression(part):
            raise SpaceError(f"sequential: part {index} is not a block or another expression: {part!r}")
    if input is not None and len(input) not in (1, 3):
        raise SpaceError(f"sequential.input: expected (channels, height, width), got {input!r}")
    return Sequential(parts, input)


def checked_name(name: str) -> str:
    """A name of a place.

    Raises:
        SpaceError: if it is not a word without dots.
    """
    if not isinstance(name, str) or not name or "." in name:
        raise SpaceError(f"name: expected a word without dots, got {name!r}")
    return name


def part_names(parts: tuple[Any, ...]) -> tuple[str, ...]:
    """Names of the places of a sequence's parts: given names, or kinds with a number where they recur."""
    given = [isinstance(part, Repeat | Place | Part) for part in parts]
    kinds = ["" if named else _kind(part) for named, part in zip(given, parts, strict=True)]
    return tuple(
        _kind(part) if named else kind if kinds.count(kind) == 1 else f"{kind}_{kinds[:index].count(kind)}"
        for index, (named, kind, part) in enumerate(zip(given, kinds, parts, strict=True))
    )


def without_stride(block: Block) -> Block:
    """The same block with stride 1: what it is in the layers after the first of a stage."""
    return block.replace(stride=1) if block.accepts("stride") else block


def describe(value: Any) -> Any:
    """The canonical form of an expression as JSON values; equal for equal expressions in any process."""
    if isinstance(value, Block):
        return ["block", value.kind, {name: describe(item) for name, item in value.arguments}]
    if isinstance(value, Choice):
        return ["choice", value.name, list(value.labels), [describe(option) for option in value.options]]
    if isinstance(value, Derived):
        return ["derived", value.name, [describe(argument) for argument in value.arguments]]
    if isinstance(value, Repeat):
        return ["repeat", value.name, describe(value.body), describe(value.depth)]
    if isinstance(value, Place):
        return ["place", value.name, describe(value.body)]
    if isinstance(value, Part):
        return value.composite.describe(describe)
    if isinstance(value, Sequential):
        return ["sequential", [describe(part) for part in value.parts], describe(value.input)]
    if isinstance(value, tuple):
        return [describe(item) for item in value]
    if value is ...:
        return "..."
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise SpaceError(f"expected numbers, words, tuples and expressions in a space, got {value!r}")


def fingerprint(expression: Any) -> str:
    """Eight hexadecimal digits that identify an expression."""
    text = json.dumps(describe(expression), separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:8]
