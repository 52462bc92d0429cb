"""The Pareto front of several objectives in the report."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import pytest

from netwright.report import ReportContent, render_report
from netwright.report.content import Front
from netwright.report.front import front_over_cost, front_rows, hypervolume_growth
from tests.report.sample import front_content, sample_content


@pytest.fixture(scope="module")
def content() -> ReportContent:
    return front_content()


def front_of(content: ReportContent) -> Front:
    assert content.front is not None
    return content.front


def trace(figure: go.Figure, name: str) -> Any:
    return next(one for one in figure.data if one.name == name)


def beaten(content: ReportContent, number: int) -> bool:
    """Whether another trial is as good in accuracy, MACs and memory, and better in one."""

    def losses(trial: Any) -> tuple[float, ...]:
        costs = trial.costs
        return -trial.metrics["validation_accuracy"], costs["macs"], costs["peak_activation_bytes"]

    mine = next(losses(trial) for trial in content.complete if trial.number == number)
    return any(
        all(a <= b for a, b in zip(losses(other), mine, strict=True)) and losses(other) != mine
        for other in content.complete
    )


@pytest.mark.parametrize("index", [1, 2])
def test_every_trial_is_in_the_figure_by_what_it_is(content: ReportContent, index: int) -> None:
    front = front_of(content)
    cost = front.objectives[index]
    figure = front_over_cost(
        content.complete,
        front,
        cost,
        refined=[one.architecture for one in content.candidates],
        winner=content.winner,
    )
    for name, expected in (
        ("Pareto front", [trial for trial in content.complete if not beaten(content, trial.number)]),
        ("dominated", [trial for trial in content.complete if beaten(content, trial.number)]),
    ):
        points = trace(figure, name)
        assert expected
        assert list(points.x) == [trial.costs[cost.name] for trial in expected]
        assert list(points.y) == [100 * trial.metrics["validation_accuracy"] for trial in expected]
    assert len(trace(figure, "trained in full").x) == len(content.candidates)
    winner = next(trial for trial in front.trials if trial.proposal.architecture == content.winner)
    assert list(trace(figure, "winner").x) == [winner.costs[cost.name]]


def test_the_colour_is_the_objective_that_is_not_shown(content: ReportContent) -> None:
    front = front_of(content)
    figure = front_over_cost(content.complete, front, front.objectives[1])
    marker = trace(figure, "Pareto front").marker
    assert list(marker.color) == [trial.costs["peak_activation_bytes"] for trial in front.trials]
    assert marker.colorbar.title.text == "Peak activation memory"
    assert all(text.endswith("KB") for text in marker.colorbar.ticktext)
    assert marker.cmin <= min(marker.color) <= max(marker.color) <= marker.cmax


def test_two_objectives_need_no_colours() -> None:
    content = front_content("params")
    figure = front_over_cost(content.complete, front_of(content), front_of(content).objectives[1])
    assert isinstance(trace(figure, "Pareto front").marker.color, str)
    assert "the figure does not show" not in render_report(content)


def test_each_cost_has_a_figure() -> None:
    page = render_report(front_content("macs", "params", "weight_bytes", "peak_activation_bytes"))
    names = re.findall(r'id="plot-front-(\w+)"', page)
    assert names == ["macs", "params", "weight_bytes", "peak_activation_bytes"]


def test_rows_are_the_front_best_first(content: ReportContent) -> None:
    rows = front_rows(content, front_of(content))
    assert {row.number for row in rows} == {trial.number for trial in front_of(content).trials}
    scores = [float(row.values[0].split("\N{NO-BREAK SPACE}")[0].rstrip(" %")) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert sum(row.winner for row in rows) == 1
    assert sum(bool(row.trained) for row in rows) == len(content.candidates)


def test_growth_is_drawn_as_it_is(content: ReportContent) -> None:
    figure = hypervolume_growth(content.trials, front_of(content))
    assert list(figure.data[0].y) == [100 * share for share in front_of(content).growth]
    assert list(figure.data[0].x) == list(range(30))


def test_the_page_says_it_in_words(content: ReportContent) -> None:
    page = render_report(content)
    count = len(front_of(content).trials)
    assert '<a href="#front">Pareto front</a>' in page
    assert (
        f"{count} of 28 trials are on the front of validation accuracy, multiply-accumulates (MACs), peak "
        "activation memory:" in page
    )
    assert f"Hypervolume {100 * front_of(content).hypervolume:.2f}" in page
    assert "<li>validation accuracy: 0 to 1</li>" in page


def test_with_one_objective_there_is_no_such_section() -> None:
    assert 'id="front"' not in render_report(sample_content())


def test_no_complete_trial(content: ReportContent) -> None:
    failed = replace(
        content,
        trials=tuple(trial for trial in content.trials if not trial.complete),
        front=replace(front_of(content), trials=(), growth=(0.0, 0.0)),
    )
    assert 'id="front"' not in render_report(failed)


def test_growth_must_have_a_share_for_each_trial(content: ReportContent) -> None:
    with pytest.raises(ValueError, match=r"report.front: expected a hypervolume for each of 30 trials"):
        replace(content, front=replace(front_of(content), growth=(0.5,)))
