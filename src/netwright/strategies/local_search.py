"""Local search: to the first better neighbour, and from a local optimum to a new start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from netwright.seeding import rng_for, seed_for
from netwright.space import Architecture, ExpressionSpace, FittingArchitectures, Neighbourhood, fits
from netwright.space.canonical_forms import Rule, canonical
from netwright.space.permutation import Permutation
from netwright.strategies.candidates import candidates_in, check_distinct
from netwright.trial import Metric, Objectives, Proposal, Trial, score_of, single_objective

LISTED = 4096
"""Neighbours up to which they are shuffled in a list; of more, each is computed when its turn comes."""

LOOKS = 2000
"""Neighbours in a row that may be known or not fit before a new start is drawn instead."""

DRAWS = 200
"""Random starts in a row that may all be known before the search ends, where none is to come twice."""

_RECENT = 32


class Result(NamedTuple):
    """The number of the latest trial of an architecture, and its score; None for a failure."""

    number: int
    score: float | None


@dataclass(frozen=True, slots=True)
class Results:
    """The results of what was evaluated so far; adding to them leaves older ones as they are.

    Architectures stand for themselves, or, where drawings of one network are to be the same, for their
    canonical form.

    A few dictionaries, each at least twice as large as the next, so that adding copies little and looking up
    looks into few of them.

    Attributes:
        layers: the dictionaries, the largest first.
        count: number of architectures.
    """

    layers: tuple[Mapping[Architecture | str, Result], ...] = ()
    count: int = 0

    def get(self, architecture: Architecture | str) -> Result | None:
        """The latest result of an architecture, or None if there is none."""
        for layer in reversed(self.layers):
            found = layer.get(architecture)
            if found is not None:
                return found
        return None

    def adding(self, architecture: Architecture | str, result: Result) -> Results:
        """These and one more."""
        count = self.count + (self.get(architecture) is None)
        *rest, last = self.layers or ({},)
        if len(last) < _RECENT:
            return Results((*rest, {**last, architecture: result}), count)
        layers = [*rest, last]
        while len(layers) > 1 and 2 * len(layers[-1]) > len(layers[-2]):
            newer = layers.pop()
            layers[-1] = {**layers[-1], **newer}
        return Results((*layers, {architecture: result}), count)


class Order(Protocol):
    """Neighbours in the order in which they are tried."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, place: int, /) -> Architecture:
        """The neighbour at a place."""


class _Shuffled:
    """The neighbours in a random order, each made when it is first asked for."""

    def __init__(self, around: Neighbourhood, rng: np.random.Generator) -> None:
        self._around = around
        self._order: list[int] = rng.permutation(around.size).tolist()
        self._made: dict[int, Architecture] = {}

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, place: int) -> Architecture:
        made = self._made.get(place)
        if made is None:
            made = self._made[place] = self._around[self._order[place]]
        return made


class _Drawn:
    """The same of a neighbourhood that is too large to be shuffled or kept."""

    def __init__(self, around: Neighbourhood, key: int) -> None:
        self._around = around
        self._order = Permutation(around.size, key)

    def __len__(self) -> int:
        return min(self._around.size, 2**62)

    def __getitem__(self, place: int) -> Architecture:
        return self._around[self._order(place)]


@dataclass(frozen=True, slots=True)
class Centre:
    """Where the search stands.

    Attributes:
        number: the number of the proposal.
        architecture: what it is.
        score: its objective; larger is better, whichever way the objective goes.
        neighbours: in the order in which they are tried.
        place: how many of them have been passed: known and no better, or not within the budget.
    """

    number: int
    architecture: Architecture
    score: float
    neighbours: Order = field(compare=False)
    place: int = 0


@dataclass(frozen=True, slots=True)
class LocalState:
    """Where a local search stands after some trials.

    Attributes:
        space: the space.
        candidates: its architectures that fit the budget.
        objective: what is optimised.
        seed: of the search; the orders of the neighbours derive from it.
        results: of what was evaluated.
        centre: the network whose neighbours are tried; None while a start is looked for.
        seen: number of trials so far, failed ones too.
        restarts: how many local optima were left behind.
        rule: which drawings are one network, or None.
    """

    space: ExpressionSpace = field(compare=False)
    candidates: FittingArchitectures = field(compare=False)
    objective: Metric
    seed: int
    results: Results = field(default_factory=Results, compare=False)
    centre: Centre | None = None
    seen: int = 0
    restarts: int = 0
    rule: Rule | None = None

    def known(self, architecture: Architecture, results: Results | None = None) -> Result | None:
        """The result of an architecture, or of another drawing of its network."""
        return (results or self.results).get(self.key(architecture))

    def key(self, architecture: Architecture) -> Architecture | str:
        """What its results are kept under."""
        return architecture if self.rule is None else canonical(self.space, architecture, self.rule)


