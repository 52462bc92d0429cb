"""What is said while a search runs. The events are made here; searches themselves are tested elsewhere."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from netwright.cli.progress import Watcher
from netwright.devices import format_cost
from netwright.pipeline import Checked, Exporting, Finishing, Loaded, Planned, Progress, Searching
from netwright.space import Count, costs_of, extremes, unrank
from netwright.study import Event, Finished, Reported, Resumed, Started, Stopped, StopReason
from netwright.trial import Proposal, Trial, TrialState
from tests.cli.terminal import Terminal
from tests.pipeline.small import SPACE

LOADED = Loaded("npz:a.npz", 1150, 288, 359, (1, 8, 8), 10, ("12 images were too small",))
CHECKED = Checked(
    SPACE.id,
    80,
    Count(62, 62),
    {name: extremes(SPACE, name) for name in ("macs", "params", "weight_bytes", "peak_activation_bytes")},
    ("macs at most 40k (max_macs)",),
)
PLANNED = Planned(trials=4, fitting=False, minutes=None, workers=2, epochs=20, fidelity=0.2, top=3)


def proposal(number: int) -> Proposal:
    return Proposal(number, unrank(SPACE, number))


def started(number: int) -> Started:
    return Started(proposal(number), costs_of(SPACE, proposal(number).architecture), 0)


def finished(number: int, accuracy: float | None, best: float | None, done: int) -> Finished:
    def trial(share: float | None) -> Trial:
        return Trial(
            proposal=proposal(number),
            state=TrialState.FAILED if share is None else TrialState.COMPLETE,
            metrics={} if share is None else {"validation_accuracy": share},
            costs=costs_of(SPACE, proposal(number).architecture),
            fits=True,
            seed=0,
            reason="ValueError: it broke" if share is None else None,
            seconds=12.3,
        )

    return Finished(trial(accuracy), None if best is None else trial(best), done)


Say = Callable[..., list[str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """The lines that are said about some events; nothing goes to standard output."""

    def lines(*progress: Progress) -> list[str]:
        with Watcher() as watcher:
            for one in progress:
                watcher(one)
        output, errors = capsys.readouterr()
        assert output == ""
        return list(errors.splitlines())

    return lines


def searching(*events: Event, trials: int | None = 4, left: float | None = None) -> list[Progress]:
    return [Searching(event, trials, left) for event in events]


def test_data(say: Say) -> None:
    assert say(LOADED) == [
        "data     npz:a.npz: 1,150 images train, 288 validate, 359 test; 1x8x8, 10 classes",
        "         12 images were too small",
    ]


def test_space_and_budget(say: Say) -> None:
    assert say(CHECKED) == [
        f"space    {SPACE.id}: 80 networks, of which 62 fit",
        "         3.34k to 73.5k MACs",
        "         350 to 2.37k parameters",
        "         588 B to 3.09 KB of weights",
        "         256 B to 1.41 KB of activations",
        "budget   macs at most 40k (max_macs)",
    ]
    assert say(replace(CHECKED, fitting=Count(80, 80)))[0].endswith(": 80 networks, and all fit")
    assert say(replace(CHECKED, fitting=Count(60, 63)))[0].endswith("80 networks, of which 60 to 63 fit")


@pytest.mark.parametrize(
    ("plan", "line"),
    [
        (PLANNED, "4 trials of about 4 epochs each, 2 at a time; then the best 3 in full (20 epochs)"),
        (
            replace(PLANNED, trials=1, fitting=True, top=1, epochs=1),
            "1 trial (no more networks fit) of about 0.2 epochs each, 2 at a time; then the best one in full "
            "(1 epoch)",
        ),
        (
            replace(PLANNED, epochs=2000, top=1),
            "4 trials of about 400 epochs each, 2 at a time; then the best one in full (2000 epochs)",
        ),
        (
            replace(PLANNED, trials=None, minutes=2.5),
            "trials of about 4 epochs each for 2.5 minutes, 2 at a time; then the best 3 in full (20 epochs)",
        ),
    ],
)
def test_plan(say: Say, plan: Planned, line: str) -> None:
    assert say(plan) == [f"plan     {line}"]


def test_a_search(say: Say) -> None:
    lines = say(
        *searching(
            started(0),
            started(1),
            Reported(0, 10, {"validation_accuracy": 0.4, "train_loss": 1.0}),
            Reported(0, 11, {"train_loss": 1.0}),
            finished(0, 0.5, 0.5, 1),
            finished(1, None, 0.5, 2),
            started(2),
            finished(2, 0.625, 0.625, 3),
            started(3),
            finished(3, 0.25, 0.625, 4),
            Stopped(StopReason.TRIALS, 4, 4),
        )
    )
    assert [re.sub(r"about \d+ s", "about N s", line) for line in lines] == [
        f"search   1/4, trial 0: 50.00% ({shown(0)} MACs, 12 s), best 50.00%, about N s left",
        f"search   2/4, trial 1: failed: ValueError: it broke ({shown(1)} MACs, 12 s), best 50.00%, "
        "about N s left",
        f"search   3/4, trial 2: 62.50% ({shown(2)} MACs, 12 s), best 62.50%, about N s left",
        f"search   4/4, trial 3: 25.00% ({shown(3)} MACs, 12 s), best 62.50%",
        "search   all trials are done: 4 finished",
    ]


def shown(number: int) -> str:
    """MACs of an architecture as they are said."""
    return format_cost("macs", costs_of(SPACE, unrank(SPACE, number))["macs"], exact=False)


def test_a_search_that_goes_on(say: Say) -> None:
    assert say(*searching(Resumed(2, ()))) == ["search   going on after 2 trials"]
    assert say(*searching(Resumed(1, (1, 2)))) == ["search   going on after 1 trial, 2 cut off and run again"]
    lines = say(*searching(Resumed(2, ()), started(2), finished(2, 0.5, 0.5, 3)))
    assert lines[1].startswith("search   3/4, trial 2: 50.00% ")


def test_where_only_the_time_is_limited(say: Say) -> None:
    lines = say(*searching(started(0), finished(0, 0.5, 0.5, 1), trials=None, left=240.0))
    assert lines == [f"search   1, trial 0: 50.00% ({shown(0)} MACs, 12 s), best 50.00%, about 4 min left"]
    lines = say(*searching(Stopped(StopReason.DEADLINE, 1, 1), trials=None, left=0.0))
    assert lines == ["search   the time is over: 1 finished"]


def test_the_smaller_of_both_limits(say: Say) -> None:
    [line] = say(*searching(started(0), finished(0, 0.5, 0.5, 1), trials=10**6, left=6000.0))
    assert line.endswith("left")
    assert "h left" not in line


def test_final_trainings_bear_the_numbers_of_the_search(say: Say) -> None:
    events = [Finishing(event, 2, (14, 3)) for event in (started(0), finished(0, 0.75, 0.75, 1))]
    stop = Finishing(Stopped(StopReason.INTERRUPTED, 2, 1, "SIGINT"), 2, (14, 3))
    lines = say(*searching(started(0), finished(0, 0.5, 0.5, 1)), *events, stop)
    assert lines[1].startswith(f"final    1/2, trial 14 in full: 75.00% ({shown(0)} MACs, 12 s), best 75.00%")
    assert lines[2] == "final    interrupted: 1 finished"


def test_export(say: Say) -> None:
    assert say(Exporting(14, 0.9861, Path("runs/a/export"))) == [
        "export   the network of trial 14 has the best validation accuracy, 98.61%: testing it once, then "
        "writing runs/a/export"
    ]


def test_a_line_is_as_long_as_it_is_and_means_what_it_says(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither wrapped to some width, nor read as markup."""
    monkeypatch.setenv("COLUMNS", "20")
    [line] = say(replace(LOADED, name="folder:[bold]/my [red]pictures", notes=()))
    assert line.startswith(
        "data     folder:[bold]/my [red]pictures: 1,150 images train, 288 validate, 359 test;"
    )


