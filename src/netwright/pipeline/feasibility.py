"""Why nothing fits a budget, in the units and words of those who set it."""

from __future__ import annotations

from netwright.devices import Budget, Limit, format_cost
from netwright.ir.latency import LATENCY
from netwright.space import ExpressionSpace, shortfalls, size
from netwright.space.deployed import limits_a_runtime
from netwright.space.shortfall import nearest

NOUNS = {
    "macs": "MACs",
    "params": "parameters",
    "weight_bytes": "of weights",
    "peak_activation_bytes": "of activations",
    LATENCY: "of latency",
    "head_bytes": "of planned activations",
    "arena_bytes": "of tensor arena",
    "flash_bytes": "of model file",
}
"""What follows a number of each cost."""

_MEMORIES = {"flash_bytes": "flash", "arena_bytes": "SRAM"}


def why_nothing_fits(space: ExpressionSpace, budget: Budget) -> str:
    r"""Say in one sentence what the smallest network needs and what the budget is.

    Args:
        space: a space of which no architecture fits.
        budget: the limits.

    >>> from netwright.devices import budget_for
    >>> from netwright.spaces import mobilenet_tiny
    >>> budget = budget_for(max_sram="2KB", sram_margin=0.5)
    >>> said = why_nothing_fits(mobilenet_tiny((1, 8, 8), 10), budget)
    >>> print(said.replace(" needs", "\nneeds").replace(", the", ",\nthe"))
    nothing fits: each of the 269,105,556,096 networks of mobilenet-tiny
    needs at least 6.86 KB of tensor arena,
    the budget is 1 KB (max_sram: SRAM 2 KB - 1 KB kept for the program)
    """
    networks = f"the {size(space):,} networks of {space.name}"
    limits = {limit.metric: limit for limit in budget.limits}
    found = shortfalls(space, budget)
    needs = "; and ".join(_against(limits[one.metric], one.least) for one in found)
    if found and found[0].alone:
        # A lower bound is known of every one, the smallest among them.
        which = "the smallest" if all(one.exact for one in found) else "each"
        at_least = "" if which == "the smallest" else "at least "
        return f"nothing fits: {which} of {networks} needs {at_least}{needs}"
    if not found and limits_a_runtime(budget):
        near = nearest(space, budget)
        if near is None:
            return (
                f"nothing that fits was found among {networks}: the small ones have an output that does not "
                "depend on the input"
            )
        over = [limits[name] for name, limit in budget.items() if near.costs[name] > limit]
        needs = "; and ".join(_against(limit, near.costs[limit.metric]) for limit in over)
        return (
            f"nothing that fits was found among {networks}, although small ones and hundreds at random were "
            f"looked at: the nearest needs {needs}"
        )
    story = f"nothing fits: some of {networks} keep each limit alone, none keeps all"
    if not found:
        return f"{story} ({'; '.join(budget.explain())})"
    return f"{story}: the smallest within the other limits needs {needs}"


def _against(limit: Limit, least: int) -> str:
    needed, allowed = (format_cost(limit.metric, value, exact=False) for value in (least, limit.limit))
    if needed == allowed:  # rounded, they read as equal
        needed, allowed = f"{least:,}", f"{limit.limit:,}"
        unit = " bytes" if limit.metric.endswith("_bytes") else ""
        needed, allowed = needed + unit, allowed + unit
    return f"{needed} {NOUNS[limit.metric]}, the budget is {allowed} ({_origin(limit)})"


def _origin(limit: Limit) -> str:
    if limit.memory_bytes is None:
        return limit.origin
    size, kept = (
        format_cost(limit.metric, value, exact=False)
        for value in (limit.memory_bytes, limit.memory_bytes - limit.limit)
    )
    return f"{limit.origin}: {_MEMORIES[limit.metric]} {size} - {kept} kept for the program"
