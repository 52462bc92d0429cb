"""What an estimator sees of its trial: a seed, a folder, checkpoints and a place to report to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from netwright.trial import CurvePoint

CHECKPOINT = "checkpoint.pt"
"""File in a trial's folder that a later trial may continue from."""
CURVE = "curve.jsonl"
ERROR = "error.txt"
OUTPUT = "output.txt"
LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class TrialSettings:
    """What an executor needs to make the context of one trial, wherever it runs.

    Attributes:
        number: number of the proposal.
        seed: seed of the trial.
        trials: folder that holds the folders of all trials of the study, absolute.
    """

    number: int
    seed: int
    trials: Path

    @property
    def workdir(self) -> Path:
        """Folder of this trial."""
        return self.trials / str(self.number)


class TrialContext:
    """The ``netwright.trial.Context`` of one trial.

    What is reported is kept in the trial's folder, next to its checkpoint, so that an estimator that
    continues from its own checkpoint after an interruption has the whole curve: report a step before saving
    the checkpoint that leads beyond it. A trial can be killed at any moment, so write a checkpoint under
    another name and rename it.

    Args:
        settings: which trial, where.
        send: called with each report, to hand it to the driver.
    """

    def __init__(self, settings: TrialSettings, send: Callable[[int, dict[str, float]], None]) -> None:
        self._settings = settings
        self._send = send
        self.workdir.mkdir(parents=True, exist_ok=True)

    @property
    def seed(self) -> int:
        """Seed of this trial."""
        return self._settings.seed

    @property
    def workdir(self) -> Path:
        """Folder of this trial; ``checkpoint.pt`` in it is what ``checkpoint_of`` finds."""
        return self._settings.workdir

    def checkpoint_of(self, number: int) -> Path | None:
        """Give the ``checkpoint.pt`` that a proposal (this one too, if interrupted) has left, or None."""
        path = self._settings.trials / str(number) / CHECKPOINT
        return path if path.is_file() else None

    def report(self, step: int, metrics: Mapping[str, float]) -> bool:
        """Record intermediate metrics.

        Args:
            step: number of the step, increasing; metrics of a step reported before are replaced.
            metrics: numbers by name; the objective among them is what is drawn.

        Returns:
            False: no trial is asked to stop early.
        """
        step, plain = int(step), plain_metrics(metrics)
        # A line that a kill has torn ends where the next one begins.
        with (self.workdir / CURVE).open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps([step, plain]))
        self._send(step, plain)
        return False


def plain_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """Turn what an estimator returns into Python floats by name.

    Raises:
        TypeError: if it is no mapping of names to numbers.
    """
    if not isinstance(metrics, Mapping):
        raise TypeError(f"expected metrics as a mapping of names to numbers, got {type(metrics).__name__}")
    plain: dict[str, float] = {}
    for name, value in metrics.items():
        try:
            plain[str(name)] = float(value)
        except (TypeError, ValueError):
            raise TypeError(f"metric {name}: expected a number, got {value!r}") from None
    return plain


def read_curve(workdir: Path) -> tuple[CurvePoint, ...]:
    """Read what all attempts of a trial have reported, in the order of steps; later reports win.

    Args:
        workdir: folder of the trial.
    """
    try:
        lines = (workdir / CURVE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    curve: dict[int, dict[str, float]] = {}
    for line in lines:
        try:
            step, metrics = json.loads(line)
        except ValueError:
            continue  # empty, or torn by a kill
        curve.setdefault(step, {}).update(metrics)
    return tuple(sorted(curve.items()))


def one_line(error: BaseException) -> str:
    r"""Give type and message of an error in one line of at most 300 characters.

    >>> one_line(ValueError("a\n  b"))
    'ValueError: a b'
    """
    text = " ".join(str(error).split())
    line = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return line if len(line) <= 300 else line[:297] + "..."
