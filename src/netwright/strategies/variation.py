"""Parts of strategies that vary networks: children of parents, and fresh ones where none is to be had."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from netwright.space import Architecture, FittingArchitectures, fits, mutate
from netwright.space.crossover import cross
from netwright.strategies.candidates import Known
from netwright.strategies.population import Member
from netwright.trial import Proposal

MUTATIONS = 100
"""Children of the same parents that are tried before a network is drawn at random instead."""

DRAWS = 200
"""Random networks in a row that may all be known before the search ends, where none is to come twice."""


def bred(
    candidates: FittingArchitectures,
    select: Callable[[], Member],
    probability: float,
    rng: np.random.Generator,
    *,
    number: int,
    excluded: Collection[Architecture],
    known: Known,
) -> Proposal | None:
    """Propose a child of selected parents that fits and is new.

    With a probability there are two parents, which are crossed; otherwise there is one. Either way one
    decision is then mutated, so that the child of two equal parents differs from them.

    Args:
        candidates: the architectures that fit.
        select: gives a parent.
        probability: of crossover.
        rng: the generator to draw from.
        number: of the proposal.
        excluded: architectures that are not new.
        known: networks that are not new.

    Returns:
        The proposal, whose parent is the first one; None if ``MUTATIONS`` children of these parents are all
        too large or not new.
    """
    if candidates.upper == 1:
        return None  # the parent is the only network there is
    space, budget = candidates.space, dict(candidates.limits)
    parent = select()
    # Without crossover nothing more is drawn: the search is what it is without this option.
    other = select() if probability and rng.random() < probability else None
    for _ in range(MUTATIONS):
        child = parent.architecture
        if other is not None:
            child = cross(space, child, other.architecture, rng)
        child = mutate(space, child, rng)
        if child in excluded or (budget and not fits(space, child, budget)):
            continue
        if known.key(space, child) not in known.keys:
            return Proposal(number, child, parent=parent.number)
    return None


def drawn(
    candidates: FittingArchitectures, rng: np.random.Generator, *, number: int, known: Known
) -> Proposal | None:
    """Propose a network that is drawn uniformly from what fits; None if ``DRAWS`` in a row are known.

    Raises:
        BudgetError: if practically nothing fits.
    """
    for _ in range(DRAWS):
        architecture = candidates.sample(rng)
        if known.key(candidates.space, architecture) not in known.keys:
            return Proposal(number, architecture)
    return None
