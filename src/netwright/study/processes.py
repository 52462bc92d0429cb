"""Trials in processes of this machine: one process each, and one thread unless the estimator takes more."""

from __future__ import annotations

import atexit
import os
import pickle
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import connection, context, forkserver, get_context, resource_tracker
from types import TracebackType
from typing import Any

import psutil

from netwright.errors import ConfigError, StudyError
from netwright.study.context import TrialSettings, one_line, read_curve
from netwright.study.executor import Message, Outcome, Report
from netwright.study.worker import (
    DONE,
    DRIVER_SIGNALS,
    FAILED,
    ONE_THREAD,
    REPORT,
    STARTED,
    UNUSABLE,
    run_trial,
)
from netwright.trial import Estimator, Proposal

SECONDS_BETWEEN_MEMORY_READINGS = 0.2
SECONDS_TO_DIE = 10.0


@dataclass(slots=True)
class _Run:
    """One trial process, as the driver sees it."""

    settings: TrialSettings
    process: context.ForkServerProcess
    messages: connection.Connection
    started: float
    clock: float
    began: bool = False
    over_limit: str | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.clock


class ProcessExecutor:
    """Evaluates each proposal in a process of its own, whose libraries start with one thread.

    Processes are forked from a server process that has imported the ``preload`` modules once (Python's
    ``forkserver``). A trial that raises, dies or exceeds a limit becomes a failed trial and harms nobody
    else. If the driver dies, the trials end with it. What an estimator prints goes to ``output.txt`` in the
    trial's folder, the traceback of an exception to ``error.txt``.

    The estimator is pickled: define its class in a module. A script that starts a search must do so under
    ``if __name__ == "__main__":``.

    Args:
        workers: how many trials run at once.
        memory_limit_bytes: resident memory (RSS) above which a trial is ended, or None. It is read every 0.2
            s.
        timeout_s: seconds after which a trial is ended, or None.
        preload: modules to import once instead of in each trial, e.g. ``("torch",)``. The first executor of a
            process decides.

    Raises:
        ConfigError: if a limit or the number of workers is not positive.
    """

    def __init__(
        self,
        workers: int,
        memory_limit_bytes: int | None = None,
        timeout_s: float | None = None,
        preload: Sequence[str] = (),
    ) -> None:
        for name, value in (
            ("workers", workers),
            ("memory_limit_bytes", memory_limit_bytes),
            ("timeout_s", timeout_s),
        ):
            if value is not None and value <= 0:
                raise ConfigError(f"{name}: expected more than 0, got {value}")
        self._workers = workers
        self._memory_limit = memory_limit_bytes
        self._timeout = timeout_s
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload([run_trial.__module__, *preload])
        self._runs: dict[int, _Run] = {}
        self._pickled: tuple[Estimator, bytes] | None = None
        # When the interpreter ends, multiprocessing waits for its children; what registers later runs before.
        self._at_exit = partial(_end_all, self._runs)
        atexit.register(self._at_exit)

    @property
    def workers(self) -> int:
        """How many evaluations can run at once."""
        return self._workers

    def start(self, proposal: Proposal, estimator: Estimator, settings: TrialSettings) -> None:
        """Begin to evaluate a proposal in a new process."""
        payload = self._pickle(estimator)
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(target=run_trial, args=(sender, payload, proposal, settings))
        try:
            _start_server()
            process.start()
        except (OSError, EOFError) as error:
            receiver.close()
            raise StudyError(_cannot_start(one_line(error))) from error
        finally:
            sender.close()
        self._runs[proposal.number] = _Run(settings, process, receiver, time.time(), time.monotonic())

    def wait(self, wake: int) -> list[Message]:
        """Sleep until a trial reports or ends, a limit is exceeded, or ``wake`` can be read."""
        messages: list[Message] = []
        while self._runs and not messages:
            sources: list[Any] = [wake]
            for run in self._runs.values():
                sources += [run.messages, run.process.sentinel]
            ready = connection.wait(sources, self._seconds_to_next_check())
            for run in list(self._runs.values()):
                if run.messages in ready or run.process.sentinel in ready:
                    messages.extend(self._receive(run))
                else:
                    self._enforce_limits(run)
            if wake in ready:
                break
        return messages

    def cancel_all(self) -> None:
        """Kill all trial processes."""
        _end_all(self._runs)

    def close(self) -> None:
        """Kill all trial processes; a second time does nothing."""
        self.cancel_all()
        atexit.unregister(self._at_exit)
        self._pickled = None

    def __enter__(self) -> ProcessExecutor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _pickle(self, estimator: Estimator) -> bytes:
        """Pickle an estimator once; it may hold a whole data set."""
        if self._pickled is None or self._pickled[0] is not estimator:
            try:
                self._pickled = (estimator, pickle.dumps(estimator, protocol=pickle.HIGHEST_PROTOCOL))
            except Exception as error:
                raise ConfigError(
                    f"estimator {type(estimator).__name__}: cannot be sent to a trial process "
                    f"({one_line(error)}); define it, and the functions it holds, at the top of a module"
                ) from error
        return self._pickled[1]

    def _seconds_to_next_check(self) -> float | None:
        """Seconds until a limit has to be looked at; None if none has."""
        waits = []
        if self._memory_limit is not None:
            waits.append(SECONDS_BETWEEN_MEMORY_READINGS)
        if self._timeout is not None:
            waits.extend(self._timeout - run.seconds for run in self._runs.values() if not run.over_limit)
        return max(0.0, min(waits)) if waits else None

    def _enforce_limits(self, run: _Run) -> None:
        """Kill a trial that exceeds a limit; its end is then noticed as any other."""
        if run.over_limit:
            return
        if self._timeout is not None and run.seconds >= self._timeout:
            run.over_limit = f"took longer than the limit of {self._timeout:g} s"
        elif self._memory_limit is not None:
            used = _resident_bytes(run.process.pid)
            if used > self._memory_limit:
                run.over_limit = f"used {size(used)}, more than the limit of {size(self._memory_limit)}"
        if run.over_limit:
            _kill(run)

    def _receive(self, run: _Run) -> list[Message]:
        """Take in what a trial has sent; the last message, or its death, makes the outcome."""
        reports: list[Message] = []
        try:
            while run.messages.poll():
                kind, *content = run.messages.recv()
                if kind == STARTED:
                    run.began, run.started, run.clock = True, content[0], time.monotonic()
                elif kind == REPORT:
                    reports.append(Report(run.settings.number, *content))
                elif kind == UNUSABLE:
                    self._forget(run)
                    raise StudyError(_cannot_start(content[0]))
                else:
                    return [*reports, self._outcome(run, kind, *content)]
        except (EOFError, OSError):
            run.process.join(SECONDS_TO_DIE)
            _kill(run)  # if it has closed the pipe and lives on
            run.process.join()
        if run.process.exitcode is None:
            return reports
        reason = run.over_limit or _reason(run.process.exitcode)
        if not run.began and not run.over_limit and run.process.exitcode >= 0:
            self._forget(run)
            raise StudyError(_cannot_start(f"it {reason}"))
        # Killed, it cannot tell its time itself.
        return [*reports, self._outcome(run, FAILED, reason, run.seconds)]

    def _outcome(self, run: _Run, kind: str, content: Any, seconds: float) -> Outcome:
        self._forget(run)
        metrics, reason = (content, None) if kind == DONE else (None, content)
        number, curve = run.settings.number, read_curve(run.settings.workdir)
        return Outcome(number, metrics, reason, curve, run.started, seconds)

    def _forget(self, run: _Run) -> None:
        del self._runs[run.settings.number]
        _release(run)


