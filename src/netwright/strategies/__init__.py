"""Search strategies: they propose architectures from the trials so far."""

from netwright.strategies.evolution import Evolution
from netwright.strategies.permutation import Permutation
from netwright.strategies.random_search import RandomSearch
from netwright.strategies.registry import STRATEGIES, make_strategy

__all__ = ["STRATEGIES", "Evolution", "Permutation", "RandomSearch", "make_strategy"]
