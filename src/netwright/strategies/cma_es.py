"""CMA-ES, where every decision is a number."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from math import log
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from netwright.errors import ConfigError
from netwright.seeding import seed_for
from netwright.space import Architecture, ExpressionSpace, FittingArchitectures, fits
from netwright.space.members import architecture_of, counting_diagram
from netwright.strategies.candidates import candidates_in
from netwright.trial import Metric, Objectives, Proposal, Trial, score_of, single_objective

ASKED = 20
"""How often the distribution is asked for a network that fits."""

WIDTH = 1 / 6
"""First standard deviation, as a share of the range, as Optuna sets it."""

Point = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CMAESState:
    """A distribution, and the generation that will move it.

    Attributes:
        candidates: the architectures that fit.
        objective: what is optimised.
        distribution: a ``cmaes.CMA``; never changed, only copies of it are.
        generation: points that were evaluated under it, with their scores.
    """

    candidates: FittingArchitectures = field(compare=False)
    objective: Metric
    distribution: Any = field(compare=False)
    generation: tuple[tuple[tuple[float, ...], float], ...] = ()

    @property
    def space(self) -> ExpressionSpace:
        """The space."""
        return self.candidates.space


@dataclass(frozen=True, slots=True)
class CMAES:
    """Covariance matrix adaptation [Hansen 2016, arXiv:1604.00772, section 4], by the package ``cmaes``.

    A decision is a number between 0 and 1, cut into equal parts for its options in rising order. So a larger
    number has to mean a larger value: spaces with decisions between things (operations, blocks) are refused.
    After as many trials as a generation has, 4 + 3 ln(decisions), the normal distribution moves.

    Deviations, since a strategy is a fold over architectures and results:

    * The distribution learns the middle of the part that a network's option stands for, not the point that
      was drawn; a decision that is not active is learned as the distribution's mean, which says nothing.
    * A generation is any such number of successful trials, also where some were proposed before the
      distribution moved last (with trials under way).
    * A network that does not fit is drawn again, ``ASKED`` times in all; then one is drawn uniformly from
      what fits.
    """

    name: ClassVar[str] = "cmaes"

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> CMAESState:
        """Start in the middle.

        Raises:
            SpaceError: if the space is not made from an expression.
            BudgetError: if nothing fits.
            ConfigError: if there are several objectives, if some decision is not between numbers, or if the
                package is not installed.
        """
        objective = single_objective(self.name, objectives)
        candidates = candidates_in(space, budget)
        for decision in space.decisions:
            if not all(isinstance(option, int | float) for option in decision.options):
                raise ConfigError(
                    f"strategy {self.name}: {decision.name}: expected options that are numbers, got "
                    f"{decision.options}; CMA-ES needs an order of the options, use another strategy such as "
                    "evolution here"
                )
        if importlib.util.find_spec("cmaes") is None:
            raise ConfigError(
                f"strategy {self.name}: expected the package cmaes, which is not installed; "
                "install it with pip install cmaes"
            )
        from cmaes import CMA

        number = max(2, len(space.decisions))  # the package wants two; a second one changes nothing
        distribution = CMA(
            mean=np.full(number, 0.5),
            sigma=WIDTH,
            bounds=np.tile([0.0, 1.0], (number, 1)),
            population_size=4 + int(3 * log(number)),
            seed=seed_for(seed, "strategy", self.name) % 2**32,
        )
        return CMAESState(candidates, objective, distribution)

    def update(self, state: CMAESState, trial: Trial) -> CMAESState:
        """Add a trial to the generation, and move the distribution when that is complete.

        Raises:
            StudyError: if a complete trial lacks the objective.
        """
        score = score_of(trial, state.objective)
        if score is None:
            return state
        point = tuple(_point(state, trial.proposal.architecture).tolist())
        generation = (*state.generation, (point, score))
        if len(generation) < state.distribution.population_size:
            return replace(state, generation=generation)
        moved = deepcopy(state.distribution)
        moved.tell([(np.array(one), -value) for one, value in generation])
        return replace(state, distribution=moved, generation=())

    def propose(self, state: CMAESState, rng: np.random.Generator, number: int) -> Proposal:
        """A network from the distribution that fits.

        Raises:
            BudgetError: if a random network is needed and practically nothing fits.
        """
        drawing = deepcopy(state.distribution)
        drawing.reseed_rng(int(rng.integers(2**32)))
        budget = dict(state.candidates.limits)
        for _ in range(ASKED):
            architecture = _architecture(state.space, drawing.ask(), rng)
            if fits(state.space, architecture, budget):
                return Proposal(number, architecture)
        return Proposal(number, state.candidates.sample(rng))


def _order(options: tuple[Any, ...]) -> list[int]:
    """Indices of options in rising order of their values."""
    return sorted(range(len(options)), key=lambda index: options[index])


def _point(state: CMAESState, architecture: Architecture) -> Point:
    point: Point = np.array(state.distribution.mean, dtype=float)
    chosen = dict(architecture.choices)
    for column, decision in enumerate(state.space.decisions):
        if decision.name in chosen:
            rank = _order(decision.options).index(decision.index(chosen[decision.name]))
            point[column] = (rank + 0.5) / len(decision.options)
    return point


def _architecture(space: ExpressionSpace, point: Point, rng: np.random.Generator) -> Architecture:
    diagram = counting_diagram(space)
    path: list[tuple[int, int]] = []
    index = diagram.root
    while (node := diagram.nodes[index]).decision >= 0:
        options = space.decisions[node.decision].options
        rank = min(int(point[node.decision] * len(options)), len(options) - 1)
        option = _order(options)[rank]
        children = {edge.option: edge.child for edge in node.edges}
        if option not in children:  # in a trellis: out of reach
            option = node.edges[int(rng.integers(len(node.edges)))].option
        path.append((node.decision, option))
        index = children[option]
    return architecture_of(space, path)
