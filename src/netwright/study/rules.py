"""The rules that every search keeps, whether it has a store or only a memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from typing import Any

import numpy as np

from netwright.seeding import rng_for
from netwright.space.architecture import Architecture
from netwright.trial import Metric, Proposal, Strategy

ATTEMPTS = 50
"""How often a strategy is asked for an architecture that it has not proposed before."""

Seen = Container[tuple[Architecture, float]]
"""Architectures, each with the fidelity that it was proposed at."""


def ask(
    strategy: Strategy,
    state: Any,
    seed: int,
    number: int,
    seen: Seen,
    check: Callable[[Proposal], None] | None = None,
    stream: Callable[..., np.random.Generator] = rng_for,
) -> Proposal | None:
    """Ask a strategy for a proposal, and again while it repeats itself.

    If it proposes an architecture that an earlier proposal had, at the same fidelity, it is asked again with
    the generator of the next attempt, ``ATTEMPTS`` times in all; then the duplicate is taken.

    Args:
        strategy: who proposes.
        state: its state.
        seed: of the search.
        number: of the proposal.
        seen: what was proposed before.
        check: raises if a proposal is not allowed.
        stream: makes the generators; ``rng_for``, or ``netwright.seeding.Streams``, which is faster.

    Returns:
        The proposal, or None if the strategy has nothing left to propose.
    """
    proposal = None
    for attempt in range(ATTEMPTS):
        proposal = strategy.propose(state, stream(seed, "propose", number, attempt), number)
        if proposal is None:
            return None
        if check is not None:
            check(proposal)
        if (proposal.architecture, proposal.fidelity) not in seen:
            break
    return proposal


def fault_of(metrics: Mapping[str, float], objective: Metric) -> str | None:
    """Say why metrics are no result, or None if they are one.

    >>> accuracy = Metric("accuracy", "share", "maximize")
    >>> fault_of({"loss": 0.5}, accuracy)
    "the objective accuracy is missing; the estimator returned ['loss']"
    >>> fault_of({"accuracy": float("nan")}, accuracy)
    'metric accuracy: expected a finite number, got nan'
    """
    if objective.name not in metrics:
        return f"the objective {objective.name} is missing; the estimator returned {sorted(metrics)}"
    for name, value in metrics.items():
        if not math.isfinite(value):
            return f"metric {name}: expected a finite number, got {value}"
    return None
