"""Sub-spaces: spaces in which some decisions are settled beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from netwright.blocks.block import Block
from netwright.errors import SpaceError
from netwright.space.compile import ExpressionSpace, compile_space
from netwright.space.expression import Choice, Derived, Place, Repeat, Sequential


def settle(space: ExpressionSpace, settings: Mapping[str, Any]) -> ExpressionSpace:
    """The sub-space whose architectures all have some options.

    Args:
        space: the space; stays as it is.
        settings: an option by name of a decision, as its label or as text. Decisions that have a name of
            their own can be settled; a fresh one at every place cannot, nor those within cells.

    Returns:
        A space of the same name, with an id of its own, in which these decisions are not open.

    Raises:
        SpaceError: if there is no such decision, or it has no such option.

    >>> from netwright import blocks as B
    >>> from netwright.space import choice, compile_space, sequential, size
    >>> body = B.conv_bn_act(out=choice(8, 16, name="width"), kernel=choice(1, 3, 5))
    >>> both = compile_space(sequential(body, input=(3, 8, 8)), "both")
    >>> size(both), size(settle(both, {"width": 16}))
    (6, 3)
    """
    known = named_choices(space)
    options = {}
    for name, value in settings.items():
        if name not in known:
            raise SpaceError(
                f"{space.name}: expected one of the decisions {', '.join(known) or '(none has a name)'}, got "
                f"{name!r}"
            )
        labels = known[name].labels
        found = [label for label in labels if str(label) == str(value)]
        if not found:
            raise SpaceError(
                f"{space.name}.{name}: expected one of {', '.join(map(str, labels))}, got {value!r}"
            )
        options[name] = found[0]
    expression = _settled(space.expression, options)
    assert isinstance(expression, Sequential)
    settled = compile_space(
        expression, space.name, dtype=space.dtype, memory_model=space.memory_model, latency=space.latency
    )
    left = options.keys() & {decision.name for decision in settled.decisions}
    if left:
        raise SpaceError(
            f"{space.name}.{min(left)}: cells decide this too, where it cannot be settled; build the space "
            "with the value itself"
        )
    return settled


def named_choices(space: ExpressionSpace) -> dict[str, Choice]:
    """The decisions that have a name of their own, in the order in which they are met."""
    return {one.name: one for one in _choices(space.expression) if one.name is not None}


def _parts(value: Any) -> tuple[Any, ...]:
    """What a piece of an expression consists of."""
    if isinstance(value, Choice):
        return value.options
    if isinstance(value, Derived):
        return value.arguments
    if isinstance(value, Block):
        return tuple(argument for _, argument in value.arguments)
    if isinstance(value, Repeat):
        return (value.depth, value.body)
    if isinstance(value, Place):
        return (value.body,)
    if isinstance(value, Sequential):
        return (value.input or (), *value.parts)
    return value if isinstance(value, tuple) else ()


def _choices(value: Any) -> Iterator[Choice]:
    if isinstance(value, Choice):
        yield value
    for part in _parts(value):
        yield from _choices(part)


def _settled(value: Any, options: Mapping[str, Any]) -> Any:
    if isinstance(value, Choice):
        if value.name is not None and value.name in options:
            return _settled(value.options[value.labels.index(options[value.name])], options)
        return Choice(value.labels, tuple(_settled(part, options) for part in value.options), value.name)
    parts = tuple(_settled(part, options) for part in _parts(value))
    if isinstance(value, Derived):
        return Derived(value.name, value.function, parts)
    if isinstance(value, Block):
        return Block(value.function, tuple(zip((name for name, _ in value.arguments), parts, strict=True)))
    if isinstance(value, Repeat):
        depth, body = parts
        return Repeat(value.name, body, depth)
    if isinstance(value, Place):
        return Place(value.name, *parts)
    if isinstance(value, Sequential):
        size, *rest = parts
        return Sequential(tuple(rest), size if value.input is not None else None)
    return parts if isinstance(value, tuple) else value