def size(count: int) -> str:
    """Write a number of bytes for people; KB, MB, GB are powers of 1024.

    >>> size(3 * 1024**3 + 100 * 1024**2), size(512 * 1024)
    ('3.1 GB', '512.0 KB')
    """
    for unit, factor in (("GB", 1024**3), ("MB", 1024**2)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count / 1024:.1f} KB"


def _start_server() -> None:
    """Make sure that the fork server runs, with the environment and the signals of trial processes.

    It must not hear Ctrl-C, nor a SIGTERM to the whole group. Blocked signals stay blocked in what it forks,
    and here they are delivered as soon as they are unblocked, so none is lost.
    """
    # On its own, since starting it unblocks the signals.
    resource_tracker.ensure_running()
    saved = {name: os.environ.get(name) for name in ONE_THREAD}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, DRIVER_SIGNALS)
    os.environ.update(ONE_THREAD)
    try:
        forkserver.ensure_running()
    finally:
        for name, value in saved.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _end_all(runs: dict[int, _Run]) -> None:
    for run in runs.values():
        _kill(run)
    for run in runs.values():
        _release(run)
    runs.clear()


def _kill(run: _Run) -> None:
    """Kill a trial process and what it has started."""
    if run.process.exitcode is not None or run.process.pid is None:
        return
    try:
        os.killpg(run.process.pid, signal.SIGKILL)
    except ProcessLookupError:
        run.process.kill()  # it has not formed its group yet


def _release(run: _Run) -> None:
    run.process.join()
    run.process.close()
    run.messages.close()


def _resident_bytes(pid: int | None) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _reason(exit_code: int) -> str:
    if exit_code == -signal.SIGKILL:
        return "killed by SIGKILL (perhaps out of memory)"
    if exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code} before it gave a result"


def _cannot_start(detail: str) -> str:
    return (
        f"a trial process cannot begin its work ({detail}); what it printed is above. The estimator's class "
        'must be importable, and a script that starts a search must do so under `if __name__ == "__main__":`'
    )
