"""Search spaces as expressions, and exact answers about all of their architectures."""

from netwright.space.architecture import Architecture, Value
from netwright.space.compile import ExpressionSpace, SearchSpace, compile_space
from netwright.space.counting import (
    Budget,
    Count,
    Extreme,
    Extremes,
    FittingArchitectures,
    costs_of,
    count,
    extremes,
    fitting,
    iterate,
    rank,
    sample,
    size,
    smallest,
    unrank,
    why_nothing_fits,
)
from netwright.space.expression import choice, derived, place, repeat, sequential
from netwright.space.program import Decision
from netwright.space.variation import mutate, neighbours

__all__ = [
    "Architecture",
    "Budget",
    "Count",
    "Decision",
    "ExpressionSpace",
    "Extreme",
    "Extremes",
    "FittingArchitectures",
    "SearchSpace",
    "Value",
    "choice",
    "compile_space",
    "costs_of",
    "count",
    "derived",
    "extremes",
    "fitting",
    "iterate",
    "mutate",
    "neighbours",
    "place",
    "rank",
    "repeat",
    "sample",
    "sequential",
    "size",
    "smallest",
    "unrank",
    "why_nothing_fits",
]
