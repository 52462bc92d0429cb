"""Why nothing fits a budget, in the units and words of those who set it."""

from __future__ import annotations

from contextlib import suppress

from netwright.devices import Budget, Limit, format_cost
from netwright.errors import BudgetError, SpaceError
from netwright.space import ExpressionSpace, extremes, size, smallest

_NOUNS = {
    "macs": "MACs",
    "params": "parameters",
    "weight_bytes": "of weights",
    "peak_activation_bytes": "of activations",
}
_MEMORIES = {"weight_bytes": "flash", "peak_activation_bytes": "SRAM"}


def why_nothing_fits(space: ExpressionSpace, budget: Budget) -> str:
    r"""Say in one sentence what the smallest network needs and what the budget is.

    Args:
        space: a space of which no architecture fits.
        budget: the limits.

    >>> from netwright.devices import budget_for
    >>> from netwright.spaces import mobilenet_tiny
    >>> budget = budget_for(max_sram="2KB", sram_margin=0.5)
    >>> print(why_nothing_fits(mobilenet_tiny((1, 8, 8), 10), budget).replace(", the", ",\nthe"))
    nothing fits: the smallest of the 269,105,556,096 networks of mobilenet-tiny needs 1.5 KB of activations,
    the budget is 1 KB (max_sram: SRAM 2 KB - 1 KB kept for the runtime)
    """
    networks = f"the {size(space):,} networks of {space.name}"
    alone = [
        _against(limit, least)
        for limit in budget.limits
        if (least := smallest(space, limit.metric)) > limit.limit
    ]
    if alone:
        return f"nothing fits: the smallest of {networks} needs " + "; and ".join(alone)
    together = []
    for limit in budget.limits:
        others = {metric: bound for metric, bound in budget.items() if metric != limit.metric}
        # What cannot be said of this cost (too many trade-offs, or the others contradict each other) is left
        # out: that nothing fits is certain all the same.
        with suppress(BudgetError, SpaceError):
            together.append(_against(limit, extremes(space, limit.metric, others).smallest.value))
    story = f"nothing fits: some of {networks} keep each limit alone, none keeps all"
    if not together:
        return f"{story} ({'; '.join(budget.explain())})"
    return f"{story}: the smallest within the other limits needs " + "; and ".join(together)


def _against(limit: Limit, least: int) -> str:
    needed, allowed = (format_cost(limit.metric, value, exact=False) for value in (least, limit.limit))
    if needed == allowed:  # rounded, they read as equal
        needed, allowed = f"{least:,}", f"{limit.limit:,}"
        unit = " bytes" if limit.metric in _MEMORIES else ""
        needed, allowed = needed + unit, allowed + unit
    return f"{needed} {_NOUNS[limit.metric]}, the budget is {allowed} ({_origin(limit)})"


def _origin(limit: Limit) -> str:
    if limit.memory_bytes is None:
        return limit.origin
    size, kept = (
        format_cost(limit.metric, value, exact=False)
        for value in (limit.memory_bytes, limit.memory_bytes - limit.limit)
    )
    return f"{limit.origin}: {_MEMORIES[limit.metric]} {size} - {kept} kept for the runtime"
