"""REINFORCE: a recurrent controller learns which choices pay."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, ClassVar

import numpy as np

from netwright.errors import ConfigError
from netwright.seeding import rng_for
from netwright.space import Architecture, FittingArchitectures
from netwright.space.canonical_forms import Rule
from netwright.strategies.candidates import Known, candidates_in, check_distinct
from netwright.strategies.controller import Choice, Controller, Vector
from netwright.strategies.population import check_count
from netwright.strategies.variation import DRAWS, drawn
from netwright.trial import Metric, Objectives, Proposal, Trial, score_of, single_objective

BETAS = (0.9, 0.999)
"""Adam's decay of the mean and of the mean square [Kingma & Ba 2015, arXiv:1412.6980, Alg. 1]."""

EPSILON = 1e-8
"""Adam's."""

ROUNDING = 1e-9
"""Spread of the scores, as a share of a score, up to which they are taken to be equal."""


@dataclass(frozen=True, slots=True)
class Average:
    """An exponential moving average that is not drawn towards its start.

    Attributes:
        total: weighted sum of what was seen.
        weight: sum of the weights.
    """

    total: float = 0.0
    weight: float = 0.0

    def adding(self, value: float, decay: float) -> Average:
        """The average after one more value."""
        return Average(decay * self.total + (1 - decay) * value, decay * self.weight + 1 - decay)

    @property
    def value(self) -> float:
        """The average; 0 of nothing."""
        return self.total / self.weight if self.weight else 0.0


@dataclass(frozen=True, slots=True)
class ReinforceState:
    """What the controller has learned. Arrays are written once and read-only after that.

    Attributes:
        candidates: the architectures that fit the budget.
        objective: what is optimised.
        controller: the shape of the controller.
        offsets: row of the first option of every decision.
        vector: the parameters.
        mean: Adam's running mean of the gradients.
        square: Adam's running mean of their squares.
        steps: number of updates.
        baseline: of the scores.
        spread: average squared distance of the scores from the baseline.
        known: the networks of the trials, where none is to come twice.
    """

    candidates: FittingArchitectures = field(compare=False)
    objective: Metric
    controller: Controller
    offsets: tuple[int, ...]
    vector: Vector = field(compare=False)
    mean: Vector = field(compare=False)
    square: Vector = field(compare=False)
    steps: int = 0
    baseline: Average = field(default_factory=Average)
    spread: Average = field(default_factory=Average)
    known: Known = field(default_factory=Known)


