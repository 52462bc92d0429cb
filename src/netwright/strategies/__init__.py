"""Search strategies: they propose architectures from the trials so far."""

from netwright.space.permutation import Permutation
from netwright.strategies.annealing import Annealing
from netwright.strategies.asha import ASHA
from netwright.strategies.auto import Auto
from netwright.strategies.bananas import Bananas
from netwright.strategies.cma_es import CMAES
from netwright.strategies.evolution import Evolution
from netwright.strategies.fidelity import AtFidelity
from netwright.strategies.gaussian_process import GaussianProcess
from netwright.strategies.grid import Grid
from netwright.strategies.hyperband import Hyperband
from netwright.strategies.listed import Listed
from netwright.strategies.local_search import LocalSearch
from netwright.strategies.nsga2 import NSGA2
from netwright.strategies.optuna_samplers import TPE, OptunaGP
from netwright.strategies.random_search import RandomSearch
from netwright.strategies.registry import STRATEGIES, make_strategy, options_of
from netwright.strategies.reinforce import Reinforce
from netwright.strategies.successive_halving import SuccessiveHalving

__all__ = [
    "ASHA",
    "CMAES",
    "NSGA2",
    "STRATEGIES",
    "TPE",
    "Annealing",
    "AtFidelity",
    "Auto",
    "Bananas",
    "Evolution",
    "GaussianProcess",
    "Grid",
    "Hyperband",
    "Listed",
    "LocalSearch",
    "OptunaGP",
    "Permutation",
    "RandomSearch",
    "Reinforce",
    "SuccessiveHalving",
    "make_strategy",
    "options_of",
]
