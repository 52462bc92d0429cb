from __future__ import annotations

from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import pytest

from netwright.ir.cost import COSTS
from netwright.report import ReportContent, figures, pareto_front
from netwright.trial import Trial
from tests.report.sample import HOSTILE, sample_content


@pytest.fixture(scope="module")
def content() -> ReportContent:
    return sample_content()


def _trace(figure: go.Figure, name: str) -> Any:
    return next(trace for trace in figure.data if trace.name == name)


def _accuracy(trial: Trial) -> float:
    return 100 * trial.metrics["validation_accuracy"]


@pytest.mark.parametrize("metric", COSTS)
def test_every_trial_front_and_winner_are_where_they_belong(content: ReportContent, metric: str) -> None:
    figure = figures.accuracy_over_cost(content.complete, metric, winner=content.winner)

    shown = [
        point
        for name in ("fits", "does not fit")
        for trace in figure.data
        if trace.name == name
        for point in zip(trace.x, trace.y, strict=True)
    ]
    expected = [(trial.costs[metric], _accuracy(trial)) for trial in content.complete]
    assert sorted(shown) == sorted(expected)
    front = _trace(figure, "Pareto front")
    assert list(zip(front.x, front.y, strict=True)) == [expected[i] for i in pareto_front(expected)]
    winner = _trace(figure, "winner")
    trial = next(t for t in content.complete if t.proposal.architecture == content.winner)
    assert (winner.x[0], winner.y[0]) == (trial.costs[metric], _accuracy(trial))
    assert "MACs" in figure.layout.xaxis.title.text or metric != "macs"


def test_trials_over_the_budget_are_open_circles(content: ReportContent) -> None:
    over = [replace(trial, fits=trial.number > 2) for trial in content.complete]

    figure = figures.accuracy_over_cost(over, "macs")

    assert len(_trace(figure, "does not fit").x) == 3
    assert _trace(figure, "does not fit").marker.symbol == "circle-open"


def test_limit_is_a_line_at_its_value(content: ReportContent) -> None:
    figure = figures.accuracy_over_cost(content.complete, "macs", limit=12_000_000)

    (line,) = figure.layout.shapes
    assert line.x0 == line.x1 == 12_000_000
    assert figure.layout.annotations[0].text == "limit 12M"


def test_distant_limit_is_told_in_words(content: ReportContent) -> None:
    figure = figures.accuracy_over_cost(content.complete, "weight_bytes", limit=745_472)

    assert not figure.layout.shapes
    assert figure.layout.annotations[0].text.startswith("limit 728 KB, beyond")


def test_limit_on_a_log_axis_is_placed_by_its_exponent(content: ReportContent) -> None:
    trials = [
        replace(trial, costs={"macs": 10**power})
        for trial, power in zip(content.complete, (3, 4, 5), strict=False)
    ]

    figure = figures.accuracy_over_cost(trials, "macs", limit=10**6)

    assert figure.layout.xaxis.type == "log"
    assert figure.layout.shapes[0].x0 == 10**6
    assert figure.layout.annotations[0].x == pytest.approx(6)


def test_one_trial_is_enough(content: ReportContent) -> None:
    trial = content.complete[0]

    figure = figures.accuracy_over_cost([trial], "macs", winner=trial.proposal.architecture)
    assert figure.layout.xaxis.range[0] < trial.costs["macs"] < figure.layout.xaxis.range[1]
    assert figure.layout.yaxis.range[0] < _accuracy(trial) < figure.layout.yaxis.range[1]
    assert figures.progress([trial]).layout.xaxis.dtick == 1


def test_best_so_far_never_falls_and_reaches_the_last_trial(content: ReportContent) -> None:
    figure = figures.progress(content.trials)

    best = _trace(figure, "best so far")
    seen: list[float] = []
    for trial, value in zip(content.complete, best.y[:-1], strict=True):
        seen.append(_accuracy(trial))
        assert value == max(seen)
    assert best.x[-1] == max(trial.number for trial in content.trials)
    assert best.y[-1] == max(seen)


def test_failed_trials_are_marked_with_their_reasons(content: ReportContent) -> None:
    failed = _trace(figures.progress(content.trials), "failed")

    assert list(failed.x) == [4, 17]
    assert all("failed: TrainingError: the loss is not a number" in text for text in failed.text)


def test_finalists_have_rings(content: ReportContent) -> None:
    refined = [candidate.architecture for candidate in content.candidates]

    rings = _trace(figures.progress(content.trials, refined=refined), "trained in full")

    assert len(rings.x) == 3


def test_only_failed_trials(content: ReportContent) -> None:
    figure = figures.progress(content.failed)

    assert list(_trace(figure, "failed").x) == [4, 17]
    assert not _trace(figure, "best so far").x


def test_learning_curves_of_those_that_have_one(content: ReportContent) -> None:
    candidates = (replace(content.candidates[0], curve=()), *content.candidates[1:])

    figure = figures.learning_curves(candidates)

    assert len(figure.data) == 2
    assert figure.data[0].name.startswith(content.candidates[1].architecture.key[:8])
    assert list(figure.data[0].x) == [step for step, _ in content.candidates[1].curve]
    assert figure.data[0].line.dash != figure.data[1].line.dash


def test_confusion_matrix_is_shaded_by_rows_and_bears_counts() -> None:
    figure = figures.confusion_matrix(("cat", "dog", "none"), ((3, 1, 0), (0, 8, 2), (0, 0, 0)))

    (cells,) = figure.data
    assert [list(row) for row in cells.z] == [[75, 25, 0], [0, 80, 20], [0, 0, 0]]
    assert [list(row) for row in cells.text] == [["3", "1", ""], ["", "8", "2"], ["", "", ""]]
    assert "predicted: <b>dog</b><br>1 of 4 (25.0 %)" in cells.hovertext[0][1]


def test_names_are_escaped(content: ReportContent) -> None:
    reason = replace(content.failed[0], reason=HOSTILE)

    drawn = (
        figures.progress([reason]).to_json(),
        figures.confusion_matrix((HOSTILE,), ((1,),)).to_json(),
    )

    assert all("u003cimg" not in text and "&lt;img" in text for text in drawn)
