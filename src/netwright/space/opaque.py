"""Estimates about spaces of which nothing exact is known, from samples and with how sure they are.

An opaque space is any object with ``id``, ``decisions`` and ``to_graph``; its architectures are all
combinations of its decisions that ``to_graph`` accepts. Combinations are drawn uniformly, and each is built
and counted. The same functions answer for spaces made from expressions where an exact answer would take too
much; those are drawn uniformly by rank.

Nothing here is a bound in the sense of ``Count``: an interval holds the truth with the stated confidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import log, prod, sqrt

import numpy as np

from netwright.errors import BudgetError, GraphError, SpaceError
from netwright.ir.cost import COSTS, cost
from netwright.ir.memory import MemoryModel
from netwright.seeding import integer_below, rng_for
from netwright.space.architecture import Architecture
from netwright.space.compile import ExpressionSpace, SearchSpace
from netwright.space.counting import Budget, Extreme, costs_of, size, unrank

SAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number estimated from samples; not a ``Count``, whose bounds are certain.

    Attributes:
        value: the best guess.
        lower: lower end of the interval.
        upper: upper end of the interval.
        confidence: probability, over the draws, that the interval holds the truth; 1 if it is known.
        samples: number of draws.
    """

    value: float
    lower: float
    upper: float
    confidence: float
    samples: int


@dataclass(frozen=True, slots=True)
class EstimatedDistribution:
    """The distribution of a cost, estimated from samples.

    Attributes:
        metric: the cost.
        values: the values seen, ascending, each once.
        shares: share of the samples with at most that value.
        reach: the true share of architectures with at most x is within ``reach`` of the share of samples, for
            all x at once, with the stated confidence [Massart 1990, doi:10.1214/aop/1176990746].
        confidence: probability, over the draws, that this holds.
        samples: number of architectures looked at.
    """

    metric: str
    values: tuple[int, ...]
    shares: tuple[float, ...]
    reach: float
    confidence: float
    samples: int

    @property
    def lower(self) -> tuple[float, ...]:
        """Lower end of the band at each value."""
        return tuple(max(share - self.reach, 0.0) for share in self.shares)

    @property
    def upper(self) -> tuple[float, ...]:
        """Upper end of the band at each value."""
        return tuple(min(share + self.reach, 1.0) for share in self.shares)


@dataclass(frozen=True, slots=True)
class SeenExtremes:
    """The smallest and the largest value among samples; the space may well have smaller and larger ones.

    Attributes:
        smallest_seen: the smallest.
        largest_seen: the largest.
        share_beyond: at most this share of the architectures is smaller than ``smallest_seen``, with the
            stated confidence; and at most this share is larger than ``largest_seen``, likewise.
        confidence: probability, over the draws, of each of the two statements.
        samples: number of architectures looked at.
    """

    smallest_seen: Extreme
    largest_seen: Extreme
    share_beyond: float
    confidence: float
    samples: int


def estimate_size(
    space: SearchSpace, samples: int = SAMPLES, seed: int = 0, confidence: float = 0.95
) -> Estimate:
    """Number of architectures: that of the combinations, times the share of them that are architectures.

    Args:
        space: an opaque space; of a space made from an expression the size is known and given as it is.
        samples: number of draws.
        seed: of the draws.
        confidence: of the interval [Clopper & Pearson 1934, doi:10.1093/biomet/26.4.404].

    Raises:
        SpaceError: if samples or confidence make no sense.
    """
    _check(space, samples, confidence)
    if isinstance(space, ExpressionSpace):
        known = float(size(space))
        return Estimate(known, known, known, 1.0, 0)
    hits = sum(architecture is not None for architecture, _ in _looks(space, samples, seed, _built(space)))
    return _share_of(_combinations(space), hits, samples, confidence)