@dataclass(frozen=True, slots=True)
class LocalSearch:
    """Local search with restarts [White et al. 2020, arXiv:2005.02960, Alg. 1].

    A start is drawn uniformly from what fits the budget. Its neighbours, all networks that differ in one
    decision (and in those which that one makes active), are tried in random order; the search moves to the
    first that is better. A network without better neighbours is a local optimum: a new start is drawn.

    Where it differs from the paper's algorithm:

    * That one evaluates all neighbours and moves to the best of them; this one moves to the first that is
      better, which the paper studies as a variant.
    * That one ends at a local optimum.
    * Neighbours that were evaluated before are not proposed again: their results are known, and the search
      moves to one of them when its turn comes and it is better.
    * Neighbours that do not fit the budget are passed over. Trials that failed are no better than anything.
    * With several trials under way, the next neighbours in the order are proposed. When the search has moved
      meanwhile, or all neighbours left are under way, some results come from elsewhere; they are remembered,
      and the search goes on where it is.

    With ``distinct``, the result of another drawing of a network is its result too, so that none is paid for
    twice; when ``DRAWS`` random starts in a row are known, there is no further proposal.

    Attributes:
        distinct: which drawings are one network, see ``netwright.ir.canonical.Rule``; None for no rule.
    """

    name: ClassVar[str] = "local"

    distinct: Rule | None = None

    def __post_init__(self) -> None:
        """Check the option.

        Raises:
            ConfigError: if there is no such rule.
        """
        check_distinct(self.name, self.distinct)

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> LocalState:
        """Start nowhere.

        Raises:
            SpaceError: if the space is not made from an expression.
            BudgetError: if nothing fits.
            ConfigError: if there are several objectives.
        """
        objective = single_objective(self.name, objectives)
        return LocalState(space, candidates_in(space, budget), objective, seed, rule=self.distinct)

    def update(self, state: LocalState, trial: Trial) -> LocalState:
        """Move if the trial is a better neighbour, or begin at it if there is no centre.

        Raises:
            StudyError: if a complete trial lacks the objective.
        """
        score = score_of(trial, state.objective)
        architecture = trial.proposal.architecture
        results = state.results.adding(state.key(architecture), Result(trial.number, score))
        centre, restarts = state.centre, state.restarts
        if score is not None and (
            centre is None or (trial.proposal.parent == centre.number and score > centre.score)
        ):
            centre = _centre(state, trial.number, architecture, score)
        if centre is not None:
            centre = _standing(state, results, centre)
            restarts += centre is None
        return LocalState(
            state.space,
            state.candidates,
            state.objective,
            state.seed,
            results,
            centre,
            state.seen + 1,
            restarts,
            state.rule,
        )

    def propose(self, state: LocalState, rng: np.random.Generator, number: int) -> Proposal | None:
        """Give the next neighbour, or a random start where there is no centre or all are under way.

        None when everything that fits is known.

        Raises:
            BudgetError: if a start is needed and practically nothing fits.
        """
        centre = state.centre
        if centre is not None:
            under_way = max(0, number - state.seen)
            # What the proposals under way are is not known here: were the search still where they were made,
            # they would be the next in the order. One that is under way after all is asked for again.
            turn = under_way + int(rng.integers(under_way + 1)) if under_way else 0
            for neighbour in _ahead(state, centre):
                if not turn:
                    return Proposal(number, neighbour, parent=centre.number)
                turn -= 1
        if state.candidates.exact and state.results.count >= state.candidates.upper:
            return None
        for _ in range(DRAWS):
            start = state.candidates.sample(rng)
            if state.rule is None or state.known(start) is None:
                return Proposal(number, start)
        return None


def _ahead(state: LocalState, centre: Centre) -> Iterator[Architecture]:
    """The neighbours from the centre's place on that fit and are not known."""
    budget = dict(state.candidates.limits)
    looks = 0
    for place in range(centre.place, len(centre.neighbours)):
        neighbour = centre.neighbours[place]
        if state.known(neighbour) is None and fits(state.space, neighbour, budget):
            looks = 0
            yield neighbour
        elif (looks := looks + 1) > LOOKS:
            return


def _standing(state: LocalState, results: Results, centre: Centre) -> Centre | None:
    """The centre with its known neighbours passed or moved to; None at a local optimum."""
    budget = dict(state.candidates.limits)
    place, looks = centre.place, 0
    while place < len(centre.neighbours) and looks <= LOOKS:
        neighbour = centre.neighbours[place]
        known = state.known(neighbour, results)
        if known is not None:
            if known.score is not None and known.score > centre.score:
                centre = _centre(state, known.number, neighbour, known.score)
                place = looks = 0
                continue
        elif fits(state.space, neighbour, budget):
            return Centre(centre.number, centre.architecture, centre.score, centre.neighbours, place)
        place += 1
        looks += 1
    return None


def _centre(state: LocalState, number: int, architecture: Architecture, score: float) -> Centre:
    around = Neighbourhood(state.space, architecture)
    neighbours: Order
    if around.size <= LISTED:
        neighbours = _Shuffled(around, rng_for(state.seed, "local", number))
    else:
        neighbours = _Drawn(around, seed_for(state.seed, "local", number))
    return Centre(number, architecture, score, neighbours)
