"""Optuna's samplers as strategies: the tree-structured Parzen estimator and the Gaussian process.

A proposal is a walk through the decisions in the order of the network: each decision that is met is asked of
the sampler, as a category, so that decisions that are not active are never asked for. The sampler is made
afresh for every proposal, with a seed from the proposal's generator, and sees the trials so far through a
study in memory, see ``netwright.strategies.optuna_study``.

Samplers know no budget, nor that in a trellis a level may be out of reach. Where no network that fits has the
option that a sampler chooses, one of the options with which some network does is drawn instead. What does not
fit is not evaluated, and not learned from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np

from netwright.space import Architecture, ExpressionSpace, FittingArchitectures
from netwright.strategies.candidates import candidates_in, check_count
from netwright.trial import Metric, Objectives, Proposal, Trial, score_of, single_objective


@dataclass(frozen=True, slots=True)
class SamplerState:
    """What a sampler knows after some trials.

    Attributes:
        candidates: the architectures that fit.
        objective: what is optimised.
        trials: as Optuna has them, in order; they are never changed.
        scores: how many of them have a score.
    """

    candidates: FittingArchitectures = field(compare=False)
    objective: Metric
    trials: tuple[Any, ...] = ()
    scores: int = 0

    @property
    def space(self) -> ExpressionSpace:
        """The space."""
        return self.candidates.space


def _init(strategy: str, space: Any, budget: Mapping[str, int], objectives: Objectives) -> SamplerState:
    objective = single_objective(strategy, objectives)
    return SamplerState(candidates_in(space, budget), objective)


def _update(state: SamplerState, trial: Trial) -> SamplerState:
    from netwright.strategies.optuna_study import finished_trial

    score = score_of(trial, state.objective)
    one = finished_trial(state.space, trial.proposal.architecture, score, len(state.trials))
    return replace(state, trials=(*state.trials, one), scores=state.scores + (score is not None))


def _propose(
    sampler: Literal["tpe", "gp"], startup: int, state: SamplerState, rng: np.random.Generator, number: int
) -> Proposal:
    architecture = _asked(sampler, startup, state, rng) if state.scores >= startup else None
    return Proposal(number, state.candidates.sample(rng) if architecture is None else architecture)


def _asked(
    sampler: Literal["tpe", "gp"], startup: int, state: SamplerState, rng: np.random.Generator
) -> Architecture | None:
    """What a sampler chooses, decision by decision along the network, made to fit."""
    from netwright.strategies import optuna_study

    make = optuna_study.tpe if sampler == "tpe" else optuna_study.gaussian_process
    trial = optuna_study.asked(state.trials, make(int(rng.integers(2**31)), startup))
    options, decisions = optuna_study.options_of(state.space), state.space.decisions

    def choose(decision: int, open_options: Sequence[int]) -> int:
        name = decisions[decision].name
        chosen = options[name].index(optuna_study.suggest(trial, name, options[name]))
        return chosen if chosen in open_options else open_options[int(rng.integers(len(open_options)))]

    return state.candidates.draw(choose)


@dataclass(frozen=True, slots=True)
class TPE:
    """Optuna's tree-structured Parzen estimator [Bergstra et al. 2011, section 4].

    The first ``initial`` networks are drawn uniformly from what fits, not decision by decision as in Optuna.
    The rest is Optuna's, with its defaults [Watanabe 2023, arXiv:2304.11127].

    Attributes:
        initial: random networks before the sampler is asked, at least 1.
    """

    name: ClassVar[str] = "tpe"

    initial: int = 10

    def __post_init__(self) -> None:
        """Check the option.

        Raises:
            ConfigError: if it is not a positive integer.
        """
        check_count(self.name, "initial", self.initial)

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> SamplerState:
        """Start without trials.

        Raises:
            SpaceError: if the space is not made from an expression.
            BudgetError: if nothing fits.
            ConfigError: if there are several objectives.
        """
        return _init(self.name, space, budget, objectives)

    def update(self, state: SamplerState, trial: Trial) -> SamplerState:
        """Add a trial to those that the sampler sees.

        Raises:
            StudyError: if a complete trial lacks the objective.
        """
        return _update(state, trial)

    def propose(self, state: SamplerState, rng: np.random.Generator, number: int) -> Proposal:
        """The sampler's next network, made to fit.

        Raises:
            BudgetError: if a random network is needed and practically nothing fits.
        """
        return _propose("tpe", self.initial, state, rng, number)


@dataclass(frozen=True, slots=True)
class OptunaGP:
    """Optuna's sampler with a Gaussian process; it takes torch, and a part of a second for each proposal.

    It models the decisions that all trials so far have in common; those that some network lacks are drawn at
    random, as Optuna does with conditional parameters. The first ``initial`` networks are drawn uniformly
    from what fits; so is one in place of a network that is known already, for to ask again after the same
    trials is slow and mostly gives the same answer.

    Attributes:
        initial: random networks before the sampler is asked, at least 1.
    """

    name: ClassVar[str] = "optuna-gp"

    initial: int = 10

    def __post_init__(self) -> None:
        """Check the option.

        Raises:
            ConfigError: if it is not a positive integer.
        """
        check_count(self.name, "initial", self.initial)

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> SamplerState:
        """Start without trials.

        Raises:
            SpaceError: if the space is not made from an expression.
            BudgetError: if nothing fits.
            ConfigError: if there are several objectives.
        """
        return _init(self.name, space, budget, objectives)

    def update(self, state: SamplerState, trial: Trial) -> SamplerState:
        """Add a trial to those that the sampler sees.

        Raises:
            StudyError: if a complete trial lacks the objective.
        """
        return _update(state, trial)

    def propose(self, state: SamplerState, rng: np.random.Generator, number: int) -> Proposal:
        """The sampler's next network, made to fit.

        Raises:
            BudgetError: if a random network is needed and practically nothing fits.
        """
        proposal = _propose("gp", self.initial, state, rng, number)
        choices = dict(proposal.architecture.choices)
        if all(trial.params != choices for trial in state.trials):
            return proposal
        return Proposal(number, state.candidates.sample(rng))