@dataclass(frozen=True, slots=True)
class Reinforce:
    """REINFORCE with a recurrent controller [Zoph & Le 2017, arXiv:1611.01578, sec. 3.2; Williams 1992].

    The controller, an LSTM, settles the active decisions in the order of the network, each by a softmax over
    its options given all choices before. After every trial its parameters move along

        (score - baseline) / spread * grad log p(architecture) + entropy * grad H,

    where the baseline is a moving average of the scores before, and H the entropy of the softmaxes along the
    architecture. See ``netwright.strategies.controller`` for the network and the gradient.

    Beyond the paper:

    * Only options with which something that fits the budget can be completed have a part in a softmax, as far
      as the space can tell beforehand. A network that does not fit after all is drawn again; the gradient
      does not know of that. After ``DRAWS`` in vain, one is drawn uniformly from what fits.
    * One layer of ``hidden`` units as in NASNet [Zoph et al. 2018, arXiv:1707.07012, app. A], where the paper
      has two layers of 35; every option has an output row of its own, as decisions differ.
    * The learning rate is much larger than the papers' 0.0006, and an update is made for every trial, not for
      a batch from many workers: they trained 12,800 networks, here there are hundreds.
    * Scores are divided by their moving spread, so that learning rate and entropy mean the same for all
      objectives. The paper cubes the accuracy instead.
    * The entropy bonus is that of later work [Bello et al. 2017, arXiv:1611.09940; Zoph et al. 2018].
    * With lag L, a trial's network was drawn by parameters that are up to L - 1 updates old. It is learned
      from as if it had been drawn by the present ones, without importance weights: these would need the old
      parameters, have a large variance, and the difference of a few updates is small. The same holds for
      networks that the driver asks for again because they came before.
    * Trials that failed, or whose objective is not a number, are not learned from.

    It learns slowly: on NAS-Bench-201, CIFAR-100, 100 trials reach 72.3 % test accuracy with the defaults on
    average over 20 seeds (standard error 0.3), where random search reaches 71.3 % and evolution 72.8 %.

    A state is a function of the trials to the last bit on one machine. On another processor numpy may round
    differently in the last bit, which changes a draw only if it falls on the very edge between two options.

    Attributes:
        hidden: size of the controller's state.
        learning_rate: of Adam.
        entropy: weight of the entropy bonus; more explores longer.
        decay: of the moving averages of the scores, in [0, 1); the paper's baseline has 0.95 or so.
        distinct: which drawings are one network, see ``netwright.ir.canonical.Rule``; None for no rule.
            With a rule, no network of the history is proposed again.
    """

    name: ClassVar[str] = "reinforce"

    hidden: int = 32
    learning_rate: float = 0.02
    entropy: float = 0.02
    decay: float = 0.9
    distinct: Rule | None = None

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ConfigError: if a number is out of range, or there is no such rule.
        """
        check_count(self.name, "hidden", self.hidden)
        learning_rate, entropy, decay = map(_number, (self.learning_rate, self.entropy, self.decay))
        for option, given, good, expected in (
            ("learning_rate", self.learning_rate, 0 < learning_rate < math.inf, "above 0"),
            ("entropy", self.entropy, 0 <= entropy < math.inf, "of at least 0"),
            ("decay", self.decay, 0 <= decay < 1, "from 0 to below 1"),
        ):
            if not good:
                raise ConfigError(f"{self.name}.{option}: expected a number {expected}, got {given!r}")
        check_distinct(self.name, self.distinct)

    def init(
        self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int
    ) -> ReinforceState:
        """Start with a controller that has learned nothing; its parameters depend on the seed.

        Raises:
            SpaceError: if the space is not made from an expression.
            BudgetError: if nothing fits.
            ConfigError: if there are several objectives.
        """
        objective = single_objective(self.name, objectives)
        candidates = candidates_in(space, budget)
        counts = [len(decision.options) for decision in candidates.space.decisions]
        controller = Controller(sum(counts), self.hidden)
        return ReinforceState(
            candidates,
            objective,
            controller,
            tuple(accumulate(counts[:-1], initial=0)),
            _frozen(controller.initial(rng_for(seed, "reinforce", "controller"))),
            _frozen(np.zeros(controller.size)),
            _frozen(np.zeros(controller.size)),
            known=Known(self.distinct),
        )

    def update(self, state: ReinforceState, trial: Trial) -> ReinforceState:
        """Make a step of the controller's parameters.

        Raises:
            StudyError: if a complete trial lacks the objective.
        """
        architecture = trial.proposal.architecture
        known = state.known.adding(state.known.key(state.candidates.space, architecture))
        score = score_of(trial, state.objective)
        if score is None or not math.isfinite(score):
            return state if known is state.known else replace(state, known=known)
        baseline = state.baseline.adding(score, self.decay)
        if not state.baseline.weight:
            return replace(state, baseline=baseline, known=known)  # there is nothing to compare it with
        surprise = score - state.baseline.value
        spread = state.spread.adding(surprise**2, self.decay)
        scale = math.sqrt(spread.value)
        # Equal scores differ from their average by rounding, which is not to be blown up.
        advantage = surprise / scale if scale > ROUNDING * abs(score) else 0.0
        gradient = state.controller.gradient(
            state.vector, _choices(state, architecture), advantage, self.entropy
        )
        steps = state.steps + 1
        mean = BETAS[0] * state.mean + (1 - BETAS[0]) * gradient
        square = BETAS[1] * state.square + (1 - BETAS[1]) * gradient**2
        rate = self.learning_rate / (1 - BETAS[0] ** steps)
        vector = state.vector + rate * mean / (np.sqrt(square / (1 - BETAS[1] ** steps)) + EPSILON)
        return replace(
            state,
            vector=_frozen(vector),
            mean=_frozen(mean),
            square=_frozen(square),
            steps=steps,
            baseline=baseline,
            spread=spread,
            known=known,
        )

    def propose(self, state: ReinforceState, rng: np.random.Generator, number: int) -> Proposal | None:
        """Give a network that the controller draws.

        None where no network is to come twice and none is left, as far as one can tell.

        Raises:
            BudgetError: if practically nothing fits.
        """
        for _ in range(DRAWS):
            architecture = _sampled(state, rng)
            if architecture is not None:
                key = state.known.key(state.candidates.space, architecture)
                if key not in state.known.keys:
                    return Proposal(number, architecture)
        return drawn(state.candidates, rng, number=number, known=state.known)


def _sampled(state: ReinforceState, rng: np.random.Generator) -> Architecture | None:
    """An architecture that the controller draws; None if it does not fit after all."""
    walk = state.controller.walk(state.vector)

    def choose(decision: int, options: Sequence[int]) -> int:
        if len(options) == 1:
            return options[0]  # nothing to decide, so the controller is not asked
        first = state.offsets[decision]
        ends = np.cumsum(walk.odds([first + option for option in options]))
        option = options[min(int(np.searchsorted(ends, rng.random(), "right")), len(options) - 1)]
        walk.take(first + option)
        return option

    return state.candidates.draw(choose)


def _choices(state: ReinforceState, architecture: Architecture) -> list[Choice]:
    """The steps that lead to an architecture, among the options that were legal."""
    settled = state.candidates.space.recorded(architecture)
    decisions = state.candidates.space.decisions
    choices: list[Choice] = []

    def choose(decision: int, options: Sequence[int]) -> int:
        option = settled[decisions[decision].name]
        if len(options) > 1:
            first = state.offsets[decision]
            rows = tuple(first + one for one in options)
            choices.append(Choice(rows, options.index(option)))
        return option

    table = state.candidates.table
    assert table is not None, "a strategy is not begun where nothing fits"
    table.draw(choose)
    return choices


def _frozen(array: Vector) -> Vector:
    array.flags.writeable = False
    return array


def _number(value: Any) -> float:
    """A number as it is, and anything else as NaN, which is in no range."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
