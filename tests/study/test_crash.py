"""Real drivers, really killed: what was finished is kept, the rest is run again, nothing else differs."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from netwright.study import History, SerialExecutor, open_study, read_study, run_search
from tests.study import search_process
from tests.study.probes import SPACE, Climber, Table, costs_of, settings

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[2]
TRIALS = 10


@contextmanager
def driver(directory: Path, workers: int = 2, delay: float = 0.2) -> Iterator[subprocess.Popen[str]]:
    """A running search in a process group of its own, as a shell gives it one."""
    directory.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    arguments = [str(directory), str(workers), str(TRIALS), str(delay)]
    process = subprocess.Popen(
        [sys.executable, search_process.__file__, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], event: str, count: int) -> None:
    """Read what the driver tells until an event has come so many times."""
    assert process.stdout is not None
    for line in process.stdout:
        count -= line.startswith(event)
        if count == 0:
            return
    assert process.stderr is not None
    pytest.fail(f"the search ended before enough {event}: {process.stderr.read()}")


def history_of(directory: Path) -> History:
    with read_study(directory) as study:
        return study.history()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    directory = tmp_path_factory.mktemp("unbroken")
    with driver(directory, workers=1, delay=0) as process:
        output, errors = process.communicate(timeout=120)
    assert (output.splitlines()[-1], errors) == ("trials", "")
    content = history_of(directory).comparable()
    assert [trial["number"] for trial in content] == list(range(TRIALS))
    assert [trial["number"] for trial in content if trial["state"] == "failed"] == [3, 5]
    return content


def finish(directory: Path, workers: int) -> None:
    with driver(directory, workers, delay=0.05) as process:
        output, errors = process.communicate(timeout=120)
    assert (process.returncode, output.splitlines()[-1], errors) == (0, "trials", "")


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def assert_all_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.parametrize(
    ("event", "count"),
    [("Started", 2), ("Finished", 4), ("Finished", TRIALS - 1)],
    ids=["first", "middle", "end"],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_kill_9_loses_and_repeats_nothing(
    tmp_path: Path, unbroken: list[dict[str, Any]], workers: int, event: str, count: int
) -> None:
    with driver(tmp_path, workers) as process:
        read_until(process, event, count if event == "Finished" else min(count, workers))
        children = descendants(process)
        assert children
        process.kill()
        process.wait()
        assert_all_gone(children)
    before = history_of(tmp_path).comparable()
    assert len(before) >= (count if event == "Finished" else 0)
    assert all(trial == unbroken[trial["number"]] for trial in before)
    finish(tmp_path, workers)
    assert history_of(tmp_path).comparable() == unbroken
    evaluations = Counter(map(int, (tmp_path / "evaluations").read_text().split()))
    assert evaluations.keys() == {trial["number"] for trial in unbroken if trial["state"] == "complete"}
    assert all(evaluations[trial["number"]] == 1 for trial in before if trial["state"] == "complete")


def test_the_trials_of_a_killed_driver_end_with_it(tmp_path: Path) -> None:
    with driver(tmp_path, delay=1e6) as process:
        read_until(process, "Started", 2)
        children = descendants(process)
        assert len(children) >= 3  # the fork server and two trials
        process.kill()
        process.wait()
        assert_all_gone(children)


def test_killed_again_and_again_at_any_moment(tmp_path: Path, unbroken: list[dict[str, Any]]) -> None:
    moments = random.Random(5)
    for workers in (2, 1, 4, 3, 2):
        with driver(tmp_path, workers) as process:
            try:
                process.wait(timeout=moments.uniform(0.5, 3.0))
            except subprocess.TimeoutExpired:
                process.kill()
    finish(tmp_path, 2)
    assert history_of(tmp_path).comparable() == unbroken


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_stops_cleanly(
    tmp_path: Path, unbroken: list[dict[str, Any]], number: signal.Signals
) -> None:
    with driver(tmp_path) as process:
        read_until(process, "Finished", 3)
        children = descendants(process)
        os.killpg(process.pid, number)
        output, errors = process.communicate(timeout=60)
        assert (process.returncode, output.splitlines()[-1], errors) == (0, "interrupted", "")
        assert_all_gone(children)
    with read_study(tmp_path) as study:
        assert study.stops()[-1]["reason"] == "interrupted"
        assert 3 <= len(study.history()) < TRIALS
    finish(tmp_path, 2)
    assert history_of(tmp_path).comparable() == unbroken


def test_signals_to_the_trials_alone_change_nothing(tmp_path: Path, unbroken: list[dict[str, Any]]) -> None:
    with driver(tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Started"):
                for child in descendants(process):
                    for number in (signal.SIGINT, signal.SIGTERM):
                        try:
                            child.send_signal(number)
                        except psutil.NoSuchProcess:
                            break
        assert process.stderr is not None
        assert (line, process.stderr.read()) == ("trials\n", "")
    assert history_of(tmp_path).comparable() == unbroken


def search_here(directory: Path) -> None:
    with open_study(directory, settings()) as study:
        run_search(SPACE, Climber(), Table(steps=1), study, SerialExecutor(), costs_of=costs_of, trials=2)


def search_and_die(directory: Path, commits: int) -> None:
    """Search, but die in front of a certain commit to the database."""
    left = commits

    class Dying(sqlite3.Connection):
        def commit(self) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            super().commit()

    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **options: connect(*args, factory=Dying, **options)  # type: ignore[assignment, misc, unused-ignore]
    search_here(directory)


def test_death_in_front_of_every_single_commit(tmp_path: Path) -> None:
    search_here(tmp_path / "unbroken")
    whole = history_of(tmp_path / "unbroken").comparable()
    context = multiprocessing.get_context("fork")
    for commits in range(1, 200):
        directory = tmp_path / str(commits)
        process = context.Process(target=search_and_die, args=(directory, commits))
        process.start()
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        search_here(directory)
        assert history_of(directory).comparable() == whole, f"died in front of commit {commits}"
    assert commits > 2 * 6
    assert history_of(directory).comparable() == whole
