"""What a running search tells those who watch it: values handed to the driver's callback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from netwright.trial import Proposal, Trial


class StopReason(str, Enum):
    """Why a search ended."""

    TRIALS = "trials"
    """The number of trials asked for is done."""
    DEADLINE = "deadline"
    """The time is over; more time continues the same search."""
    EXHAUSTED = "exhausted"
    """The strategy has nothing left to propose."""
    INTERRUPTED = "interrupted"
    """Ctrl-C or SIGTERM; the same call again continues."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """An earlier search is continued.

    Attributes:
        finished: how many trials are finished already.
        again: numbers of the proposals that were cut off and run again.
    """

    finished: int
    again: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Started:
    """A proposal is written down and its evaluation begins.

    Attributes:
        proposal: what is evaluated.
        costs: its exact costs.
        attempt: 0, or how often its evaluation was cut off before.
    """

    proposal: Proposal
    costs: Mapping[str, int]
    attempt: int


@dataclass(frozen=True, slots=True)
class Reported:
    """An estimator has reported intermediate metrics.

    Attributes:
        number: number of the proposal.
        step: the estimator's step, e.g. an epoch.
        metrics: what it measured.
    """

    number: int
    step: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Finished:
    """A trial is complete or failed, and its result is safe on disk.

    Attributes:
        trial: the trial.
        best: the best trial so far, this one included; None while none is complete.
        finished: how many trials of the study are finished.
        front: how many trials are on the Pareto front, this one included; with one objective, how many are
            the best.
    """

    trial: Trial
    best: Trial | None
    finished: int
    front: int = 0


@dataclass(frozen=True, slots=True)
class Stopped:
    """The search has ended; this is written into the study too.

    Attributes:
        reason: why.
        proposals: how many proposals the study has: enough to replay it up to here.
        finished: how many of them are finished trials; fewer only after an interruption.
        signal: name of the signal that interrupted it, or None.
    """

    reason: StopReason
    proposals: int
    finished: int
    signal: str | None = None


Event = Resumed | Started | Reported | Finished | Stopped
