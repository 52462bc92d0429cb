"""Estimates about spaces of which nothing exact is known, from samples and with how sure they are.

An opaque space is any object with ``id``, ``decisions`` and ``to_graph``; its architectures are all
combinations of its decisions that ``to_graph`` accepts. Combinations are drawn uniformly, and each is built
and counted. The same functions answer for spaces made from expressions where an exact answer would take too
much; those are drawn uniformly by rank.

Nothing here is a bound in the sense of ``Count``: an interval holds the truth with the stated confidence.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import log, prod, sqrt
from types import MappingProxyType

import numpy as np

from netwright.errors import BudgetError, GraphError, SpaceError, TooLargeError
from netwright.ir.cost import COSTS, cost
from netwright.ir.memory import MemoryModel
from netwright.seeding import integer_below, rng_for
from netwright.space.architecture import Architecture
from netwright.space.compile import ExpressionSpace, SearchSpace
from netwright.space.counting import Extreme, fitting
from netwright.space.deployed import limits_a_runtime, runtime_costs_of
from netwright.space.members import Budget, costs_of, keeps, size, unrank
from netwright.space.shares import share_interval

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
    found = _looks(space, samples, seed, _counted(space, dtype, memory_model, budget))
    hits = sum(architecture is not None and keeps(costs, budget) for architecture, costs in found)
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
        metric: one of ``netwright.ir.cost.COSTS``, or of ``space.limits``.
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
    count = _counted(space, dtype, memory_model, (metric, *(budget or {})))
    seen = _seen(space, metric, budget, samples, seed, confidence, count)
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
        metric: one of ``netwright.ir.cost.COSTS``, or of ``space.limits``.
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
    count = _counted(space, dtype, memory_model, (metric, *(budget or {})))
    seen = _seen(space, metric, budget, samples, seed, confidence, count)
    least, most = min(seen, key=lambda one: one[0]), max(seen, key=lambda one: one[0])
    share = 1 - (1 - confidence) ** (1 / len(seen))
    return SeenExtremes(Extreme(*least), Extreme(*most), share, confidence, len(seen))


def _share_of(total: int, hits: int, samples: int, confidence: float) -> Estimate:
    lower, upper = share_interval(hits, samples, confidence)
    return Estimate(total * (hits / samples), total * lower, total * upper, confidence, samples)


def _check(space: SearchSpace, samples: int, confidence: float, *metrics: str) -> None:
    if samples < 1:
        raise SpaceError(f"samples: expected at least 1, got {samples}")
    if not 0 < confidence < 1:
        raise SpaceError(f"confidence: expected more than 0 and less than 1, got {confidence}")
    known = space.limits if isinstance(space, ExpressionSpace) else COSTS
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
        for architecture, costs in _looks(space, samples, seed, costs_of, limits)
        if architecture is not None and metric in costs and keeps(costs, limits)
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


def _counted(
    space: SearchSpace, dtype: str, memory_model: MemoryModel, names: Collection[str] = ()
) -> _Costs:
    """What counts an architecture; ``names`` are the costs asked for, as some take longer."""
    if isinstance(space, ExpressionSpace):
        known = partial(costs_of, space)
        if not limits_a_runtime(names):
            return known
        return lambda architecture: known(architecture) | runtime_costs_of(space, architecture)
    return lambda architecture: cost(
        space.to_graph(architecture), dtype=dtype, memory_model=memory_model
    ).totals()


def _combinations(space: SearchSpace) -> int:
    return prod(len(decision.options) for decision in space.decisions)


def _looks(
    space: SearchSpace,
    samples: int,
    seed: int,
    costs_of: _Costs,
    limits: Mapping[str, int] = MappingProxyType({}),
) -> Iterator[tuple[Architecture | None, dict[str, int]]]:
    """Draws with their costs; None for a combination that is no architecture, or that does not fit.

    Under limits on what a runtime needs, draws are from those that may fit: uniform over these.
    """
    rng = rng_for(seed, "estimate")
    candidates = None
    if isinstance(space, ExpressionSpace) and limits_a_runtime(limits):
        # Where even an index takes too much, draws are from all; those that do not fit tell nothing.
        with suppress(TooLargeError):
            candidates = fitting(space, limits)
    for _ in range(samples):
        if candidates is None:
            architecture: Architecture | None = _drawn(space, rng)
        else:
            total = candidates.upper
            architecture = candidates.at(integer_below(rng, total)) if total else None
        if architecture is None:
            yield None, {}
            continue
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
