"""Every search space that comes with netwright, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from netwright.errors import ConfigError
from netwright.ir.ops import Shape
from netwright.space import ExpressionSpace
from netwright.spaces.mobilenet import mobilenet_tiny


@dataclass(frozen=True, slots=True)
class SpaceEntry:
    """A search space for data of any shape that it accepts.

    Attributes:
        name: what it is called on the command line.
        factory: makes the space for an input shape (channels, height, width) and a number of classes.
        description: one line about it.
    """

    name: str
    factory: Callable[[Shape, int], ExpressionSpace]
    description: str


_ALL = (
    SpaceEntry(
        "mobilenet-tiny",
        mobilenet_tiny,
        "small MobileNets for images of 8x8 to 96x96: resolution, width, depth, kernel, expansion",
    ),
)

SPACES: Mapping[str, SpaceEntry] = MappingProxyType({entry.name: entry for entry in _ALL})
"""Every search space by its name."""


def find_space(name: str) -> SpaceEntry:
    """Look up a search space; case and underscores do not matter.

    Raises:
        ConfigError: if there is none of this name; the message lists those that are close, or all.

    >>> find_space("mobilenet_tiny").name
    'mobilenet-tiny'
    """
    wanted = name.lower().replace("_", "-")
    if wanted in SPACES:
        return SPACES[wanted]
    close = get_close_matches(wanted, SPACES, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise ConfigError(f"space: {name!r} is unknown; {hint}expected one of {', '.join(SPACES)}")


def make_space(name: str, input_shape: Shape, classes: int) -> ExpressionSpace:
    """Make a search space for some data.

    Args:
        name: one of ``SPACES``.
        input_shape: (channels, height, width) of the data.
        classes: number of classes.

    Raises:
        ConfigError: if the space is unknown or the number of classes is not positive.
        SpaceError: if the space is not for data of this shape.
    """
    entry = find_space(name)
    if classes < 1:
        raise ConfigError(f"classes: expected a positive number, got {classes}")
    return entry.factory(input_shape, classes)
