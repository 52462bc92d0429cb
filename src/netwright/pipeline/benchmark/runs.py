"""One run of a comparison: a strategy with a seed; and the file that keeps those that are finished."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netwright.errors import ConfigError, StudyError
from netwright.files import write_whole
from netwright.pipeline.benchmark.settings import Arena, Contestant
from netwright.space import Architecture
from netwright.study.in_memory import InMemorySearch, search_in_memory
from netwright.study.settings import differences
from netwright.trial import score_of

FORMAT = 1
SETTINGS = "settings.json"
RUNS = "runs.jsonl"

Step = tuple[float, float, int]
"""Evaluations paid for, simulated seconds (NaN if unknown), and a row of the table."""

Key = tuple[str, int]
"""Label of the strategy, and seed."""


@dataclass(frozen=True, slots=True)
class Run:
    """How one run went.

    Attributes:
        strategy: label of the strategy.
        seed: of the search.
        trials: number of proposals, refused and repeated ones too.
        stop: why it ended.
        wall: seconds that it took here.
        steps: whenever another architecture became the one to choose: the best by what the run was told,
            among those of the highest fidelity so far.
        front: whenever an architecture was evaluated in full that no earlier one dominates in objective and
            latency; empty without a device.
    """

    strategy: str
    seed: int
    trials: int
    stop: str
    wall: float
    steps: tuple[Step, ...]
    front: tuple[Step, ...] = ()

    @property
    def key(self) -> Key:
        """What tells it from every other run of a comparison."""
        return self.strategy, self.seed

    def to_json(self) -> str:
        """One line of JSON."""
        plain = {
            "strategy": self.strategy,
            "seed": self.seed,
            "trials": self.trials,
            "stop": self.stop,
            "wall": self.wall,
            "steps": [_plain(step) for step in self.steps],
            "front": [_plain(step) for step in self.front],
        }
        return json.dumps(plain, separators=(",", ":"), allow_nan=False)

    @staticmethod
    def from_json(text: str) -> Run:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: if it is no such line.
            KeyError: likewise.
            TypeError: likewise.
        """
        plain = json.loads(text)
        return Run(
            str(plain["strategy"]),
            int(plain["seed"]),
            int(plain["trials"]),
            str(plain["stop"]),
            float(plain["wall"]),
            tuple(_step(step) for step in plain["steps"]),
            tuple(_step(step) for step in plain["front"]),
        )


def _plain(step: Step) -> list[float | int | None]:
    return [step[0], None if math.isnan(step[1]) else step[1], step[2]]


def _step(plain: Any) -> Step:
    spent, clock, row = plain
    return float(spent), math.nan if clock is None else float(clock), int(row)


def run_once(arena: Arena, contestant: Contestant, seed: int) -> Run:
    """Search the table once."""
    settings, table = arena.settings, arena.table
    strategy = contestant.make()
    rows = table.rows
    whole = table.coverage == 1

    def refuse(architecture: Architecture) -> str | None:
        row = rows.get(architecture)
        return "the table has no row of it" if row is None else arena.refuse(row)

    by_seconds = settings.by == "seconds"
    began = time.perf_counter()
    search = search_in_memory(
        table.space,
        strategy,
        arena.source,
        evaluations=None if by_seconds else arena.length,
        seconds=arena.length if by_seconds else None,
        seed=seed,
        lag=settings.lag,
        objectives=arena.objectives(strategy),
        known_is_free=not settings.ask_again,
        refuse=None if whole and arena.allowed.all() else refuse,
    )
    wall = time.perf_counter() - began
    return Run(
        contestant.label,
        seed,
        len(search.history),
        search.stop.value,
        wall,
        _steps(arena, search),
        () if arena.latency is None else _front(arena, search),
    )


def _steps(arena: Arena, search: InMemorySearch) -> tuple[Step, ...]:
    steps: list[Step] = []
    best: tuple[float, float] | None = None
    for trial, spent, clock in zip(search.history, search.evaluations, search.clock, strict=True):
        score = score_of(trial, arena.objective)
        if score is None:
            continue
        here = (trial.proposal.fidelity, score)
        if best is None or here > best:
            best = here
            steps.append((spent, clock, arena.table.rows[trial.proposal.architecture]))
    return tuple(steps)


def _front(arena: Arena, search: InMemorySearch) -> tuple[Step, ...]:
    assert arena.latency is not None
    steps: list[Step] = []
    front: list[tuple[float, float]] = []
    for trial, spent, clock in zip(search.history, search.evaluations, search.clock, strict=True):
        score = score_of(trial, arena.objective)
        if score is None or trial.proposal.fidelity < 1:
            continue
        row = arena.table.rows[trial.proposal.architecture]
        latency = float(arena.latency[row])
        if math.isnan(latency) or any(one >= score and ms <= latency for one, ms in front):
            continue
        front = [(one, ms) for one, ms in front if not (one <= score and ms >= latency)]
        front.append((score, latency))
        steps.append((spent, clock, row))
    return tuple(steps)


class Record:
    """The finished runs of a comparison in a folder; what a kill has torn is left out when it is read.

    Args:
        folder: made if it is missing.
        fingerprint: what all its runs must have in common, as JSON values.

    Raises:
        ConfigError: if the folder has runs of another comparison.
        StudyError: if it cannot be written.
    """

    def __init__(self, folder: Path, fingerprint: Mapping[str, Any]) -> None:
        self._path = folder / RUNS
        wanted = json.loads(json.dumps({"format": FORMAT, **fingerprint}))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            kept = _kept(folder / SETTINGS)
            if kept is None:
                write_whole(folder / SETTINGS, json.dumps(wanted, indent=2) + "\n")
            text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        except OSError as error:
            raise StudyError(f"--out: {folder} cannot be used ({error}); give another folder") from None
        if kept is not None and kept != wanted:
            raise ConfigError(
                f"--out: {folder} has runs of another comparison: {_differences(kept, wanted)}; "
                "give another folder"
            )
        self.runs: dict[Key, Run] = {}
        for line in text.splitlines():
            try:
                run = Run.from_json(line)
            except (ValueError, KeyError, TypeError):
                continue  # torn by a kill: it is run again
            self.runs[run.key] = run

    def add(self, run: Run) -> None:
        """Keep a run; it is on disk when this returns.

        Raises:
            StudyError: if it cannot be written.
        """
        try:
            with self._path.open("a", encoding="utf-8") as file:
                # A line that a kill has torn ends where this one begins.
                file.write(f"\n{run.to_json()}\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StudyError(f"{self._path} cannot be written ({error})") from None
        self.runs[run.key] = run


def _differences(kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    return "; ".join(differences(kept, wanted)).replace("the study has", "the folder has")


def _kept(path: Path) -> Any:
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise ConfigError(
            f"{path}: expected the settings of a comparison; the file is damaged: give another --out"
        ) from None