def test_on_a_terminal_a_live_line_says_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with Terminal() as terminal:
        with os.fdopen(terminal.writer, "w") as stream:
            monkeypatch.setattr(sys, "stderr", stream)
            with Watcher() as watcher:
                events: list[Event] = [
                    started(0),
                    started(1),
                    Reported(0, 1, {"validation_accuracy": 0.4}),
                    finished(1, 0.5, 0.5, 1),
                ]
                for one in searching(*events):
                    watcher(one)
        written = terminal.text()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
    assert f"search   1/4, trial 1: 50.00% ({shown(1)} MACs, 12 s), best 50.00%" in text
    assert re.search(r"search   1/4, best 50.00%, about \d+ s left; running: trial 0 40.0%", text)
    # What is above the live line is no older than the line.
    assert text.index("running: trial 0 40.0%") < text.index("search   1/4, trial 1: 50.00%")
    assert written.rstrip().endswith("\x1b[2K") or "\x1b[2K" in written[-20:]


def test_several_objectives(say: Say) -> None:
    """The plan says what is trained in full, and each trial how large the front is."""
    plan = replace(PLANNED, objectives=("accuracy", "macs", "sram"))
    events: list[Event] = [
        started(0),
        replace(finished(0, 0.5, 0.5, 1), front=1),
        started(1),
        finished(1, None, 0.5, 2),
    ]
    lines = say(LOADED, plan, *searching(*events[:2]))
    assert lines[2] == (
        "plan     4 trials of about 4 epochs each, 2 at a time; then up to 3 spread over the Pareto front of "
        "accuracy, macs, sram in full (20 epochs)"
    )
    assert ", best 50.00%, front of 1, about " in lines[3]
    one = say(replace(plan, top=1))
    assert "; then the most accurate of the Pareto front of accuracy, macs, sram in full" in one[0]
    # With one objective nothing is said of a front.
    assert "front" not in say(PLANNED, *searching(*events))[1]
