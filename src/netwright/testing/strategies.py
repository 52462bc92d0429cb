"""Laws of strategies: a strategy is a fold over the trials, and proposes what fits."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
import pytest

from netwright.errors import BudgetError, ConfigError
from netwright.ir.cost import cost
from netwright.seeding import rng_for, seed_for
from netwright.space import ExpressionSpace, costs_of, size, smallest, unrank
from netwright.study.rules import ask
from netwright.testing.examples import example_space
from netwright.trial import Metric, Proposal, Strategy, Trial, TrialState

TRIALS = 40
"""Length of the searches."""

Score = Callable[[Proposal], float]
History = list[Trial]


class StrategyLaws:
    """Laws that every strategy keeps; give ``strategy``, and perhaps ``space``, ``budget``, ``objective``.

    The searches are those of the driver: proposal k is made from the results of proposals 0 to k - lag, with
    generators of its own, and asked for again if it was made before. A trial's result is a function of its
    architecture; every seventh trial fails.

    Attributes:
        without_replacement: whether no architecture may come twice; then all that fit must come.
        any_order: whether the order in which trials are folded must not matter. The driver folds them in the
            order of their numbers, so a strategy may depend on it.
        by_rank: whether only the order of the scores may matter, so that to maximise f and to minimise -f are
            the same search.
    """

    without_replacement = False
    any_order = False
    by_rank = True

    @pytest.fixture
    def strategy(self) -> Strategy:
        """The strategy; to be overridden.

        Raises:
            ConfigError: if it is not.
        """
        raise ConfigError("StrategyLaws: expected a fixture `strategy` in the subclass, got none")

    @pytest.fixture
    def space(self) -> ExpressionSpace:
        """Where it searches: a small space with all that a space can have."""
        return example_space()

    @pytest.fixture
    def budget(self, space: ExpressionSpace) -> Mapping[str, int]:
        """Limits that about a quarter of the space keeps."""
        total = size(space)
        costs = [costs_of(space, unrank(space, total * k // 50)) for k in range(50)]
        return {name: int(median(one[name] for one in costs)) for name in ("macs", "peak_activation_bytes")}

    @pytest.fixture
    def objective(self) -> Metric:
        """What is optimised."""
        return Metric("accuracy", "share", "maximize")

    # ------------------------------------------------------------------------------------------ the laws

    def test_it_has_a_name(self, strategy: Strategy) -> None:
        """One word, as on the command line."""
        assert strategy.name
        assert not set(strategy.name) & set(" \t\n/")

    def test_proposals_fit_and_are_numbered(
        self, strategy: Strategy, space: ExpressionSpace, budget: Mapping[str, int], objective: Metric
    ) -> None:
        """Members of the space within the budget, and only references to results that it may know."""
        for lag in (1, 4):
            for trial in search(strategy, space, budget, objective, lag=lag):
                proposal = trial.proposal
                graph = space.to_graph(proposal.architecture)
                totals = cost(graph, dtype=space.dtype, memory_model=space.memory_model).totals()
                assert all(totals[metric] <= limit for metric, limit in budget.items())
                assert 0 < proposal.fidelity <= 1
                for reference in (proposal.parent, proposal.resume_from):
                    assert reference is None or 0 <= reference <= proposal.number - lag

    def test_promotions_continue_what_is_finished(
        self, strategy: Strategy, space: ExpressionSpace, budget: Mapping[str, int], objective: Metric
    ) -> None:
        """The network of a complete trial, at a higher fidelity; and no trial is continued twice."""
        for lag in (1, 4):
            history = search(strategy, space, budget, objective, lag=lag)
            continued = [trial.proposal for trial in history if trial.proposal.resume_from is not None]
            for proposal in continued:
                source = history[proposal.resume_from or 0]
                assert source.complete
                assert source.proposal.architecture == proposal.architecture
                assert source.proposal.fidelity < proposal.fidelity
            assert len({proposal.resume_from for proposal in continued}) == len(continued)

    def test_same_seed_same_search(
        self, strategy: Strategy, space: ExpressionSpace, budget: Mapping[str, int], objective: Metric
    ) -> None:
        """Whatever the global generators do in the meantime."""
        runs = []
        for disturbance in (1, 2):
            random.seed(disturbance)
            np.random.seed(disturbance)
            runs.append(proposals(search(strategy, space, budget, objective, seed=5)))
        assert runs[0] == runs[1]

    def test_the_state_is_a_function_of_the_trials(
        self, strategy: Strategy, space: ExpressionSpace, budget: Mapping[str, int], objective: Metric
    ) -> None:
        """To fold again from the start gives the same proposals as the state that has been carried along."""
        history = search(strategy, space, budget, objective)
        carried = strategy.init(space, budget, (objective,), 0)
        for number in range(0, len(history), 3):
            expected = ahead(strategy, carried, number)
            again = fold(strategy, strategy.init(space, budget, (objective,), 0), history[:number])
            assert ahead(strategy, again, number) == expected
            carried = fold(strategy, carried, history[number : number + 3])

    def test_states_are_not_shared(
        self, strategy: Strategy, space: ExpressionSpace, budget: Mapping[str, int], objective: Metric
    ) -> None:
        """A state stays what it is: not changed by later updates, nor by proposing from it."""
        history = search(strategy, space, budget, objective)
        state = strategy.init(space, budget, (objective,), 0)
        states = [state]
        for trial in history:
            state = strategy.update(state, trial)
            states.append(state)
        first = [ahead(strategy, state, number) for number, state in enumerate(states)]
        assert [ahead(strategy, state, number) for number, state in enumerate(states)] == first

    def test_a_resumed_search_goes_on_as_if_unbroken(
        self, strategy: Strategy, space: ExpressionSpace, budget: Mapping[str, int], objective: Metric
    ) -> None:
        """Broken off anywhere, with any lag."""
        for lag in (1, 4):
            unbroken = search(strategy, space, budget, objective, lag=lag)
            for stop in (1, len(unbroken) // 2, len(unbroken) - 1):
                begun = search(strategy, space, budget, objective, lag=lag, trials=stop)
                resumed = search(strategy, space, budget, objective, lag=lag, begun=begun)
                assert proposals(resumed) == proposals(unbroken)

    def test_longer_searches_begin_like_shorter_ones(
        self, strategy: Strategy, space: ExpressionSpace, budget: Mapping[str, int], objective: Metric
    ) -> None:
        """The number of trials is no setting of the strategy."""
        longer = search(strategy, space, budget, objective)
        shorter = search(strategy, space, budget, objective, trials=10)
        assert proposals(longer)[: len(shorter)] == proposals(shorter)

    def test_failures_are_survived(
        self, strategy: Strategy, space: ExpressionSpace, budget: Mapping[str, int], objective: Metric
    ) -> None:
        """A search in which everything fails still proposes what fits, to its end."""
        history = search(strategy, space, budget, objective, fails=lambda number: True)
        assert history
        for trial in history:
            costs = costs_of(space, trial.proposal.architecture)
            assert all(costs[metric] <= limit for metric, limit in budget.items())

    def test_to_minimise_is_to_maximise_the_opposite(
        self, strategy: Strategy, space: ExpressionSpace, budget: Mapping[str, int]
    ) -> None:
        """The same proposals for f upwards and -f downwards; a constant would show nothing, so f varies."""
        if not self.by_rank:
            pytest.skip("the values of the scores matter to this strategy, not their order alone")
        up = search(strategy, space, budget, Metric("score", "", "maximize"), score=accuracy)
        down = search(strategy, space, budget, Metric("score", "", "minimize"), score=lambda p: -accuracy(p))
        assert proposals(up) == proposals(down)

    def test_the_order_of_results_does_not_matter(
        self, strategy: Strategy, space: ExpressionSpace, budget: Mapping[str, int], objective: Metric
    ) -> None:
        """For strategies that promise it."""
        if not self.any_order:
            pytest.skip("this strategy may depend on the order of the trials, which the driver keeps")
        history = search(strategy, space, budget, objective)
        for k in range(5):
            shuffled = [history[index] for index in rng_for(k, "order").permutation(len(history))]
            states = [
                fold(strategy, strategy.init(space, budget, (objective,), 0), trials)
                for trials in (history, shuffled)
            ]
            expected, found = (ahead(strategy, state, len(history)) for state in states)
            assert found == expected

    def test_it_ends_or_goes_on_when_all_is_known(
        self, strategy: Strategy, space: ExpressionSpace, objective: Metric
    ) -> None:
        """In a space with three architectures that fit, fifty trials end in good order."""
        costs = sorted(costs_of(space, unrank(space, index))["params"] for index in range(size(space)))
        budget = {"params": costs[2]}
        fit = {
            unrank(space, index)
            for index in range(size(space))
            if costs_of(space, unrank(space, index))["params"] <= costs[2]
        }
        history = search(strategy, space, budget, objective, trials=2 * len(fit) + 20)
        found = [trial.proposal.architecture for trial in history]
        assert set(found) <= fit
        if self.without_replacement:
            assert len(found) == len(set(found)) == len(fit)

    def test_nothing_comes_twice(
        self, strategy: Strategy, space: ExpressionSpace, budget: Mapping[str, int], objective: Metric
    ) -> None:
        """For strategies that promise it."""
        if not self.without_replacement:
            pytest.skip("this strategy may propose an architecture again")
        found = [trial.proposal.architecture for trial in search(strategy, space, budget, objective)]
        assert len(set(found)) == len(found) == TRIALS

    def test_an_infeasible_budget_is_refused(
        self, strategy: Strategy, space: ExpressionSpace, objective: Metric
    ) -> None:
        """At once, with what the smallest needs; no loop, no proposal that does not fit."""
        least = smallest(space, "params")
        with pytest.raises(BudgetError, match=f"params {least:,}"):
            search(strategy, space, {"params": least - 1}, objective, trials=1)


def accuracy(proposal: Proposal) -> float:
    """A score that depends on the architecture alone: a number in [0, 1) from its key."""
    return seed_for(0, "score", proposal.architecture.key) / 2**63


def search(
    strategy: Strategy,
    space: ExpressionSpace,
    budget: Mapping[str, int],
    objective: Metric,
    *,
    seed: int = 0,
    lag: int = 4,
    trials: int = TRIALS,
    begun: Sequence[Trial] = (),
    score: Score = accuracy,
    fails: Callable[[int], bool] = lambda number: number % 7 == 3,
) -> History:
    """Search as the driver does, without a store.

    Args:
        strategy: who proposes.
        space: where.
        budget: limits.
        objective: what ``score`` is called.
        seed: of the search.
        lag: proposal k sees the results of proposals 0 to k - lag.
        trials: how many at most.
        begun: trials of a search that was broken off.
        score: gives a result.
        fails: whether the trial with a number fails.
    """
    history = list(begun)
    state = strategy.init(space, budget, (objective,), seed)
    folded = 0
    for number in range(len(history), trials):
        while folded < number - lag + 1:
            state = strategy.update(state, history[folded])
            folded += 1
        seen = {(trial.proposal.architecture, trial.proposal.fidelity) for trial in history}
        proposal = ask(strategy, state, seed, number, seen)
        if proposal is None:
            break
        assert proposal.number == number
        failed = fails(number)
        history.append(
            Trial(
                proposal,
                TrialState.FAILED if failed else TrialState.COMPLETE,
                {} if failed else {objective.name: score(proposal)},
                costs_of(space, proposal.architecture),
                fits=True,
                seed=seed_for(seed, "trial", number),
                reason="it was to fail" if failed else None,
            )
        )
    return history


def fold(strategy: Strategy, state: Any, trials: Sequence[Trial]) -> Any:
    """The state after some more trials."""
    for trial in trials:
        state = strategy.update(state, trial)
    return state


def ahead(strategy: Strategy, state: Any, number: int, count: int = 4) -> list[Proposal | None]:
    """The next proposals from a state, with the generators of their numbers."""
    return [strategy.propose(state, rng_for(0, "ahead", number + k), number + k) for k in range(count)]


def proposals(history: Sequence[Trial]) -> list[Proposal]:
    """What was proposed, in order."""
    return [trial.proposal for trial in history]
