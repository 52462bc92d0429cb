"""What can be set about a search space: from the command line, from Python or from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from netwright.errors import ConfigError, SpaceError
from netwright.models import Parameter
from netwright.space import ExpressionSpace
from netwright.space.settling import named_choices, settle

Setting = int | float | str
"""A value of a parameter."""

RESOLUTION = Parameter(
    "resolution",
    int,
    None,
    "the only height and width in pixels; by default it depends on the images",
    above=7,
)
"""Fixes the resolution, for spaces in which it is open and for others."""


def read_parameters(
    space: str, known: Sequence[Parameter], given: Mapping[str, object]
) -> dict[str, Setting]:
    """Check the settings of a space.

    Args:
        space: name of the space, for messages.
        known: what can be set about it.
        given: values by name: numbers and words, or either as text.

    Returns:
        The given values, each of the type of its parameter.

    Raises:
        ConfigError: if there is no such parameter, or a value is not one that it takes.

    >>> read_parameters("mcunet", [RESOLUTION], {"resolution": "96"})
    {'resolution': 96}
    """
    names = {parameter.name: parameter for parameter in known}
    for name in given:
        if name not in names:
            raise ConfigError(
                f"{space}.{name}: there is no such setting; {_expected(space, known, str(name))}"
            )
    return {name: _value(space, names[name], value) for name, value in given.items()}


def read_settings(space: str, known: Sequence[Parameter], given: Mapping[str, object]) -> dict[str, Setting]:
    """Check the settings of a space as far as they are parameters; all others may be decisions to settle.

    Args:
        space: name of the space, for messages.
        known: its parameters.
        given: values by name.

    Returns:
        All of them; parameters are of their types.

    Raises:
        ConfigError: if a value is not one that a parameter takes, or neither a number nor a word.

    >>> read_settings("mcunet", [RESOLUTION], {"resolution": "96", "stem.width": "16"})
    {'resolution': 96, 'stem.width': '16'}
    """
    names = {parameter.name for parameter in known}
    found: dict[str, Setting] = {}
    for name, value in given.items():
        if name in names:
            found |= read_parameters(space, known, {name: value})
        elif isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ConfigError(f"{space}.{name}: expected a number or a word, got {value!r}")
        else:
            found[name] = value
    return found


def settle_decisions(
    space: ExpressionSpace, known: Sequence[Parameter], settings: Mapping[str, Setting]
) -> ExpressionSpace:
    """Settle those decisions of a space that are among some settings which are no parameters.

    Args:
        space: the space.
        known: its parameters, for messages.
        settings: options by name of the decision.

    Raises:
        ConfigError: if there is no such decision, or it has no such option.
    """
    if not settings:
        return space
    decisions = list(named_choices(space))
    for name in settings:
        if name not in decisions:
            expected = _expected(space.name, known, name, decisions)
            raise ConfigError(f"{space.name}.{name}: there is no such setting; {expected}")
    try:
        return settle(space, settings)
    except SpaceError as error:
        raise ConfigError(str(error)) from None


def _expected(space: str, known: Sequence[Parameter], name: str, decisions: Sequence[str] = ()) -> str:
    if not known and not decisions:
        return f"{space} has none"
    close = get_close_matches(name, [*(parameter.name for parameter in known), *decisions], n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    groups = [f"one of {', '.join(f'{each.name} ({each.expected})' for each in known)}"] if known else []
    groups += [f"a decision to settle: {', '.join(decisions)}"] if decisions else []
    return f"{hint}expected {', or '.join(groups)}"


def _value(space: str, parameter: Parameter, value: object) -> Setting:
    truth = isinstance(value, bool) and parameter.kind is not bool
    if truth or not isinstance(value, int | float | str):
        raise ConfigError(f"{space}.{parameter.name}: expected {parameter.expected}, got {value!r}")
    return parameter.parse(space, str(value))
