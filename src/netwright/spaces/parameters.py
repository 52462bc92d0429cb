"""What can be set about a search space: from the command line, from Python or from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from netwright.errors import ConfigError
from netwright.models import Parameter

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


def _expected(space: str, known: Sequence[Parameter], name: str) -> str:
    if not known:
        return f"{space} has none"
    close = get_close_matches(name, [parameter.name for parameter in known], n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{hint}expected one of {', '.join(f'{each.name} ({each.expected})' for each in known)}"


def _value(space: str, parameter: Parameter, value: object) -> Setting:
    truth = isinstance(value, bool) and parameter.kind is not bool
    if truth or not isinstance(value, int | float | str):
        raise ConfigError(f"{space}.{parameter.name}: expected {parameter.expected}, got {value!r}")
    return parameter.parse(space, str(value))
