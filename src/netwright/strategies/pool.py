"""The networks among which a surrogate model chooses, and the trials that it learns from.

To describe a network costs a millisecond, so few new ones are looked at for each proposal, but all of them
are kept for a while: the pool of a search grows with its trials. It is a function of them and of the seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from netwright.seeding import rng_for
from netwright.space import Architecture, ExpressionSpace, FittingArchitectures, fits, mutate
from netwright.trial import Metric, Trial, score_of

SMALL = 256
"""Spaces of up to so many architectures are looked at as a whole."""

DRAWN, VARIED = 300, 200
"""How many random networks and variations of the best ones are kept; the newest stay."""

EARLY = 100
"""Trials after which only half as many networks come in with each: the best have been varied by then."""

BEST = 5
"""How many of the best trials are varied; the better one of two is 1 / (1 - GREED) times as likely."""

GREED = 0.4

TRIES = 3
"""Variations that are tried for each one that is wanted, since some are known or do not fit."""

DRAWS = 200
"""Random networks in a row that may all be known before the rest is looked through in order."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A trial that one can learn from; a larger score is better."""

    number: int
    architecture: Architecture
    score: float


@dataclass(frozen=True, slots=True)
class Pool:
    """What is known of the trials so far, and which networks might come next.

    Attributes:
        candidates: the architectures that fit.
        objective: what is optimised.
        seed: of the search.
        purpose: tells the random draws of this strategy from those of others.
        fresh: networks that come in with each trial, random ones and variations of the best; half as many
            when there have been ``EARLY`` trials.
        scored: the trials with a score, in the order in which they came.
        seen: the architectures of all trials.
        count: number of trials.
        drawn: random networks.
        varied: variations of good networks, with the number of the trial that they come from.
    """

    candidates: FittingArchitectures = field(compare=False)
    objective: Metric
    seed: int
    purpose: str
    fresh: tuple[int, int]
    scored: tuple[Scored, ...] = ()
    seen: frozenset[Architecture] = frozenset()
    count: int = 0
    drawn: tuple[Architecture, ...] = ()
    varied: tuple[tuple[Architecture, int], ...] = ()

    @property
    def space(self) -> ExpressionSpace:
        """The space."""
        return self.candidates.space

    @property
    def best(self) -> tuple[Scored, ...]:
        """The best trials, the best first; of equals the earlier one first."""
        return tuple(sorted(self.scored, key=lambda one: (-one.score, one.number))[:BEST])

    def open(self) -> dict[Architecture, int | None]:
        """The networks that were not tried yet, in a fixed order, and which trial each comes from."""
        found: dict[Architecture, int | None] = dict.fromkeys(self.drawn)
        found.update(self.varied)
        return {
            architecture: parent for architecture, parent in found.items() if architecture not in self.seen
        }


def start(
    candidates: FittingArchitectures, objective: Metric, seed: int, purpose: str, fresh: tuple[int, int]
) -> Pool:
    """A pool before any trial: all of a small space, or some random networks."""
    pool = Pool(candidates, objective, seed, purpose, fresh)
    if candidates.upper <= SMALL:
        everything = (candidates.at(index) for index in range(candidates.upper))
        return replace(pool, drawn=tuple(one for one in everything if one is not None))
    rng = rng_for(seed, "strategy", purpose)
    return replace(pool, drawn=tuple(candidates.sample(rng) for _ in range(DRAWN // 4)))


def grown(pool: Pool, trial: Trial) -> Pool:
    """The pool after one more trial.

    Raises:
        StudyError: if a complete trial lacks the objective.
    """
    architecture = trial.proposal.architecture
    score = score_of(trial, pool.objective)
    scored = pool.scored
    if score is not None:
        scored = (*scored, Scored(trial.number, architecture, score))
    pool = replace(pool, scored=scored, seen=pool.seen | {architecture}, count=pool.count + 1)
    if pool.candidates.upper <= SMALL:
        return pool
    rng = rng_for(pool.seed, "strategy", pool.purpose, pool.count)
    random, variations = pool.fresh if pool.count <= EARLY else (pool.fresh[0] // 2, pool.fresh[1] // 2)
    drawn = (*pool.drawn, *(pool.candidates.sample(rng) for _ in range(random)))[-DRAWN:]
    pool = replace(pool, drawn=drawn)
    return replace(pool, varied=(*pool.varied, *_variations(pool, rng, variations))[-VARIED:])


def _variations(pool: Pool, rng: np.random.Generator, wanted: int) -> Iterator[tuple[Architecture, int]]:
    """New variations of the best, each in one decision; the better a trial, the more it is varied."""
    best, budget = pool.best, dict(pool.candidates.limits)
    if not best or not wanted:
        return
    known = {architecture for architecture, _ in pool.varied}.union(pool.drawn, pool.seen)
    for _ in range(TRIES * wanted):
        parent = best[min(int(rng.geometric(GREED)) - 1, len(best) - 1)]
        child = mutate(pool.space, parent.architecture, rng)
        if child not in known and (not budget or fits(pool.space, child, budget)):
            known.add(child)
            yield child, parent.number
            wanted -= 1
            if not wanted:
                return


def unseen(pool: Pool, rng: np.random.Generator) -> Architecture | None:
    """A random network that was not tried yet, uniform over what fits; None if there is none left."""
    for _ in range(DRAWS):
        architecture = pool.candidates.sample(rng)
        if architecture not in pool.seen:
            return architecture
    for index in range(min(pool.candidates.upper, 2 * len(pool.seen) + DRAWS)):
        found = pool.candidates.at(index)
        if found is not None and found not in pool.seen:
            return found
    return None
