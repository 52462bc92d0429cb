from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from netwright.study.history import History
from netwright.trial import Metric, Proposal, Trial, TrialState
from tests.study.probes import ACCURACY, SPACE

ARCHITECTURE = SPACE.of({"depth": 1, "width": 8, "kernel1": 3, "act": "relu"})


def trial(number: int, accuracy: float | None) -> Trial:
    return Trial(
        proposal=Proposal(number, ARCHITECTURE),
        state=TrialState.FAILED if accuracy is None else TrialState.COMPLETE,
        metrics={} if accuracy is None else {ACCURACY.name: accuracy},
        costs={"macs": 5},
        fits=True,
        seed=1,
        reason="killed by SIGKILL" if accuracy is None else None,
    )


def test_trials_are_found_by_number_in_any_order_and_with_gaps() -> None:
    history = History.of(ACCURACY, [trial(5, 0.5), trial(0, 0.1), trial(2, None)])
    assert [one.number for one in history] == [0, 2, 5]
    assert len(history) == 3
    assert history[5].metrics[ACCURACY.name] == 0.5
    assert 2 in history
    assert 3 not in history
    with pytest.raises(KeyError, match="trial 3 has not finished"):
        history[3]


def test_completed_and_failed_share_the_trials() -> None:
    history = History.of(ACCURACY, [trial(0, 0.1), trial(1, None), trial(2, 0.3)])
    assert [one.number for one in history.completed] == [0, 2]
    assert [one.number for one in history.failed] == [1]


def test_best_is_the_earliest_of_equals() -> None:
    trials = [trial(0, 0.1), trial(1, 0.9), trial(2, None), trial(3, 0.9)]
    assert History.of(ACCURACY, trials).best == trials[1]
    assert History.of(ACCURACY, [trial(0, None)]).best is None
    assert History(ACCURACY).best is None


def test_best_of_a_metric_to_minimize() -> None:
    latency = Metric(ACCURACY.name, "ms", "minimize")
    history = History.of(latency, [trial(0, 3.0), trial(1, 1.0), trial(2, 2.0)])
    assert history.best is history[1]
    assert [one.number for one in history.top(2)] == [1, 2]


def test_top_ranks_complete_trials_only() -> None:
    history = History.of(ACCURACY, [trial(0, 0.1), trial(1, 0.9), trial(2, None), trial(3, 0.9)])
    assert [one.number for one in history.top(9)] == [1, 3, 0]


def test_comparable_content_ignores_timings_and_is_json() -> None:
    curve = ((0, {"loss": math.nan}), (1, {"loss": math.inf}))
    one = replace(trial(0, 0.5), curve=curve, started=1.0, seconds=2.0)
    other = replace(one, started=3.0, seconds=4.0, curve=((0, {"loss": float("nan")}), curve[1]))
    content = History.of(ACCURACY, [one]).comparable()
    assert content == History.of(ACCURACY, [other]).comparable()
    assert json.loads(json.dumps(content, allow_nan=False)) == content


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2},
        {"costs": {"macs": 6}},
        {"reason": "another"},
        {"metrics": {ACCURACY.name: 0.5000000001}},
        {"curve": ((0, {"loss": 1.0}),)},
        {"proposal": Proposal(0, ARCHITECTURE, parent=0)},
    ],
)
def test_comparable_content_notices(changes: dict[str, object]) -> None:
    one = trial(0, 0.5)
    other = replace(one, **changes)  # type: ignore[arg-type]
    assert History.of(ACCURACY, [one]).comparable() != History.of(ACCURACY, [other]).comparable()
