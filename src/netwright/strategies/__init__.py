"""Search strategies: they propose architectures from the trials so far."""

from netwright.space.permutation import Permutation
from netwright.strategies.evolution import Evolution
from netwright.strategies.fidelity import AtFidelity
from netwright.strategies.grid import Grid
from netwright.strategies.listed import Listed
from netwright.strategies.local_search import LocalSearch
from netwright.strategies.nsga2 import NSGA2
from netwright.strategies.random_search import RandomSearch
from netwright.strategies.registry import STRATEGIES, make_strategy

__all__ = [
    "NSGA2",
    "STRATEGIES",
    "AtFidelity",
    "Evolution",
    "Grid",
    "Listed",
    "LocalSearch",
    "Permutation",
    "RandomSearch",
    "make_strategy",
]
