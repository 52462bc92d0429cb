"""The strategies by the names that the command line and configuration files use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from netwright.errors import ConfigError
from netwright.strategies.annealing import Annealing
from netwright.strategies.asha import ASHA
from netwright.strategies.auto import Auto
from netwright.strategies.bananas import Bananas
from netwright.strategies.cma_es import CMAES
from netwright.strategies.evolution import Evolution
from netwright.strategies.gaussian_process import GaussianProcess
from netwright.strategies.grid import Grid
from netwright.strategies.hyperband import Hyperband
from netwright.strategies.local_search import LocalSearch
from netwright.strategies.nsga2 import NSGA2
from netwright.strategies.optuna_samplers import TPE, OptunaGP
from netwright.strategies.random_search import RandomSearch
from netwright.strategies.reinforce import Reinforce
from netwright.strategies.successive_halving import SuccessiveHalving
from netwright.trial import Strategy

_REGISTERED = (
    Grid,
    RandomSearch,
    LocalSearch,
    Annealing,
    Evolution,
    NSGA2,
    Reinforce,
    GaussianProcess,
    Bananas,
    TPE,
    OptunaGP,
    CMAES,
    Auto,
    SuccessiveHalving,
    Hyperband,
    ASHA,
)

STRATEGIES: Mapping[str, Callable[..., Strategy]] = MappingProxyType(
    {strategy.name: strategy for strategy in _REGISTERED}
)
"""What makes each strategy, by name; the arguments are its options."""


INNER = "inner"
"""The option of a fidelity schedule that names the strategy whose proposals it schedules."""


def make_strategy(name: str, **options: Any) -> Strategy:
    """Make a strategy by name.

    Args:
        name: one of ``STRATEGIES``.
        **options: the fields of that strategy, see its class. Of a fidelity schedule, ``inner`` is another
            strategy, or its name; then ``inner.NAME`` are the options of that one.

    Raises:
        ConfigError: if the name or an option is unknown, or an option's value is wrong.

    >>> make_strategy("grid", distinct="flat")
    Grid(distinct='flat')
    >>> make_strategy("asha", inner="grid", **{"inner.distinct": "flat"}).inner
    Grid(distinct='flat')
    """
    if name not in STRATEGIES:
        raise ConfigError(f"strategy: expected one of {', '.join(STRATEGIES)}, got {name!r}")
    make = STRATEGIES[name]
    known = _fields(make)
    if INNER in known:
        options = _with_inner(name, options)
    for option in options:
        if option not in known:
            expected = ", ".join(known) or "(it has none)"
            more = f", or {INNER}.NAME for those of the inner strategy" if INNER in known else ""
            raise ConfigError(f"strategy {name}: expected options {expected}{more}, got {option!r}")
    return make(**options)


def options_of(strategy: Strategy) -> dict[str, Any]:
    """The options with which ``make_strategy`` makes a strategy again, as values that JSON has.

    >>> options_of(make_strategy("random"))
    {'distinct': None}
    """
    found: dict[str, Any] = {}
    for name in _fields(strategy):
        value = getattr(strategy, name)
        if name == INNER:
            found |= {name: value.name, **{f"{INNER}.{n}": v for n, v in options_of(value).items()}}
        else:
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


def _fields(strategy: Any) -> list[str]:
    return [field.name for field in fields(strategy)]


def _with_inner(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a schedule, with those of the inner strategy made into one."""
    prefix = f"{INNER}."
    own = {option: value for option, value in options.items() if not option.startswith(prefix)}
    nested = {option.removeprefix(prefix): options[option] for option in options if option not in own}
    inner = own.get(INNER, "random")
    if not isinstance(inner, str):
        if nested or isinstance(inner, int | float | list | dict | None):
            raise ConfigError(f"{name}.{INNER}: expected the name of a strategy, got {inner!r}")
        return own
    alone = [other for other, make in STRATEGIES.items() if INNER not in _fields(make)]
    if inner not in alone:
        raise ConfigError(
            f"{name}.{INNER}: expected a strategy that leaves the fidelity to the schedule, one of "
            f"{', '.join(alone)}, got {inner!r}"
        )
    try:
        return {**own, INNER: make_strategy(inner, **nested)}
    except ConfigError as error:
        raise ConfigError(f"{name}.{INNER}: {error}") from None
