"""Where trials run: the protocol, what comes back, and the simplest place, the driver's own process."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from typing import Protocol

from netwright.study.context import ERROR, TrialContext, TrialSettings, one_line, plain_metrics, read_curve
from netwright.trial import CurvePoint, Estimator, Proposal


@dataclass(frozen=True, slots=True)
class Report:
    """Intermediate metrics of a running trial."""

    number: int
    step: int
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an evaluation.

    Attributes:
        number: number of the proposal.
        metrics: what the estimator returned, or None if there is a reason instead.
        reason: why there are no metrics.
        curve: everything that was reported.
        started: Unix time in seconds.
        seconds: wall time of the evaluation.
    """

    number: int
    metrics: dict[str, float] | None
    reason: str | None
    curve: tuple[CurvePoint, ...]
    started: float
    seconds: float


Message = Report | Outcome


class Executor(Protocol):
    """Runs evaluations; the driver never starts more than ``workers`` at once."""

    @property
    def workers(self) -> int:
        """How many evaluations can run at once."""

    def start(self, proposal: Proposal, estimator: Estimator, settings: TrialSettings) -> None:
        """Begin to evaluate a proposal.

        Raises:
            ConfigError: if the estimator cannot be sent to where it should run.
            StudyError: if the place where it should run does not work.
        """

    def wait(self, wake: int) -> list[Message]:
        """Sleep until something has happened, and give it in the order in which it happened.

        Args:
            wake: a file descriptor; returns, perhaps with nothing, as soon as it can be read.

        Raises:
            StudyError: if evaluations cannot even begin, as opposed to fail.
        """

    def cancel_all(self) -> None:
        """End all running evaluations at once; nothing more is heard of them."""

    def close(self) -> None:
        """Cancel what runs and give back what is held."""


class SerialExecutor:
    """Evaluates inside the driver's process.

    This is for tables and predictors, where a process would cost more than the evaluation, and for estimators
    that cannot be pickled. There is no protection: no limits, and an estimator that crashes the process ends
    the search, which can then be resumed. An exception becomes a failed trial as elsewhere.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[Proposal, Estimator, TrialSettings]] = []

    @property
    def workers(self) -> int:
        """Always one."""
        return 1

    def start(self, proposal: Proposal, estimator: Estimator, settings: TrialSettings) -> None:
        """Take a proposal; it is evaluated while the driver waits."""
        self._waiting.append((proposal, estimator, settings))

    def wait(self, wake: int) -> list[Message]:
        """Evaluate what was started last."""
        if not self._waiting:
            return []
        proposal, estimator, settings = self._waiting.pop()
        messages: list[Message] = []
        trial = TrialContext(
            settings, lambda step, metrics: messages.append(Report(proposal.number, step, metrics))
        )
        started, clock = time.time(), time.perf_counter()
        metrics, reason = None, None
        try:
            metrics = plain_metrics(estimator(proposal, trial))
        except Exception as error:
            (trial.workdir / ERROR).write_text(traceback.format_exc(), encoding="utf-8")
            reason = one_line(error)
        seconds = time.perf_counter() - clock
        curve = read_curve(trial.workdir)
        return [*messages, Outcome(proposal.number, metrics, reason, curve, started, seconds)]

    def cancel_all(self) -> None:
        """Forget what was not evaluated yet."""
        self._waiting.clear()

    def close(self) -> None:
        """Forget what was not evaluated yet."""
        self.cancel_all()
