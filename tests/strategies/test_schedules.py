"""ASHA, successive halving and Hyperband, against the papers' algorithms written down a second time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from netwright.errors import ConfigError, StudyError
from netwright.seeding import rng_for, seed_for
from netwright.space import Architecture, ExpressionSpace, neighbours
from netwright.strategies import (
    ASHA,
    AtFidelity,
    Evolution,
    Grid,
    Hyperband,
    RandomSearch,
    SuccessiveHalving,
    make_strategy,
    options_of,
)
from netwright.strategies.rungs import Rung, fidelities_of
from netwright.strategies.successive_halving import Rounds
from netwright.testing import StrategyLaws, example_space
from netwright.testing.strategies import proposals, search
from netwright.trial import Metric, Proposal, Strategy, Trial

ACCURACY = Metric("accuracy", "share", "maximize")
SPACE = example_space()
BUDGET = {"params": 900}


def score(proposal: Proposal) -> float:
    """What an architecture is worth, less clearly so at low fidelity; in twentieths, so some are equal."""
    true = seed_for(1, proposal.architecture.key) / 2**63
    noise = seed_for(2, proposal.architecture.key, str(proposal.fidelity)) / 2**63
    return round(20 * (proposal.fidelity * true + (1 - proposal.fidelity) * (0.7 * true + 0.3 * noise))) / 20


def run(strategy: Strategy, trials: int, lag: int, fails: Callable[[int], bool] | None = None) -> list[Trial]:
    return search(
        strategy,
        SPACE,
        BUDGET,
        ACCURACY,
        trials=trials,
        lag=lag,
        score=score,
        fails=fails or (lambda number: number % 7 == 3),
    )


# -------------------------------------------------------------------------------- ASHA, Algorithm 2


def get_job(known: Sequence[Trial], jobs: Sequence[tuple[int, int | None]], top: int, eta: int) -> Any:
    """[Li et al. 2020, arXiv:1810.05934, Alg. 2], from all results and all jobs so far, by brute force."""
    rung_of = {number: rung for number, (rung, _) in enumerate(jobs)}
    for rung in range(top - 1, -1, -1):
        here = [trial for trial in known if rung_of[trial.number] == rung and trial.complete]
        here.sort(key=lambda trial: (-trial.metrics["accuracy"], trial.number))
        for trial in here[: len(here) // eta]:
            if all(source != trial.number for _, source in jobs):
                return rung + 1, trial.number
    return 0, None


@pytest.mark.parametrize("lag", [1, 2, 4, 9])
@pytest.mark.parametrize(("eta", "minimum"), [(2, 1 / 8), (3, 1 / 9), (4, 1 / 4)])
def test_asha_promotes_as_algorithm_2_does(lag: int, eta: int, minimum: float) -> None:
    """With ``lag`` workers that finish in turn: one is free after every result."""
    strategy = ASHA(eta=eta, minimum=minimum)
    history = run(strategy, 90, lag)
    top = len(strategy.rungs) - 1
    jobs: list[tuple[int, int | None]] = []
    for number, trial in enumerate(history):
        jobs.append(get_job(history[: max(0, number - lag + 1)], jobs, top, eta))
        rung, source = jobs[-1]
        assert trial.proposal.fidelity == strategy.rungs[rung]
        assert trial.proposal.resume_from == source
        if source is not None:
            assert trial.proposal.architecture == history[source].proposal.architecture
    assert {rung for rung, _ in jobs} == set(range(top + 1))
    started = [trial.proposal.architecture for trial in history if trial.proposal.resume_from is None]
    plain = search(RandomSearch(), SPACE, BUDGET, ACCURACY, trials=len(started))
    assert started == [trial.proposal.architecture for trial in plain]


# --------------------------------------------------------------- successive halving, rung by rung


def by_configuration(history: Sequence[Trial]) -> list[list[Trial]]:
    """The trials of every configuration, in the order in which they started."""
    chains: dict[int, list[Trial]] = {}
    for trial in history:
        source = trial.proposal.resume_from
        chain = [*chains.pop(source), trial] if source is not None else [trial]
        chains[trial.number] = chain
    return sorted(chains.values(), key=lambda chain: chain[0].number)


@pytest.mark.parametrize("lag", [1, 2, 4, 9])
@pytest.mark.parametrize("size", [9, 14])
def test_successive_halving_keeps_the_best_of_every_rung(lag: int, size: int) -> None:
    strategy = SuccessiveHalving(size=size)
    sizes = strategy.bracket
    assert sizes == (size, size // 3, size // 9)
    history = run(strategy, 100, lag)
    chains = by_configuration(history)
    assert len(chains) > 3 * size
    for bracket in (chains[:size], chains[size : 2 * size]):
        for level in range(2):
            here = [chain[level] for chain in bracket if len(chain) > level]
            here.sort(key=lambda trial: (-trial.metrics.get("accuracy", -1), trial.number))
            expected = [trial.number for trial in here if trial.complete][: sizes[level + 1]]
            going = [chain[level + 1] for chain in bracket if len(chain) > level + 1]
            # The best first, and none before the whole rung is known.
            assert [trial.proposal.resume_from for trial in sorted(going, key=lambda t: t.number)] == expected
            assert all(t.number - lag >= max(one.number for one in here) for t in going)
            assert {trial.proposal.fidelity for trial in here} == {strategy.rungs[level]}


def test_one_worker_finishes_a_bracket_before_the_next() -> None:
    history = run(SuccessiveHalving(), 26, lag=1, fails=lambda number: False)
    expected = [1 / 9] * 9 + [1 / 3] * 3 + [1.0]
    assert [trial.proposal.fidelity for trial in history] == [*expected, *expected]


def test_more_workers_begin_the_next_bracket_meanwhile() -> None:
    """Proposals 9, 10 and 11 are made while results of the first rung are under way."""
    history = run(SuccessiveHalving(), 26, lag=4, fails=lambda number: False)
    fidelities = [round(9 * trial.proposal.fidelity) for trial in history]
    assert fidelities[:12] == [1] * 12
    assert fidelities[12:15] == [3] * 3
    # The last of these is known to proposal 18; the second bracket has its nine configurations by then.
    assert fidelities[15:19] == [1, 1, 1, 9]
    assert fidelities[19:23] == [1] * 4


def test_a_bracket_in_which_everything_fails() -> None:
    history = run(SuccessiveHalving(), 30, lag=1, fails=lambda number: number < 9)
    assert [round(9 * trial.proposal.fidelity) for trial in history[:22]] == [1] * 18 + [3] * 3 + [9]
    assert all((trial.proposal.resume_from or 9) >= 9 for trial in history)


def test_fewer_successes_than_places() -> None:
    """Seven of nine fail: two go up, not three."""
    history = run(SuccessiveHalving(), 13, lag=1, fails=lambda number: number < 7)
    assert [round(9 * trial.proposal.fidelity) for trial in history] == [1] * 9 + [3] * 2 + [9] + [1]


# --------------------------------------------------------------------------- Hyperband's brackets


def test_the_papers_table_of_brackets() -> None:
    """[Li et al. 2018, arXiv:1603.06560, table 1]: R = 81, eta = 3; n_i and r_i for s = 4 ... 0."""
    strategy = Hyperband(minimum=1 / 81)
    assert [round(81 * fidelity, 9) for fidelity in strategy.rungs] == [1, 3, 9, 27, 81]
    assert strategy.brackets == (
        (81, 27, 9, 3, 1),
        (27, 9, 3, 1),
        (9, 3, 1),
        (6, 2),
        (5,),
    )


def test_hyperband_goes_through_its_brackets() -> None:
    """Brackets of (9, 3, 1), (3, 1) and (3,), and again."""
    history = run(Hyperband(), 40, lag=1, fails=lambda number: False)
    one, three, nine = 1 / 9, 1 / 3, 1.0
    expected = [one] * 9 + [three] * 3 + [nine] + [three] * 3 + [nine] + [nine] * 3
    assert [trial.proposal.fidelity for trial in history] == [*expected, *expected]
    assert Counter(trial.proposal.fidelity for trial in history[:20]) == {one: 9, three: 6, nine: 5}
    assert history[16].proposal.resume_from in range(13, 16)


def test_places_of_configurations() -> None:
    rounds = Rounds(((9, 3, 1), (3, 1), (3,)), 3)
    assert [rounds.place(k) for k in (0, 8, 9, 11, 12, 14, 15, 30)] == [
        (0, 0),
        (0, 0),
        (1, 1),
        (1, 1),
        (2, 2),
        (2, 2),
        (3, 0),
        (6, 0),
    ]


@pytest.mark.parametrize("lag", [1, 3, 8])
def test_hyperband_promotes_within_a_bracket_only(lag: int) -> None:
    strategy = Hyperband()
    chains = by_configuration(run(strategy, 120, lag))
    turn = [(9, 0), (3, 1), (3, 2)] * 4
    place = 0
    for size, level in turn:
        bracket = chains[place : place + size]
        assert all(chain[0].proposal.fidelity == strategy.rungs[level] for chain in bracket)
        place += size


# ----------------------------------------------------------------------------- the inner strategy

SCHEDULES = [ASHA, SuccessiveHalving, Hyperband]


@dataclass(frozen=True)
class Listener:
    """Random search that writes down what it is told."""

    told: list[Trial]
    name: str = "listener"

    def init(self, *arguments: Any) -> Any:
        return RandomSearch().init(*arguments)

    def update(self, state: Any, trial: Trial) -> Any:
        self.told.append(trial)
        return RandomSearch().update(state, trial)

    def propose(self, state: Any, rng: np.random.Generator, number: int) -> Proposal | None:
        return RandomSearch().propose(state, rng, number)


@pytest.mark.parametrize("lag", [1, 4])
@pytest.mark.parametrize("make", SCHEDULES)
def test_the_inner_strategy_is_told_the_first_result_of_every_configuration(
    make: Callable[..., Strategy], lag: int
) -> None:
    told: list[Trial] = []
    history = run(make(Listener(told)), 60, lag)
    started = [trial for trial in history[: len(history) - lag] if trial.proposal.resume_from is None]
    assert [trial.number for trial in told] == list(range(len(told)))
    assert len(told) == len(started)
    for heard, trial in zip(told, started, strict=True):
        assert heard.proposal.architecture == trial.proposal.architecture
        assert (heard.state, heard.metrics, heard.seed) == (trial.state, trial.metrics, trial.seed)


@pytest.mark.parametrize("lag", [1, 4])
@pytest.mark.parametrize("make", SCHEDULES)
def test_parents_are_known_by_the_numbers_of_the_study(make: Callable[..., Strategy], lag: int) -> None:
    history = run(make(Evolution(population=4, tournament=2)), 60, lag)
    children = [trial.proposal for trial in history if trial.proposal.parent is not None]
    assert len(children) > 10
    for child in children:
        assert child.parent is not None
        parent = history[child.parent].proposal
        assert parent.resume_from is None
        assert child.architecture in set(neighbours(SPACE, parent.architecture))


@pytest.mark.parametrize("make", SCHEDULES)
@pytest.mark.parametrize("inner", [RandomSearch(), Grid(), Evolution(population=4, tournament=2)])
def test_with_one_fidelity_it_is_the_inner_strategy(make: Callable[..., Strategy], inner: Strategy) -> None:
    wrapped = run(make(inner, fidelities=(1.0,)), 40, lag=3)
    assert proposals(wrapped) == proposals(run(inner, 40, lag=3))


def test_fidelities_of_a_table() -> None:
    history = run(make_strategy("asha", fidelities=[0.06, 1.0]), 40, lag=4)
    assert {trial.proposal.fidelity for trial in history} == {0.06, 1.0}


@pytest.mark.parametrize("make", SCHEDULES)
def test_a_schedule_below_the_full_training(make: Callable[..., Strategy]) -> None:
    """The search itself may be at a share of the full training: all rungs are scaled."""
    whole, part = run(make(), 40, lag=2), run(AtFidelity(make(), 0.5), 40, lag=2)
    for one, other in zip(whole[:12], part[:12], strict=True):
        assert other.proposal.fidelity == one.proposal.fidelity / 2
    assert max(trial.proposal.fidelity for trial in part) == 0.5


@pytest.mark.parametrize("inner", [ASHA(), AtFidelity(RandomSearch(), 0.5)])
def test_an_inner_strategy_that_chooses_fidelities(inner: Strategy) -> None:
    with pytest.raises(StudyError, match="expected a sampler that leaves the fidelity to the schedule"):
        run(ASHA(inner), 5, lag=1)


# ------------------------------------------------------------------------- when nothing is left


@pytest.mark.parametrize("make", SCHEDULES)
def test_a_small_space_is_finished_in_full(small: ExpressionSpace, make: Callable[..., Strategy]) -> None:
    """With one worker nothing is lost and nothing comes twice; ASHA ends with every network in full."""
    history = search(make(), small, {}, ACCURACY, trials=400, lag=1, score=score, fails=lambda number: False)
    assert len(history) < 400
    evaluated = [(trial.proposal.architecture, trial.proposal.fidelity) for trial in history]
    assert len(set(evaluated)) == len(evaluated)
    assert len({architecture for architecture, _ in evaluated}) == 60
    if make is ASHA:
        assert len(evaluated) == 3 * 60


@pytest.mark.parametrize("make", SCHEDULES)
@pytest.mark.parametrize("lag", [3, 6])
def test_a_small_space_with_several_workers(
    small: ExpressionSpace, make: Callable[..., Strategy], lag: int
) -> None:
    history = search(make(), small, {}, ACCURACY, trials=400, lag=lag, score=score)
    assert len(history) < 250
    assert len({trial.proposal.architecture for trial in history}) == 60
    full = Counter(t.proposal.architecture for t in history if t.proposal.fidelity == 1 and t.complete)
    assert len(full) >= 10
    assert sum(full.values()) - len(full) <= lag


def test_the_best_of_an_unfinished_bracket_goes_up(small: ExpressionSpace) -> None:
    """A bracket of 81 is never full in a space of 60; without this nothing would be trained in full."""
    strategy = SuccessiveHalving(minimum=1 / 81)
    history = search(strategy, small, {}, ACCURACY, trials=63, lag=1, score=score, fails=lambda number: False)
    lowest = history[:60]
    assert {trial.proposal.fidelity for trial in lowest} == {1 / 81}
    best = max(lowest, key=lambda trial: (trial.metrics["accuracy"], -trial.number))
    assert [trial.proposal.resume_from for trial in history[60:63]] == [best.number, 60, 61]


# ------------------------------------------------------------------------------------- the parts


def test_a_rung(small: ExpressionSpace, costs: dict[Architecture, dict[str, int]]) -> None:
    a, b, c, *_ = costs
    rung = Rung().joined(0, a, 0.5).joined(1, b, 0.7).joined(2, c, 0.5)
    assert [entry.number for entry in rung.entries] == [1, 0, 2]
    rung = rung.joined(3, a, 0.9).joined(4, a, None)
    assert (rung.size, rung.blanks) == (5, 2)
    first = rung.waiting(2)
    assert first is not None
    assert first.number == 1
    second = rung.sending(1).waiting(2)
    assert second is not None
    assert second.number == 0
    assert rung.sending(1).waiting(1) is None
    assert rung.sending(1).sending(0).waiting(2) is None
    assert not rung.promoted


@pytest.mark.parametrize(
    ("minimum", "eta", "expected"),
    [
        (1, 3, (1.0,)),
        (0.34, 3, (1.0,)),
        (1 / 3, 3, (1 / 3, 1.0)),
        (0.1111111111, 3, (1 / 9, 1 / 3, 1.0)),
        (0.1, 2, (0.125, 0.25, 0.5, 1.0)),
    ],
)
def test_fidelities_go_down_by_factors(minimum: float, eta: int, expected: tuple[float, ...]) -> None:
    assert fidelities_of("asha", None, minimum, eta) == expected


# -------------------------------------------------------------------------------------- options


@pytest.mark.parametrize("name", ["asha", "successive-halving", "hyperband"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eta": 1}, r"NAME\.eta: expected an integer of at least 2, got 1"),
        ({"eta": 2.5}, r"NAME\.eta: expected an integer of at least 2, got 2\.5"),
        ({"minimum": 0}, r"NAME\.minimum: expected a share of the full training above 0, at most 1, got 0"),
        ({"minimum": "low"}, r"NAME\.minimum: expected a share .*, got 'low'"),
        (
            {"fidelities": [0.5, 0.5]},
            r"NAME\.fidelities: expected shares .* such as \[0\.06, 1\], got \[0\.5",
        ),
        ({"fidelities": []}, r"NAME\.fidelities: expected shares .*, got \[\]"),
        ({"fidelities": [0.5, 2]}, r"NAME\.fidelities: expected shares .*, got \[0\.5, 2\]"),
        ({"fidelities": 0.5}, r"NAME\.fidelities: expected shares .*, got 0\.5"),
        ({"inner": "hyperband"}, r"NAME\.inner: expected a strategy that leaves .*grid, .*, got 'hyperband'"),
        ({"inner": "hope"}, r"NAME\.inner: expected a strategy that leaves .*, got 'hope'"),
        ({"inner": 3}, r"NAME\.inner: expected the name of a strategy, got 3"),
        ({"inner.size": 3}, r"NAME\.inner: strategy random: expected options distinct, got 'size'"),
        (
            {"inner": "evolution", "inner.population": 0},
            r"NAME\.inner: evolution\.population: expected an integer of at least 1, got 0",
        ),
        (
            {"population": 5},
            r"strategy NAME: expected options inner, eta, .*, or inner\.NAME for .*, got 'population'",
        ),
    ],
)
def test_wrong_options(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match="^" + message.replace("NAME", name, 1)):
        make_strategy(name, **options)


def test_a_bracket_that_is_too_small() -> None:
    with pytest.raises(ConfigError, match=r"size: expected an integer of at least 9, so that none of the 3"):
        SuccessiveHalving(size=8)


@pytest.mark.parametrize("name", ["asha", "successive-halving", "hyperband"])
def test_options_make_the_same_strategy_again(name: str) -> None:
    for options in (
        {},
        {"inner": "evolution", "inner.population": 7, "eta": 2, "fidelities": [0.06, 1.0]},
        {"inner": "grid", "inner.distinct": "flat", "minimum": 0.25},
    ):
        strategy = make_strategy(name, **options)
        written = options_of(strategy)
        assert make_strategy(name, **written) == make_strategy(name, **options)
        assert written["inner"] == options.get("inner", "random")
        assert set(options) <= set(written)


# ----------------------------------------------------------------------------------------- laws


class TestLaws(StrategyLaws):
    """With a sampler that learns; random search is what the registered ones have."""

    @pytest.fixture(params=["asha", "successive-halving", "hyperband"])
    def strategy(self, request: pytest.FixtureRequest) -> Strategy:
        options = {"inner": "evolution", "inner.population": 4, "inner.tournament": 2}
        return make_strategy(request.param, eta=2, minimum=0.25, **options)


def test_only_the_order_of_scores_matters() -> None:
    for make in SCHEDULES:
        plain = search(make(), SPACE, BUDGET, ACCURACY, score=score)
        cubed = search(make(), SPACE, BUDGET, ACCURACY, score=lambda p: score(p) ** 3)
        assert proposals(plain) == proposals(cubed)


def test_states_of_equal_histories_give_equal_proposals() -> None:
    strategy = ASHA()
    history = run(strategy, 30, lag=1)
    states = []
    for _ in range(2):
        state = strategy.init(SPACE, BUDGET, (ACCURACY,), 0)
        for trial in history:
            state = strategy.update(state, trial)
        states.append(strategy.propose(state, rng_for(0), 30))
    assert states[0] == states[1] is not None
