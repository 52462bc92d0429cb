"""The strategies by the names that the command line and configuration files use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from netwright.errors import ConfigError
from netwright.strategies.evolution import Evolution
from netwright.strategies.grid import Grid
from netwright.strategies.local_search import LocalSearch
from netwright.strategies.nsga2 import NSGA2
from netwright.strategies.random_search import RandomSearch
from netwright.trial import Strategy

STRATEGIES: Mapping[str, Callable[..., Strategy]] = MappingProxyType(
    {strategy.name: strategy for strategy in (Grid, RandomSearch, LocalSearch, Evolution, NSGA2)}
)
"""What makes each strategy, by name; the arguments are its options."""


def make_strategy(name: str, **options: Any) -> Strategy:
    """Make a strategy by name.

    Args:
        name: one of ``STRATEGIES``.
        **options: the fields of that strategy, see its class.

    Raises:
        ConfigError: if the name or an option is unknown, or an option's value is wrong.

    >>> make_strategy("evolution", population=20)
    Evolution(population=20, tournament=5, distinct=None, crossover=0.0)
    """
    if name not in STRATEGIES:
        raise ConfigError(f"strategy: expected one of {', '.join(STRATEGIES)}, got {name!r}")
    make = STRATEGIES[name]
    known = [field.name for field in fields(make)]  # type: ignore[arg-type]
    for option in options:
        if option not in known:
            raise ConfigError(
                f"strategy {name}: expected options {', '.join(known) or '(it has none)'}, got {option!r}"
            )
    return make(**options)
