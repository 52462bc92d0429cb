"""What an expression means, told a second time: the judge of exact answers about spaces.

Goes through every way to settle an expression, one after the other. It walks the values that a user writes
(``choice``, ``repeat`` ...) and shares nothing with the compiler of spaces: no programs, no diagrams, no
tables. Each network is built whole and counted whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from netwright.blocks import Block
from netwright.ir.cost import cost
from netwright.ir.graph import Graph, GraphBuilder
from netwright.space import Value
from netwright.space.expression import Choice, Derived, Place, Repeat, Sequential

Settled = dict[str, Value]
"""Decisions taken, by name, in the order in which they were met."""

Plan = tuple[tuple[str, Block], ...]
"""Places with their blocks, all arguments settled."""


@dataclass(frozen=True)
class Member:
    """One member of a space.

    Attributes:
        choices: its active decisions.
        shape: of the input.
        plan: what is built behind it.
    """

    choices: Settled
    shape: tuple[int, ...]
    plan: Plan

    def graph(self) -> Graph:
        """Build the whole network."""
        build = GraphBuilder()
        x = build.input(self.shape)
        for place, block in self.plan:
            with build.scope(place):
                x = block(build, x)
        return build.finish(x)

    def costs(self, **options: Any) -> dict[str, int]:
        """Count the whole network; the options are those of ``netwright.ir.cost.cost``."""
        return cost(self.graph(), **options).totals()


Ways = Iterator[tuple[Plan, Settled]]


def members(expression: Sequential) -> Iterator[Member]:
    """Every member of a space, each once; lazy, so that counting can stop early.

    Args:
        expression: the outermost ``sequential``, with its input.
    """
    assert expression.input is not None, "an expression without an input is no space"
    for shape, settled in _shape(expression.input, (), {}):
        for plan, choices in _chain(expression, "", settled, first=True):
            yield Member(choices, shape, plan)


def _shape(
    items: tuple[Any, ...], done: tuple[int, ...], settled: Settled
) -> Iterator[tuple[tuple[int, ...], Settled]]:
    if len(done) == len(items):
        yield done, settled
        return
    item = items[len(done)]
    axis = "features" if len(items) == 1 else ("channels", "height", "width")[len(done)]
    values = [(done[-1], settled)] if item is ... else _values(item, f"input.{axis}", settled)
    for value, after in values:
        yield from _shape(items, (*done, value), after)


def _values(value: Any, place: str, settled: Settled) -> Iterator[tuple[Any, Settled]]:
    """All values that an argument can have."""
    if isinstance(value, Choice):
        for index, after in _options(value, place, settled):
            yield value.options[index], after
    elif isinstance(value, Derived):
        for arguments, after in _values(value.arguments, place, settled):
            yield value.function(*arguments), after
    elif isinstance(value, tuple) and value:
        for head, middle in _values(value[0], place, settled):
            for tail, after in _values(value[1:], place, middle):
                yield (head, *tail), after
    else:
        yield value, settled


def _options(open_: Choice, place: str, settled: Settled) -> Iterator[tuple[int, Settled]]:
    """Indices of the options that can be taken: all, or the one that was taken before."""
    name = open_.name or place
    for index, label in enumerate(open_.labels):
        if name not in settled:
            yield index, {**settled, name: label}
        elif settled[name] == label:
            yield index, settled


def _ways(expression: Any, place: str, settled: Settled, *, first: bool) -> Ways:
    """All ways to settle an expression; ``first`` is false where the stride is gone."""
    if isinstance(expression, Block):
        for arguments, after in _arguments(expression.arguments, place, settled, first=first):
            yield ((place, Block(expression.function, arguments)),), after
    elif isinstance(expression, Place):
        yield from _ways(expression.body, place, settled, first=first)
    elif isinstance(expression, Sequential):
        yield from _chain(expression, place, settled, first=first)
    elif isinstance(expression, Choice):
        for index, after in _options(expression, place, settled):
            inside = f"{place}.{str(expression.labels[index]).replace('.', '_')}"
            yield from _ways(expression.options[index], inside, after, first=first)
    elif isinstance(expression, Repeat):
        for depth, after in _values(expression.depth, f"{place}.depth", settled):
            own = f".{expression.body.name}" if isinstance(expression.body, Place) else ""
            layers = [(f"{place}.{layer}{own}", expression.body) for layer in range(depth)]
            yield from _one_after_the_other(layers, after, first=[first] + [False] * depth)
    else:
        raise AssertionError(expression)


def _arguments(
    arguments: tuple[tuple[str, Any], ...], place: str, settled: Settled, *, first: bool
) -> Iterator[tuple[tuple[tuple[str, Any], ...], Settled]]:
    if not arguments:
        yield (), settled
        return
    (name, value), *rest = arguments
    open_ = 1 if name == "stride" and not first else value
    for settled_value, middle in _values(open_, f"{place}.{name}", settled):
        for others, after in _arguments(tuple(rest), place, middle, first=first):
            yield ((name, settled_value), *others), after


def _chain(chain: Sequential, place: str, settled: Settled, *, first: bool) -> Ways:
    words = [_word(part) for part in chain.parts]
    names = [
        word if words.count(word) == 1 else f"{word}_{words[:index].count(word)}"
        for index, word in enumerate(words)
    ]
    inside = [f"{place}.{name}" if place else name for name in names]
    yield from _one_after_the_other(
        list(zip(inside, chain.parts, strict=True)), settled, first=[first] * len(names)
    )


def _one_after_the_other(items: list[tuple[str, Any]], settled: Settled, *, first: list[bool]) -> Ways:
    if not items:
        yield (), settled
        return
    place, expression = items[0]
    for plan, middle in _ways(expression, place, settled, first=first[0]):
        for rest, after in _one_after_the_other(items[1:], middle, first=first[1:]):
            yield plan + rest, after


def _word(expression: Any) -> str:
    if isinstance(expression, Block):
        return expression.function.__name__
    if isinstance(expression, Sequential):
        return "sequential"
    name: str | None = expression.name
    return name or "choice"
