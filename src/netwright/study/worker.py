"""What runs inside a trial process: one evaluation, and then the end of the process."""

from __future__ import annotations

import faulthandler
import io
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from netwright.study.context import ERROR, LOCK, OUTPUT, TrialContext, TrialSettings, one_line, plain_metrics
from netwright.study.locks import hold_until_exit
from netwright.trial import Estimator, Proposal

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}
"""Environment of a trial process: numerical libraries read it when they are loaded."""

DRIVER_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Signals that are for the driver, which then ends its trials itself."""

STARTED, REPORT, DONE, FAILED, UNUSABLE = "started", "report", "done", "failed", "unusable"
"""Kinds of messages to the driver, each the first item of a tuple.

A trial tells its times itself, since the driver may read a message late: ``STARTED`` comes with the Unix
time, ``DONE`` and ``FAILED`` with the seconds since.
"""


def run_trial(connection: Connection, payload: bytes, proposal: Proposal, settings: TrialSettings) -> None:
    """Evaluate one proposal and send what comes of it; never returns.

    Args:
        connection: where messages go.
        payload: the pickled estimator.
        proposal: what to evaluate.
        settings: context of the trial.
    """
    _leave_the_terminal()
    threading.Thread(target=_end_with_the_driver, daemon=True).start()
    os.environ.update(ONE_THREAD)
    try:
        estimator: Estimator = pickle.loads(payload)
        context = TrialContext(settings, lambda step, metrics: connection.send((REPORT, step, metrics)))
        _write_into(context)
        hold_until_exit(context.workdir / LOCK)
    except BaseException as error:
        _send_last(connection, (UNUSABLE, one_line(error)))
        return
    connection.send((STARTED, time.time()))
    clock = time.perf_counter()
    try:
        metrics = plain_metrics(estimator(proposal, context))
    except BaseException as error:
        seconds = time.perf_counter() - clock
        (context.workdir / ERROR).write_text(traceback.format_exc(), encoding="utf-8")
        _send_last(connection, (FAILED, one_line(error), seconds))
    else:
        _send_last(connection, (DONE, metrics, time.perf_counter() - clock))


def _leave_the_terminal() -> None:
    """Form a group of our own, out of reach of Ctrl-C, that can be killed together with what we start.

    The signals were blocked since the birth of this process. A handler, unlike ignoring them, is not
    inherited by the programs that an estimator may run.
    """
    os.setpgid(0, 0)
    for number in DRIVER_SIGNALS:
        signal.signal(number, _leave_it_to_the_driver)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, DRIVER_SIGNALS)


def _leave_it_to_the_driver(number: int, frame: FrameType | None) -> None:
    pass


def _end_with_the_driver() -> None:
    driver = multiprocessing.parent_process()
    if driver is not None:
        multiprocessing.connection.wait([driver.sentinel])
        _end()


def _write_into(context: TrialContext) -> None:
    """Send what the estimator prints into the trial's folder; the terminal belongs to the driver."""
    with (context.workdir / OUTPUT).open("ab") as file:
        for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
            stream.flush()
            os.dup2(file.fileno(), descriptor)
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True)
    faulthandler.enable()  # a crash in native code leaves its Python stack there


def _send_last(connection: Connection, message: tuple[Any, ...]) -> None:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.send(message)
    finally:
        _end()


def _end() -> None:
    """End this process at once, and with it whatever the estimator has started and not ended."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)