def estimate_count(
    space: SearchSpace,
    budget: Budget,
    samples: int = SAMPLES,
    seed: int = 0,
    confidence: float = 0.95,
    *,
    dtype: str = "int8",
    memory_model: MemoryModel = "standard",
) -> Estimate:
    """How many architectures fit a budget.

    Args:
        space: an opaque space, or one made from an expression.
        budget: inclusive upper limits by cost.
        samples: number of draws; each is built and counted.
        seed: of the draws.
        confidence: of the interval, see ``estimate_size``.
        dtype: number format of an opaque space; an expression has its own.
        memory_model: likewise.

    Raises:
        SpaceError: if samples or confidence make no sense.
        BudgetError: if the budget names an unknown cost.
    """
    _check(space, samples, confidence, *budget)
    found = _looks(space, samples, seed, _counted(space, dtype, memory_model))
    hits = sum(
        architecture is not None and all(costs[name] <= limit for name, limit in budget.items())
        for architecture, costs in found
    )
    total = size(space) if isinstance(space, ExpressionSpace) else _combinations(space)
    return _share_of(total, hits, samples, confidence)


def estimate_distribution(
    space: SearchSpace,
    metric: str,
    budget: Budget | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
    confidence: float = 0.95,
    *,
    dtype: str = "int8",
    memory_model: MemoryModel = "standard",
) -> EstimatedDistribution:
    """The distribution of a cost over the architectures, or over those that fit a budget.

    Args:
        space: an opaque space, or one made from an expression.
        metric: one of ``netwright.ir.cost.COSTS``, or of ``space.costs``.
        budget: inclusive upper limits by cost, or None.
        samples: number of draws; those that are no architectures or do not fit tell nothing.
        seed: of the draws.
        confidence: of the band.
        dtype: number format of an opaque space; an expression has its own.
        memory_model: likewise.

    Raises:
        SpaceError: if samples or confidence make no sense, or no draw is an architecture that fits.
        BudgetError: if a cost is unknown.
    """
    seen = _seen(space, metric, budget, samples, seed, confidence, _counted(space, dtype, memory_model))
    values, counts = np.unique([value for value, _ in seen], return_counts=True)
    return EstimatedDistribution(
        metric,
        tuple(values.tolist()),
        tuple((np.cumsum(counts) / len(seen)).tolist()),
        sqrt(log(2 / (1 - confidence)) / (2 * len(seen))),
        confidence,
        len(seen),
    )


def estimate_extremes(
    space: SearchSpace,
    metric: str,
    budget: Budget | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
    confidence: float = 0.95,
    *,
    dtype: str = "int8",
    memory_model: MemoryModel = "standard",
) -> SeenExtremes:
    """The smallest and largest value of a cost *seen*, and how much of the space may lie beyond them.

    Of n architectures drawn, none is below the smallest seen; were more than a share p of all below it, that
    would have a probability of less than (1 - p)^n.

    Args:
        space: an opaque space, or one made from an expression.
        metric: one of ``netwright.ir.cost.COSTS``, or of ``space.costs``.
        budget: inclusive upper limits by cost, or None.
        samples: number of draws; those that are no architectures or do not fit tell nothing.
        seed: of the draws.
        confidence: of each of the two shares.
        dtype: number format of an opaque space; an expression has its own.
        memory_model: likewise.

    Raises:
        SpaceError: if samples or confidence make no sense, or no draw is an architecture that fits.
        BudgetError: if a cost is unknown.
    """
    seen = _seen(space, metric, budget, samples, seed, confidence, _counted(space, dtype, memory_model))
    least, most = min(seen, key=lambda one: one[0]), max(seen, key=lambda one: one[0])
    share = 1 - (1 - confidence) ** (1 / len(seen))
    return SeenExtremes(Extreme(*least), Extreme(*most), share, confidence, len(seen))


def share_interval(hits: int, draws: int, confidence: float) -> tuple[float, float]:
    """The interval of a share [Clopper & Pearson 1934, doi:10.1093/biomet/26.4.404], never too short.

    Args:
        hits: how many of the draws were hits.
        draws: number of draws.
        confidence: probability that the interval holds the true share, at least.

    >>> [round(bound, 4) for bound in share_interval(0, 10, 0.95)]
    [0.0, 0.3085]
    """
    tail = (1 - confidence) / 2
    weights = _log_binomials(draws)
    lower, upper = 0.0, 1.0
    if hits > 0:
        lower = _crossing(lambda p: 1 - _at_most(hits - 1, weights, p) < tail)
    if hits < draws:
        upper = _crossing(lambda p: _at_most(hits, weights, p) > tail)
    return lower, upper


