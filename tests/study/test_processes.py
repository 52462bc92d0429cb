from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from netwright.errors import ConfigError, StudyError
from netwright.study import Executor, Outcome, ProcessExecutor, Report, SerialExecutor, TrialSettings
from netwright.study.processes import size
from netwright.trial import Context, Metric, Proposal
from tests.study.probes import ACCURACY, SPACE, Table, accuracy_of

ROOT = Path(__file__).parents[2]
ARCHITECTURE = SPACE.of({"depth": 1, "width": 8, "kernel1": 3, "act": "relu"})


@pytest.fixture
def wake() -> Iterator[int]:
    reader, writer = os.pipe()
    yield reader
    os.close(reader)
    os.close(writer)


def evaluate(
    executor: Executor, estimator: object, directory: Path, wake: int, number: int = 0
) -> tuple[list[Report], Outcome]:
    settings = TrialSettings(number, 11, directory)
    executor.start(Proposal(number, ARCHITECTURE), estimator, settings)  # type: ignore[arg-type]
    reports: list[Report] = []
    while True:
        for message in executor.wait(wake):
            if isinstance(message, Outcome):
                return reports, message
            reports.append(message)


@dataclass(frozen=True)
class Estimating:
    """The base of what is tested here: gives the accuracy 1."""

    metrics: tuple[Metric, ...] = (ACCURACY,)


@dataclass(frozen=True)
class Looking(Estimating):
    """Reports the world that a trial sees."""

    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        print("hello from the trial")
        os.write(2, b"and from native code\n")
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        return {
            ACCURACY.name: 1,
            "one_thread": all(os.environ[name] == "1" for name in names),
            "own_group": os.getpgrp() == os.getpid(),
            "torch": "torch" in sys.modules,
            "pid": os.getpid(),
        }


@dataclass(frozen=True)
class Resuming(Estimating):
    """Counts to 4 with a checkpoint after each step; dies at the step where it is told to."""

    die_at: int | None = None

    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        own = context.checkpoint_of(proposal.number)
        done = int(own.read_text()) if own else 0
        for step in range(done, 4):
            if step == self.die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            context.report(step, {ACCURACY.name: step / 4})
            (context.workdir / "new").write_text(str(step + 1))
            (context.workdir / "new").rename(context.workdir / "checkpoint.pt")
        return {ACCURACY.name: 1.0, "began_at": done}


