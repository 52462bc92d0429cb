from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.errors import StudyError
from netwright.pipeline import read_result
from netwright.pipeline.outcome import FORMAT, busy_seconds, read_outcome
from netwright.space import unrank
from netwright.trial import Proposal, Trial, TrialState
from tests.pipeline.small import SPACE, prepared

ARCHITECTURE = unrank(SPACE, 0)


def trial(started: float, seconds: float) -> Trial:
    return Trial(
        proposal=Proposal(0, ARCHITECTURE),
        state=TrialState.COMPLETE,
        metrics={"validation_accuracy": 0.5},
        costs={},
        fits=True,
        seed=0,
        started=started,
        seconds=seconds,
    )


class TestBusySeconds:
    def test_none(self) -> None:
        assert busy_seconds([]) == 0

    def test_overlap_counts_once_and_a_pause_does_not(self) -> None:
        one, two, later = trial(100, 10), trial(105, 10), trial(1000, 3)
        assert busy_seconds([one]) == 10
        assert busy_seconds([one, two]) == 15
        assert busy_seconds([later, two, one]) == 18
        assert busy_seconds([one, trial(102, 3)]) == 10

    @given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=8))
    def test_it_is_the_number_of_seconds_in_which_something_ran(self, runs: list[tuple[int, int]]) -> None:
        busy = {second for start, length in runs for second in range(start, start + length)}
        assert busy_seconds([trial(start, length) for start, length in runs]) == len(busy)


class TestReadResult:
    def test_none(self, tmp_path: Path) -> None:
        assert read_result(tmp_path) is None
        assert read_result(tmp_path / "nowhere") is None
        file = tmp_path / "file"
        file.write_text("")
        assert read_result(file) is None

    @pytest.mark.parametrize("text", ["", '{"format": 1', "\x00"])
    def test_damaged(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "result.json").write_text(text)
        with pytest.raises(
            StudyError, match=r"result.json: expected the JSON of a finished search .*delete it to go on"
        ):
            read_result(tmp_path)

    @pytest.mark.parametrize("content", [{"format": FORMAT + 1}, {}, []])
    def test_another_version(self, tmp_path: Path, content: Any) -> None:
        (tmp_path / "result.json").write_text(json.dumps(content))
        with pytest.raises(
            StudyError, match=r"result.json: expected format 1, got another one.*delete it to write it anew"
        ):
            read_result(tmp_path)


class TestFinished:
    """When a job has nothing left to do."""

    @pytest.mark.parametrize(
        ("stored", "asked", "finished"),
        [
            (("trials", None, 4, 9.0), {"trials": 4}, True),
            (("trials", None, 4, 9.0), {"trials": 3}, True),
            (("trials", None, 4, 9.0), {"trials": 5}, False),
            (("trials", None, 62, 9.0), {"trials": 1000}, True),  # no more fit
            (("trials", None, 62, 9.0), {"trials": None, "minutes": 100}, True),
            (("exhausted", None, 10, 9.0), {"trials": 20}, True),
            (("exhausted", None, 10, 9.0), {"trials": None, "minutes": 100}, True),
            (("deadline", 2.0, 10, 119.0), {"trials": None, "minutes": 2}, True),
            (("deadline", 2.0, 10, 119.0), {"trials": None, "minutes": 1}, True),
            (("deadline", 2.0, 10, 119.0), {"trials": None, "minutes": 3}, False),
            (("deadline", 2.0, 10, 190.0), {"trials": None, "minutes": 3}, True),
            (("deadline", 2.0, 10, 119.0), {"trials": 10}, True),
            (("deadline", 2.0, 10, 119.0), {"trials": 11}, False),
            (("deadline", 2.0, 10, 119.0), {"trials": 11, "minutes": 2}, True),
            (("trials", 2.0, 4, 9.0), {"trials": None, "minutes": 2}, False),
        ],
    )
    def test_what_was_done_is_enough(
        self,
        tmp_path: Path,
        stored: tuple[str, float | None, int, float],
        asked: dict[str, Any],
        finished: bool,
    ) -> None:
        reason, minutes, trials, seconds = stored
        job = prepared(out=tmp_path, **asked)
        result = {
            "format": FORMAT,
            "settings": job.identity(),
            "stop": {"reason": reason, "minutes": minutes},
            "trials": trials,
            "search_seconds": seconds,
        }
        (tmp_path / "result.json").write_text(json.dumps(result))
        outcome = read_outcome(job)
        assert (outcome is not None) == finished
        if outcome is not None:
            assert outcome.already
            assert outcome.result == result

    def test_another_job(self, tmp_path: Path) -> None:
        job = prepared(out=tmp_path)
        result = {
            "format": FORMAT,
            "settings": prepared(seed=1).identity(),
            "stop": {"reason": "trials", "minutes": None},
            "trials": 4,
            "search_seconds": 1.0,
        }
        (tmp_path / "result.json").write_text(json.dumps(result))
        assert read_outcome(job) is None
