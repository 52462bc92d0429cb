"""The architectures that a strategy may propose: those of its space that fit, and perhaps none twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from netwright.errors import BudgetError, ConfigError, SpaceError
from netwright.space import (
    Architecture,
    ExpressionSpace,
    FittingArchitectures,
    fitting,
    why_nothing_fits,
)
from netwright.space.canonical_forms import Rule, canonical


def candidates_in(space: Any, budget: Mapping[str, int]) -> FittingArchitectures:
    """Index the architectures of a space that fit a budget.

    Args:
        space: a space made from an expression.
        budget: inclusive upper limits by cost; empty for none.

    Raises:
        SpaceError: if the space is opaque, so that it cannot be told what fits.
        BudgetError: if nothing fits.
    """
    if not isinstance(space, ExpressionSpace):
        raise SpaceError(
            f"strategy: expected a space made from an expression, got {type(space).__name__}; "
            "build it with compile_space, so that what fits the budget can be counted and drawn"
        )
    candidates = fitting(space, budget)
    if not candidates.upper:
        raise BudgetError(why_nothing_fits(space, budget))
    return candidates


@dataclass(frozen=True, slots=True)
class Known:
    """The networks that have been proposed, for strategies that propose none twice.

    A network is known by its canonical form, so that another drawing of it is not paid for again. Without a
    rule nothing is remembered, and everything is new.

    Attributes:
        rule: which drawings are one network, see ``netwright.ir.canonical.Rule``; None for no rule.
        keys: canonical forms.
    """

    rule: Rule | None = None
    keys: frozenset[str] = frozenset()

    def key(self, space: ExpressionSpace, architecture: Architecture) -> str | None:
        """The canonical form of an architecture; None without a rule."""
        return None if self.rule is None else canonical(space, architecture, self.rule)

    def adding(self, key: str | None) -> Known:
        """These and one more."""
        return self if key is None or key in self.keys else replace(self, keys=self.keys | {key})


def check_distinct(strategy: str, rule: Rule | None) -> None:
    """Check the option ``distinct`` of a strategy.

    Raises:
        ConfigError: if it is neither None nor the name of a rule.
    """
    if rule is not None and rule not in get_args(Rule):
        raise ConfigError(
            f"{strategy}.distinct: expected one of {', '.join(get_args(Rule))}, or None, got {rule!r}"
        )


def check_count(strategy: str, option: str, value: object) -> None:
    """Check an option of a strategy that is a number of things.

    Raises:
        ConfigError: if it is not an integer of at least 1.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{strategy}.{option}: expected an integer of at least 1, got {value!r}")
