"""Search spaces as expressions, and exact answers about all of their architectures."""

from netwright.space.architecture import Architecture, Value
from netwright.space.canonical_forms import canonical
from netwright.space.cell_grammar import cell, choose, each, five_steps
from netwright.space.cell_stack import cells
from netwright.space.compile import ExpressionSpace, SearchSpace, compile_space
from netwright.space.counting import (
    Count,
    Extreme,
    Extremes,
    FittingArchitectures,
    count,
    extremes,
    fitting,
    sample,
)
from netwright.space.crossover import cross
from netwright.space.distributions import Distribution, distribution
from netwright.space.drawing import draw_rows, sample_per_decision, without_replacement
from netwright.space.encoding import costs, decode, encode, row_costs
from netwright.space.expression import choice, derived, place, repeat, sequential
from netwright.space.members import Budget, costs_of, every_cost_of, fits, iterate, rank, size, unrank
from netwright.space.opaque import (
    Estimate,
    EstimatedDistribution,
    SeenExtremes,
    estimate_count,
    estimate_distribution,
    estimate_extremes,
    estimate_size,
)
from netwright.space.program import Decision
from netwright.space.settling import named_choices, settle
from netwright.space.shortfall import shortfalls, smallest, why_nothing_fits
from netwright.space.topology import trellis
from netwright.space.variation import Neighbourhood, mutate, neighbours

__all__ = [
    "Architecture",
    "Budget",
    "Count",
    "Decision",
    "Distribution",
    "Estimate",
    "EstimatedDistribution",
    "ExpressionSpace",
    "Extreme",
    "Extremes",
    "FittingArchitectures",
    "Neighbourhood",
    "SearchSpace",
    "SeenExtremes",
    "Value",
    "canonical",
    "cell",
    "cells",
    "choice",
    "choose",
    "compile_space",
    "costs",
    "costs_of",
    "count",
    "cross",
    "decode",
    "derived",
    "distribution",
    "draw_rows",
    "each",
    "encode",
    "estimate_count",
    "estimate_distribution",
    "estimate_extremes",
    "estimate_size",
    "every_cost_of",
    "extremes",
    "fits",
    "fitting",
    "five_steps",
    "iterate",
    "mutate",
    "named_choices",
    "neighbours",
    "place",
    "rank",
    "repeat",
    "row_costs",
    "sample",
    "sample_per_decision",
    "sequential",
    "settle",
    "shortfalls",
    "size",
    "smallest",
    "trellis",
    "unrank",
    "why_nothing_fits",
    "without_replacement",
]
