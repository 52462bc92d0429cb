from __future__ import annotations

import logging

import numpy as np
import pytest

from netwright import blocks as B
from netwright.errors import ConfigError
from netwright.seeding import rng_for
from netwright.space import (
    ExpressionSpace,
    choice,
    compile_space,
    costs_of,
    repeat,
    sample,
    sequential,
    unrank,
)
from netwright.spaces.nasbench201 import nasbench201
from netwright.strategies import CMAES, TPE, OptunaGP
from netwright.strategies.optuna_study import asked, finished_trial, tpe
from netwright.testing.strategies import search
from netwright.trial import Metric, Proposal

SCORE = Metric("score", "", "maximize")
CELLS = nasbench201((3, 16, 16), 10, cells=1, channels=4)


def convolutions(proposal: Proposal) -> float:
    return float([value for _, value in proposal.architecture].count("nor_conv_3x3"))


def test_tpe_learns() -> None:
    history = search(TPE(), CELLS, {}, SCORE, lag=1, score=convolutions)
    first, last = ([convolutions(trial.proposal) for trial in part] for part in (history[:10], history[-10:]))
    assert np.mean(last) > np.mean(first) + 0.5


@pytest.mark.slow
def test_the_gaussian_process_finds_the_best_and_goes_on() -> None:
    """Of forty random cells, one in sixteen times one has five convolutions on its six edges, or six."""
    history = search(OptunaGP(), CELLS, {}, SCORE, lag=1, score=convolutions)
    assert max(convolutions(trial.proposal) for trial in history) >= 5
    found = [trial.proposal.architecture for trial in history]
    assert len(set(found)) == len(found)


def test_samplers_see_the_trials_and_nothing_else(small: ExpressionSpace) -> None:
    """Inactive decisions are no parameters; a failed trial has no value."""
    short, long = unrank(small, 0), unrank(small, 59)
    trials = [finished_trial(small, short, 1.5, 0), finished_trial(small, long, None, 1)]
    trial = asked(trials, tpe(0, 1))
    seen = trial.study.get_trials(deepcopy=False)
    assert [one.params for one in seen[:2]] == [dict(short.choices), dict(long.choices)]
    assert [one.value for one in seen[:2]] == [1.5, None]
    assert len(seen) == 3


def test_the_log_is_quiet(small: ExpressionSpace, capfd: pytest.CaptureFixture[str]) -> None:
    level = logging.getLogger("optuna").level
    search(TPE(initial=2), small, {}, SCORE, trials=8)
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("optuna").level == level


def test_a_tight_budget_is_kept_by_drawing_what_fits(small: ExpressionSpace) -> None:
    """A few networks in sixty: the sampler finds them rarely, and never gets another one through."""
    costs = sorted(costs_of(small, unrank(small, index))["macs"] for index in range(60))
    budget = {"macs": costs[3]}
    history = search(TPE(initial=1), small, budget, SCORE, lag=1, trials=4)
    assert {costs_of(small, trial.proposal.architecture)["macs"] for trial in history} <= set(costs[:4])


NUMBERS = compile_space(
    sequential(
        repeat(
            "stage",
            B.inverted_residual(out=choice(24, 4, 12, 16), kernel=choice(3, 5), expand=choice(1, 2, 3)),
            depth=choice(2, 1, 3),
        ),
        B.classifier(classes=2),
        input=(1, 8, 8),
    ),
    "numbers",
)


def test_cmaes_refuses_what_has_no_order() -> None:
    with pytest.raises(
        ConfigError,
        match=r"strategy cmaes: cell\.1\.from0: expected options that are numbers, got \('none'",
    ):
        CMAES().init(CELLS, {}, (SCORE,), 0)


def test_cmaes_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="expected the package cmaes, which is not installed; install"):
        CMAES().init(NUMBERS, {}, (SCORE,), 0)


def test_cmaes_climbs_along_the_order() -> None:
    """Towards wide networks with large kernels, whatever order the options are written in."""
    pytest.importorskip("cmaes")

    def widths(proposal: Proposal) -> float:
        values = [int(value) for name, value in proposal.architecture if name.endswith(("out", "kernel"))]
        return float(np.mean(values))

    history = search(CMAES(), NUMBERS, {}, SCORE, lag=1, trials=120, score=widths)
    first, last = ([widths(trial.proposal) for trial in part] for part in (history[:20], history[-20:]))
    assert np.mean(last) > np.mean(first) + 2


def test_cmaes_decodes_what_it_encodes() -> None:
    pytest.importorskip("cmaes")
    from netwright.strategies.cma_es import _architecture, _point

    state = CMAES().init(NUMBERS, {}, (SCORE,), 0)
    for number in range(50):
        architecture = sample(NUMBERS, rng_for(number))
        assert _architecture(NUMBERS, _point(state, architecture), rng_for(0)) == architecture