def _log_binomials(draws: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Logarithms of the binomial coefficients of ``draws`` over 0, 1 ... draws."""
    k = np.arange(draws, dtype=np.float64)
    return np.concatenate([[0.0], np.cumsum(np.log((draws - k) / (k + 1)))])


def _at_most(hits: int, weights: np.ndarray[tuple[int], np.dtype[np.float64]], share: float) -> float:
    """Probability of at most so many hits."""
    k = np.arange(len(weights))
    return float(
        np.exp(weights + k * log(share) + (len(weights) - 1 - k) * np.log1p(-share))[: hits + 1].sum()
    )


def _crossing(before: Callable[[float], bool]) -> float:
    """Where a condition that holds from 0 on ceases to hold, by halving."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if before(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _share_of(total: int, hits: int, samples: int, confidence: float) -> Estimate:
    lower, upper = share_interval(hits, samples, confidence)
    return Estimate(total * (hits / samples), total * lower, total * upper, confidence, samples)


def _check(space: SearchSpace, samples: int, confidence: float, *metrics: str) -> None:
    if samples < 1:
        raise SpaceError(f"samples: expected at least 1, got {samples}")
    if not 0 < confidence < 1:
        raise SpaceError(f"confidence: expected more than 0 and less than 1, got {confidence}")
    known = space.costs if isinstance(space, ExpressionSpace) else COSTS
    for metric in metrics:
        if metric not in known:
            raise BudgetError(f"estimate: expected some of {known}, got {metric!r}")


def _seen(
    space: SearchSpace,
    metric: str,
    budget: Budget | None,
    samples: int,
    seed: int,
    confidence: float,
    costs_of: _Costs,
) -> list[tuple[int, Architecture]]:
    """The value of every draw that is an architecture and fits."""
    limits = dict(budget or {})
    _check(space, samples, confidence, metric, *limits)
    seen = [
        (costs[metric], architecture)
        for architecture, costs in _looks(space, samples, seed, costs_of)
        if architecture is not None and all(costs[name] <= limit for name, limit in limits.items())
    ]
    if not seen:
        _, upper = share_interval(0, samples, confidence)
        raise SpaceError(
            f"{space.id}: none of {samples} draws is an architecture that fits, so at most {upper:.2%} of "
            f"all are (confidence {confidence}); draw more samples or raise the budget"
        )
    return seen


_Costs = Callable[[Architecture], dict[str, int]]
"""Builds an architecture and may count it; raises SpaceError or GraphError if it is no member."""


def _built(space: SearchSpace) -> _Costs:
    def build(architecture: Architecture) -> dict[str, int]:
        space.to_graph(architecture)
        return {}

    return build


def _counted(space: SearchSpace, dtype: str, memory_model: MemoryModel) -> _Costs:
    if isinstance(space, ExpressionSpace):
        return partial(costs_of, space)
    return lambda architecture: cost(
        space.to_graph(architecture), dtype=dtype, memory_model=memory_model
    ).totals()


def _combinations(space: SearchSpace) -> int:
    return prod(len(decision.options) for decision in space.decisions)


def _looks(
    space: SearchSpace, samples: int, seed: int, costs_of: _Costs
) -> Iterator[tuple[Architecture | None, dict[str, int]]]:
    """Draws with their costs; None for a combination that is no architecture."""
    rng = rng_for(seed, "estimate")
    for _ in range(samples):
        architecture = _drawn(space, rng)
        try:
            costs = costs_of(architecture)
        except (SpaceError, GraphError):
            if isinstance(space, ExpressionSpace):
                raise
            yield None, {}
        else:
            yield architecture, costs


def _drawn(space: SearchSpace, rng: np.random.Generator) -> Architecture:
    if isinstance(space, ExpressionSpace):
        return unrank(space, integer_below(rng, size(space)))
    return Architecture(
        space.id,
        tuple(
            (decision.name, decision.options[int(rng.integers(len(decision.options)))])
            for decision in space.decisions
        ),
    )
