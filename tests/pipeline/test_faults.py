"""The real command, really killed: nothing is lost, nothing is repeated, and the same comes out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import psutil
import pytest

from netwright.cli.main import main
from netwright.errors import StudyError
from netwright.study import read_study
from netwright.study.locks import DriverLock
from netwright.study.store import LOCK
from tests.pipeline.small import history_of

pytestmark = pytest.mark.faults

TRIALS = 5
TIMED = {"search_seconds", "final_seconds", "process_seconds", "command"}


@dataclass(frozen=True)
class Search:
    """A running ``netwright search``, in a process group of its own, as a shell gives it one."""

    process: subprocess.Popen[str]
    out: Path
    log: Path

    @property
    def said(self) -> str:
        """Standard error so far."""
        return self.log.read_text(encoding="utf-8")

    def wait_until(self, happened: Callable[[Search], bool]) -> None:
        while not happened(self):
            assert self.process.poll() is None, f"the search ended too early:\n{self.said}"
            time.sleep(0.01)

    def end(self) -> str:
        """Wait for its end, and give its standard output."""
        output, _ = self.process.communicate(timeout=300)
        return output

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def trial_processes(self) -> list[psutil.Process]:
        """The processes of running trials: each leads a group of its own."""
        return [child for child in self.descendants() if os.getpgid(child.pid) == child.pid]


@contextmanager
def search(out: Path, *options: str, trials: int | None = TRIALS) -> Iterator[Search]:
    log = out.with_name(f"{out.name}.log")
    limit = [] if trials is None else ["--trials", str(trials)]
    command = [
        *(sys.executable, "-m", "netwright", "search", "--data", "digits", "--out", str(out), *limit),
        *("--epochs", "1", "--fidelity", "0.5", "--top", "2", "--max-macs", "300k", *options),
    ]
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        ) as process,
    ):
        try:
            yield Search(process, out, log)
        finally:
            process.kill()


def finish(out: Path, *options: str, trials: int | None = TRIALS) -> tuple[int, str, str]:
    """Run to the end: exit code, output and what was said."""
    with search(out, *options, trials=trials) as running:
        output = running.end()
        return running.process.returncode, output, running.said


def shown(out: Path) -> dict[str, Any]:
    """What ``netwright show --json`` prints, without timings."""
    with redirect_stdout(StringIO()) as printed:
        assert main(["show", str(out), "--json"]) == 0
    content = json.loads(printed.getvalue())
    for trial in content["trials"]:
        del trial["seconds"]
    if content["result"] is not None:
        for name in TIMED:
            del content["result"][name]
    return dict(content)


def finals_of(out: Path) -> list[dict[str, Any]]:
    [folder] = (out / "final").iterdir()
    return history_of(folder).comparable()


def assert_all_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


@dataclass(frozen=True)
class Unbroken:
    """What a search gives that nobody disturbs."""

    shown: dict[str, Any]
    history: list[dict[str, Any]]
    finals: list[dict[str, Any]]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Unbroken:
    out = tmp_path_factory.mktemp("unbroken") / "run"
    code, output, said = finish(out, "--workers", "1")
    assert code == 0, said
    assert output.startswith("test accuracy ")
    content = shown(out)
    assert sorted(trial["number"] for trial in content["trials"]) == list(range(TRIALS))
    return Unbroken(content, history_of(out).comparable(), finals_of(out))


def assert_as_unbroken(out: Path, unbroken: Unbroken) -> None:
    assert shown(out) == unbroken.shown
    assert history_of(out).comparable() == unbroken.history
    assert finals_of(out) == unbroken.finals


def first_trials(running: Search) -> bool:
    return any(running.out.glob("trials/*/.lock"))


def between(running: Search) -> bool:
    return "search   2/5" in running.said


def final_trainings(running: Search) -> bool:
    return any(running.out.glob("final/*/trials/*/curve.jsonl"))


def exporting(running: Search) -> bool:
    return "\nexport " in running.said


@pytest.mark.parametrize(
    ("moment", "workers"),
    [
        (first_trials, "1"),
        (first_trials, "2"),
        (between, "1"),
        (between, "2"),
        (final_trainings, "1"),
        (final_trainings, "2"),
        (exporting, "2"),
    ],
)
def test_kill_9_and_the_same_command_again(
    tmp_path: Path, unbroken: Unbroken, moment: Callable[[Search], bool], workers: str
) -> None:
    out = tmp_path / "run"
    with search(out, "--workers", workers) as running:
        running.wait_until(moment)
        children = running.descendants()
        assert children
        running.process.kill()
        running.process.wait()
        assert_all_gone(children)
    assert not (out / "result.json").exists()
    before = history_of(out)
    assert all(trial == unbroken.history[trial["number"]] for trial in before.comparable())
    code, _, said = finish(out, "--workers", workers)
    assert code == 0, said
    assert "search   going on after" in said
    assert_as_unbroken(out, unbroken)
    # What was finished was not run again: it has its first times.
    after = {trial.number: (trial.started, trial.seconds) for trial in history_of(out)}
    assert all(after[trial.number] == (trial.started, trial.seconds) for trial in before)


@pytest.mark.parametrize("moment", [between, final_trainings, exporting])
def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(
    tmp_path: Path, unbroken: Unbroken, moment: Callable[[Search], bool]
) -> None:
    out = tmp_path / "run"
    with search(out, "--workers", "2") as running:
        running.wait_until(moment)
        children = running.descendants()
        os.killpg(running.process.pid, signal.SIGINT)
        output = running.end()
        assert (running.process.returncode, output) == (130, "")
        assert running.said.endswith("\nstopped; the same command goes on from here\n")
        assert "Traceback" not in running.said
        assert_all_gone(children)
    assert shown(out)["result"] is None
    code, _, said = finish(out, "--workers", "2")
    assert code == 0, said
    assert_as_unbroken(out, unbroken)


def test_a_trial_that_is_killed_fails_and_the_job_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with search(out, "--workers", "1") as running:
        running.wait_until(first_trials)
        [trial] = running.trial_processes()
        trial.kill()
        output = running.end()
        assert running.process.returncode == 0, running.said
        assert "trial 0: failed: killed by SIGKILL (perhaps out of memory)" in running.said
    assert f"{TRIALS} trials, 1 failed in " in output
    history = history_of(out)
    assert [trial.number for trial in history.failed] == [0]
    assert history.failed[0].reason == "killed by SIGKILL (perhaps out of memory)"
    assert len(history.completed) == TRIALS - 1
    content = shown(out)
    assert content["trials"][-1]["state"] == "failed"
    assert content["result"]["failed_trials"] == 1


def test_a_second_search_in_the_same_run_directory_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "run"
    # Long enough for the second process to start, load torch and be refused on a busy machine.
    with search(out, "--workers", "2", trials=40) as running:
        running.wait_until(first_trials)
        second = subprocess.run(running.process.args, capture_output=True, text=True, timeout=120)
        assert (second.returncode, second.stdout) == (2, "")
        last = second.stderr.splitlines()[-1]
        assert last.startswith(f"error: {out}: another search is running in this run directory (process ")
        assert f"process {running.process.pid} on" in last
        for moment in (final_trainings, exporting):  # to the end
            running.wait_until(moment)
            with pytest.raises(StudyError, match="another search is running"):
                DriverLock(out / LOCK)
        running.end()
        assert running.process.returncode == 0, running.said
    DriverLock(out / LOCK).release()


def test_minutes_bound_the_search_and_are_recorded(tmp_path: Path, unbroken: Unbroken) -> None:
    out = tmp_path / "run"
    code, _, said = finish(out, "--minutes", "0.02", trials=None)
    assert code == 0, said
    assert "search   the time is over: " in said
    history = history_of(out)
    with read_study(out) as study:
        [stop] = study.stops()
    assert (stop["reason"], stop["proposals"]) == ("deadline", len(history))
    assert 1 <= len(history) < 40
    # Exactly the beginning of a longer search.
    both = min(len(history), TRIALS)
    assert history.comparable()[:both] == unbroken.history[:both]
    result = json.loads((out / "result.json").read_text())
    assert result["stop"] == {"reason": "deadline", "minutes": 0.02}
    again = finish(out, "--minutes", "0.02", trials=None)
    assert (again[0], again[1].splitlines()[0]) == (
        0,
        f"this search is finished, nothing was done; {out} has its results",
    )
    code, _, said = finish(out, trials=len(history) + 1)
    assert code == 0, said
    longer = history_of(out).comparable()
    assert len(longer) == len(history) + 1
    assert longer[:-1] == history.comparable()
