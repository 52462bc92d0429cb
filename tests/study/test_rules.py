"""How a strategy is asked, seen by one that tells what it was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from netwright.errors import StudyError
from netwright.seeding import Streams, rng_for
from netwright.space import Architecture, ExpressionSpace, unrank
from netwright.study.rules import ATTEMPTS, ask
from netwright.testing import example_space
from netwright.trial import Objectives, Proposal, Trial


@dataclass
class Noting:
    """Proposes one architecture after the other as it is asked, and notes what its generators drew."""

    space: ExpressionSpace
    end: int = 10_000
    drawn: list[float] = field(default_factory=list)
    name: str = "noting"

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> Any:
        return None

    def update(self, state: Any, trial: Trial) -> Any:
        return state

    def propose(self, state: Any, rng: np.random.Generator, number: int) -> Proposal | None:
        asked = len(self.drawn)
        self.drawn.append(float(rng.random()))
        return Proposal(number, unrank(self.space, asked)) if asked < self.end else None


@pytest.fixture
def strategy() -> Noting:
    return Noting(example_space())


@pytest.mark.parametrize("streams", [False, True])
def test_a_generator_for_each_seed_proposal_and_attempt(strategy: Noting, streams: bool) -> None:
    """The driver's promise, by which a search can be resumed at any proposal."""
    known = {(unrank(strategy.space, index), 1.0) for index in (2, 3)}
    further: dict[str, Any] = {"stream": Streams()} if streams else {}
    for seed, number in ((0, 0), (0, 1), (0, 2), (1, 0)):
        proposal = ask(strategy, None, seed, number, known, **further)
        assert proposal is not None
        assert proposal.number == number
    places = [(0, 0, 0), (0, 1, 0), (0, 2, 0), (0, 2, 1), (0, 2, 2), (1, 0, 0)]
    expected = [float(rng_for(seed, "propose", number, attempt).random()) for seed, number, attempt in places]
    assert strategy.drawn == expected
    assert len(set(expected)) == len(expected)


def test_it_is_asked_again_for_what_was_not_proposed_at_this_fidelity(strategy: Noting) -> None:
    first, second = unrank(strategy.space, 0), unrank(strategy.space, 1)
    proposal = ask(strategy, None, 0, 7, {(first, 1.0), (second, 0.5)})
    assert proposal == Proposal(7, second)


def test_after_many_attempts_the_duplicate_is_taken(strategy: Noting) -> None:
    class All:
        def __contains__(self, pair: object) -> bool:
            return True

    proposal = ask(strategy, None, 0, 0, All())
    assert proposal == Proposal(0, unrank(strategy.space, ATTEMPTS - 1))
    assert len(strategy.drawn) == ATTEMPTS


def test_nothing_left_ends_the_attempts(strategy: Noting) -> None:
    strategy.end = 2
    seen = {(unrank(strategy.space, index), 1.0) for index in range(2)}
    assert ask(strategy, None, 0, 0, seen) is None
    assert len(strategy.drawn) == 3


def test_every_answer_is_checked_the_repeated_ones_too(strategy: Noting) -> None:
    known = unrank(strategy.space, 0)
    checked: list[Architecture] = []

    def check(proposal: Proposal) -> None:
        checked.append(proposal.architecture)
        if len(checked) == 3:
            raise StudyError("the third is not allowed")

    ask(strategy, None, 0, 0, {(known, 1.0)}, check)
    assert checked == [known, unrank(strategy.space, 1)]
    with pytest.raises(StudyError, match="the third"):
        ask(strategy, None, 0, 1, set(), check)
