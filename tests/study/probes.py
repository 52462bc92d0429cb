"""A tiny opaque space, a strategy that is sensitive to its history, and estimators that misbehave on request.

They live in a module of their own because trial processes import them by name.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from netwright.space.architecture import Architecture, Value
from netwright.study import StudySettings
from netwright.trial import Context, Metric, Objectives, Proposal, Trial

ACCURACY = Metric("validation_accuracy", "share", "maximize")


@dataclass(frozen=True)
class Choice:
    name: str
    options: tuple[Value, ...]


@dataclass(frozen=True)
class TinySpace:
    """1,200 architectures; ``depth`` 1 leaves ``kernel2`` inactive."""

    id: str = "tiny-0000"
    decisions: tuple[Choice, ...] = (
        Choice("depth", (1, 2)),
        Choice("width", (8, 16, 24, 32, 48, 64, 80, 96, 128, 160)),
        Choice("kernel1", (3, 5, 7, 9, 11, 13)),
        Choice("kernel2", (3, 5, 7, 9, 11, 13, 15, 17, 19)),
        Choice("act", ("relu", "relu6")),
    )

    def draw(self, rng: np.random.Generator) -> Architecture:
        return self.of({one.name: one.options[int(rng.integers(len(one.options)))] for one in self.decisions})

    def of(self, choices: Mapping[str, Value]) -> Architecture:
        active = [one.name for one in self.decisions if one.name != "kernel2" or choices["depth"] == 2]
        return Architecture(self.id, tuple((name, choices[name]) for name in active))


SPACE = TinySpace()


def costs_of(architecture: Architecture) -> dict[str, int]:
    width, kernel = int(architecture["width"]), int(architecture["kernel1"])
    return {"macs": 100 * width * kernel**2, "params": width * kernel**2}


@dataclass(frozen=True)
class Climber:
    """Varies one of the best trials seen, so a history in another order leads elsewhere at once."""

    name: str = "climber"

    def init(
        self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int
    ) -> tuple[Trial, ...]:
        return ()

    def update(self, state: tuple[Trial, ...], trial: Trial) -> tuple[Trial, ...]:
        return (*state, trial)

    def propose(self, state: tuple[Trial, ...], rng: np.random.Generator, number: int) -> Proposal | None:
        complete = [trial for trial in state if trial.complete]
        if not complete or rng.random() < 0.2:
            return Proposal(number, SPACE.draw(rng))
        some = [complete[int(rng.integers(len(complete)))] for _ in range(3)]
        parent = max(some, key=lambda trial: trial.metrics[ACCURACY.name])
        fresh, chosen = dict(SPACE.draw(rng)), dict(parent.proposal.architecture)
        name = SPACE.decisions[int(rng.integers(len(SPACE.decisions)))].name
        varied = {"kernel2": 3, **chosen, **({name: fresh[name]} if name in fresh else {})}
        return Proposal(number, SPACE.of(varied), parent=parent.number)


def accuracy_of(architecture: Architecture, seed: int) -> float:
    """Some function of architecture and seed, so that a changed seed is noticed."""
    text = architecture.to_json() + str(seed)
    return (sum((at + 1) * byte for at, byte in enumerate(text.encode())) % 9973) / 9973


@dataclass(frozen=True)
class Table:
    """Looks the accuracy up, after a random time; misbehaves in the trials that ``faults`` names."""

    delay: float = 0.0
    log: Path | None = None
    faults: Mapping[int, str] = field(default_factory=dict)
    steps: int = 2

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (ACCURACY,)

    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        if self.delay:
            time.sleep(self.delay * int.from_bytes(os.urandom(2), "big") / 65536)
        accuracy = accuracy_of(proposal.architecture, context.seed)
        for step in range(self.steps):
            context.report(step, {ACCURACY.name: accuracy * (step + 1) / self.steps, "loss": 1.0 - accuracy})
        misbehave(self.faults.get(proposal.number, "nothing"))
        if self.faults.get(proposal.number) == "nan":
            accuracy = float("nan")
        if self.faults.get(proposal.number) == "no objective":
            return {"loss": 0.5}
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{proposal.number}\n")
        return {ACCURACY.name: accuracy, "loss": 1.0 - accuracy}


def misbehave(how: str) -> None:
    if how == "raise":
        raise ValueError("the kernel\n  is too large")
    if how == "exit":
        os._exit(3)
    if how == "sys.exit":
        raise SystemExit(4)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "allocate":
        held = [np.ones(4_000_000) for _ in range(100)]  # 3.2 GB, page by page
        time.sleep(60 + len(held))
    if how == "hang":
        time.sleep(3600)


def settings(**changes: Any) -> StudySettings:
    return StudySettings(
        **{
            "space": SPACE.id,
            "objective": ACCURACY,
            "strategy": "climber",
            "seed": 7,
            "budget": {"macs": 10_000_000},
            **changes,
        }
    )