@dataclass(frozen=True)
class Unimportable(Estimating):
    """Can be pickled here, but not unpickled there."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.listdir, ("/no/such/folder",)

    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        return {ACCURACY.name: 1.0}


@dataclass(frozen=True)
class Spawning(Estimating):
    """Starts a program, then does not end by itself."""

    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        with subprocess.Popen(["sleep", "3600"]) as program:
            context.report(0, {"program": program.pid, "trial": os.getpid()})
        return {ACCURACY.name: 1.0}


@dataclass(frozen=True)
class Signalled(Estimating):
    """Gets the signals that a terminal and a batch system send to the whole group."""

    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        return {ACCURACY.name: 1.0}


@dataclass(frozen=True)
class Returning(Estimating):
    """Returns what is no metrics."""

    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        return {ACCURACY.name: "high"}  # type: ignore[dict-item]


@pytest.fixture(params=[SerialExecutor, lambda: ProcessExecutor(1)], ids=["serial", "process"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    executor: Executor = request.param()
    yield executor
    executor.close()


def test_metrics_and_reports_come_back(executor: Executor, tmp_path: Path, wake: int) -> None:
    reports, outcome = evaluate(executor, Table(), tmp_path, wake)
    accuracy = accuracy_of(ARCHITECTURE, 11)
    assert outcome.metrics == {ACCURACY.name: accuracy, "loss": 1 - accuracy}
    assert outcome.reason is None
    assert [report.step for report in reports] == [0, 1]
    assert [report.metrics[ACCURACY.name] for report in reports] == [accuracy / 2, accuracy]
    assert outcome.curve == tuple((report.step, report.metrics) for report in reports)
    assert outcome.seconds >= 0
    assert abs(outcome.started - time.time()) < 60


def test_an_exception_is_a_reason_in_one_line(executor: Executor, tmp_path: Path, wake: int) -> None:
    _, outcome = evaluate(executor, Table(faults={0: "raise"}), tmp_path, wake)
    assert outcome.metrics is None
    assert outcome.reason == "ValueError: the kernel is too large"
    assert len(outcome.curve) == 2
    trace = (tmp_path / "0" / "error.txt").read_text()
    assert "Traceback" in trace
    assert "misbehave" in trace


def test_what_is_no_metrics_is_a_reason(executor: Executor, tmp_path: Path, wake: int) -> None:
    _, outcome = evaluate(executor, Returning(), tmp_path, wake)
    assert outcome.reason == "TypeError: metric validation_accuracy: expected a number, got 'high'"


def test_nothing_running_is_no_wait(executor: Executor, wake: int) -> None:
    assert executor.wait(wake) == []


def test_a_retry_continues_its_curve(executor: Executor, tmp_path: Path, wake: int) -> None:
    _, unbroken = evaluate(executor, Resuming(), tmp_path / "unbroken", wake)
    with ProcessExecutor(1) as fragile:
        _, killed = evaluate(fragile, Resuming(die_at=2), tmp_path / "broken", wake)
    assert killed.reason == "killed by SIGKILL (perhaps out of memory)"
    assert len(killed.curve) == 2
    # A kill in the middle of a report leaves half a line.
    with (tmp_path / "broken" / "0" / "curve.jsonl").open("a") as file:
        file.write('\n[2, {"validation_acc')
    reports, resumed = evaluate(executor, Resuming(), tmp_path / "broken", wake)
    assert resumed.metrics == {ACCURACY.name: 1.0, "began_at": 2.0}
    assert [report.step for report in reports] == [2, 3]
    assert resumed.curve == unbroken.curve


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("exit", "ended with exit code 3 before it gave a result"),
        ("sys.exit", "SystemExit: 4"),
        ("kill", "killed by SIGKILL (perhaps out of memory)"),
        ("segfault", "killed by SIGSEGV"),
    ],
)
def test_a_death_is_a_reason_and_harms_nobody(tmp_path: Path, wake: int, fault: str, reason: str) -> None:
    with ProcessExecutor(2) as executor:
        _, outcome = evaluate(executor, Table(faults={0: fault}), tmp_path, wake)
        assert outcome.reason == reason
        assert outcome.metrics is None
        assert len(outcome.curve) == 2
        _, outcome = evaluate(executor, Table(), tmp_path, wake, number=1)
        assert outcome.reason is None
    if fault == "segfault":
        assert "misbehave" in (tmp_path / "0" / "output.txt").read_text()


@pytest.mark.faults
def test_a_trial_that_takes_too_much_memory_is_ended(tmp_path: Path, wake: int) -> None:
    limit = 600 * 1024**2
    with ProcessExecutor(1, memory_limit_bytes=limit) as executor:
        _, outcome = evaluate(executor, Table(faults={0: "allocate"}), tmp_path, wake)
    assert outcome.reason is not None
    used, _, rest = outcome.reason.removeprefix("used ").partition(", ")
    assert rest == "more than the limit of 600.0 MB"
    assert used.endswith((" MB", " GB"))


def test_a_trial_that_takes_too_long_is_ended(tmp_path: Path, wake: int) -> None:
    with ProcessExecutor(1, timeout_s=0.5) as executor:
        _, outcome = evaluate(executor, Table(faults={0: "hang"}), tmp_path, wake)
    assert outcome.reason == "took longer than the limit of 0.5 s"
    assert outcome.seconds >= 0.5


def test_the_world_of_a_trial(tmp_path: Path, wake: int, capfd: pytest.CaptureFixture[str]) -> None:
    with ProcessExecutor(1) as executor:
        _, outcome = evaluate(executor, Looking(), tmp_path, wake)
    assert outcome.metrics is not None
    assert outcome.metrics["one_thread"] == outcome.metrics["own_group"] == 1.0
    assert outcome.metrics["torch"] == 0.0
    assert not psutil.pid_exists(int(outcome.metrics["pid"]))
    assert (tmp_path / "0" / "output.txt").read_text() == "hello from the trial\nand from native code\n"
    assert capfd.readouterr() == ("", "")


@pytest.mark.faults
def test_preloaded_modules_are_there_from_the_start(tmp_path: Path) -> None:
    # In a process of its own, since the first executor of a process decides what is preloaded.
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\n"
        "from pathlib import Path\n"
        "from netwright.study import ProcessExecutor\n"
        "from tests.study.test_processes import Preloaded, evaluate\n"
        "if __name__ == '__main__':\n"
        "    with ProcessExecutor(1, preload=('colorsys',)) as executor:\n"
        "        _, outcome = evaluate(executor, Preloaded(), Path(sys.argv[1]), os.pipe()[0])\n"
        "    print(outcome.metrics['preloaded'])\n"
    )
    assert run(script, tmp_path / "trials").stdout == "1.0\n"


@dataclass(frozen=True)
class Preloaded(Estimating):
    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        return {ACCURACY.name: 1.0, "preloaded": "colorsys" in sys.modules}


def run(script: Path, *arguments: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_signals_for_the_driver_do_not_end_a_trial(tmp_path: Path, wake: int) -> None:
    with ProcessExecutor(1) as executor:
        _, outcome = evaluate(executor, Signalled(), tmp_path, wake)
    assert outcome.metrics == {ACCURACY.name: 1.0}


def test_starting_leaves_the_drivers_signals_and_environment_alone(tmp_path: Path, wake: int) -> None:
    environment = dict(os.environ)
    with ProcessExecutor(1) as executor:
        evaluate(executor, Table(), tmp_path, wake)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()
    assert dict(os.environ) == environment


def test_cancelling_ends_a_trial_and_what_it_has_started(tmp_path: Path, wake: int) -> None:
    with ProcessExecutor(1) as executor:
        executor.start(Proposal(0, ARCHITECTURE), Spawning(), TrialSettings(0, 1, tmp_path))
        (report,) = executor.wait(wake)
        assert isinstance(report, Report)
        processes = [psutil.Process(int(report.metrics[name])) for name in ("trial", "program")]
        executor.cancel_all()
        assert executor.wait(wake) == []
        _, alive = psutil.wait_procs(processes, timeout=30)
        assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
        _, outcome = evaluate(executor, Table(), tmp_path, wake, number=1)
        assert outcome.reason is None


def test_waiting_ends_when_the_wake_up_comes(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with ProcessExecutor(1) as executor:
        hanging = Table(faults={0: "hang"}, steps=0)
        executor.start(Proposal(0, ARCHITECTURE), hanging, TrialSettings(0, 1, tmp_path))
        os.write(writer, b"!")
        assert executor.wait(reader) == []
    os.close(reader)
    os.close(writer)


def test_two_run_at_once(tmp_path: Path, wake: int) -> None:
    with ProcessExecutor(2) as executor:
        hanging = Table(faults={0: "hang"}, steps=0)
        executor.start(Proposal(0, ARCHITECTURE), hanging, TrialSettings(0, 1, tmp_path))
        _, outcome = evaluate(executor, Table(), tmp_path, wake, number=1)
        assert outcome.number == 1


def test_an_estimator_that_cannot_be_pickled(tmp_path: Path, wake: int) -> None:
    class Local(Estimating):
        pass

    with (
        ProcessExecutor(1) as executor,
        pytest.raises(ConfigError, match=r"estimator Local: .*at the top"),
    ):
        evaluate(executor, Local(), tmp_path, wake)


def test_an_estimator_that_cannot_be_unpickled(tmp_path: Path, wake: int) -> None:
    with (
        ProcessExecutor(1) as executor,
        pytest.raises(StudyError, match=r"cannot begin its work \(FileNotFoundError: .*importable"),
    ):
        evaluate(executor, Unimportable(), tmp_path, wake)


@dataclass(frozen=True)
class Heavy(Estimating):
    """Larger than a pipe, so that sending it fails in the middle."""

    ballast: bytes = bytes(10**7)

    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        return {ACCURACY.name: 1.0, "bytes": len(self.ballast)}


def test_an_estimator_may_hold_a_data_set(tmp_path: Path, wake: int) -> None:
    with ProcessExecutor(2) as executor:
        _, outcome = evaluate(executor, Heavy(), tmp_path, wake)
    assert outcome.metrics == {ACCURACY.name: 1.0, "bytes": 10**7}


@pytest.mark.faults
@pytest.mark.parametrize("estimator", ["Returning", "Heavy"])
def test_a_script_without_the_guard_is_told_so(tmp_path: Path, estimator: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\n"
        "from pathlib import Path\n"
        "from netwright.study import ProcessExecutor\n"
        f"from tests.study.test_processes import {estimator}, evaluate\n"
        f"evaluate(ProcessExecutor(1), {estimator}(), Path(sys.argv[1]), os.pipe()[0])\n"
    )
    result = run(script, tmp_path / "trials")
    assert result.returncode == 1
    assert "StudyError: a trial process cannot begin its work" in result.stderr.splitlines()[-1]
    assert "__main__" in result.stderr.splitlines()[-1]


@pytest.mark.faults
def test_a_forgotten_executor_does_not_hold_up_the_end_of_python(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\n"
        "from pathlib import Path\n"
        "from netwright.study import ProcessExecutor, TrialSettings\n"
        "from netwright.trial import Proposal\n"
        "from tests.study.test_processes import ARCHITECTURE, Table\n"
        "if __name__ == '__main__':\n"
        "    executor = ProcessExecutor(1)\n"
        "    settings = TrialSettings(0, 1, Path(sys.argv[1]))\n"
        "    executor.start(Proposal(0, ARCHITECTURE), Table(faults={0: 'hang'}), settings)\n"
        "    executor.wait(os.pipe()[0])\n"
    )
    result = run(script, tmp_path / "trials")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("arguments", [{"workers": 0}, {"timeout_s": 0.0}, {"memory_limit_bytes": -1}])
def test_limits_must_be_positive(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="expected more than 0"):
        ProcessExecutor(**{"workers": 1, **arguments})


def test_sizes_are_written_for_people() -> None:
    assert [size(0), size(1536), size(600 * 1024**2)] == ["0.0 KB", "1.5 KB", "600.0 MB"]


@dataclass(frozen=True)
class Lasting(Estimating):
    """Takes a tenth of a second, then gives or raises."""

    fails: bool = False

    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        time.sleep(0.1)
        if self.fails:
            raise ValueError("at the end")
        return {ACCURACY.name: 1.0}


@pytest.mark.parametrize("fails", [False, True])
def test_a_trial_tells_its_times_however_late_the_driver_listens(
    tmp_path: Path, wake: int, fails: bool
) -> None:
    with ProcessExecutor(1) as executor:
        executor.start(Proposal(0, ARCHITECTURE), Lasting(fails=fails), TrialSettings(0, 11, tmp_path))
        [run] = executor._runs.values()
        run.process.join()
        late = time.time()
        [outcome] = executor.wait(wake)
    assert isinstance(outcome, Outcome)
    assert (outcome.metrics is None) == fails
    assert outcome.seconds >= 0.1
    # What it took is over when it is read.
    assert outcome.started + outcome.seconds <= late
