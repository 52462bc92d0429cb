"""The architectures that a strategy may propose: those of its space that fit its budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netwright.errors import BudgetError, SpaceError
from netwright.space import (
    Architecture,
    ExpressionSpace,
    FittingArchitectures,
    costs_of,
    fitting,
    why_nothing_fits,
)


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


def fits(space: ExpressionSpace, architecture: Architecture, budget: Mapping[str, int]) -> bool:
    """Whether the costs of an architecture are within a budget."""
    costs = costs_of(space, architecture)
    return all(costs[metric] <= limit for metric, limit in budget.items())
