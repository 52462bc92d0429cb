"""Progress of the main job: a live line on a terminal, one line for each event elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from netwright.cli.output import exact_count
from netwright.devices import format_cost
from netwright.ir.cost import COSTS
from netwright.pipeline import Checked, Exporting, Finishing, Loaded, Progress, Searching
from netwright.study import Event, Finished, Reported, Resumed, Started, Stopped, StopReason

_STOPS = {
    StopReason.TRIALS: "all trials are done",
    StopReason.DEADLINE: "the time is over",
    StopReason.EXHAUSTED: "every network that fits has been tried",
    StopReason.INTERRUPTED: "interrupted",
}


class Watcher:
    """Prints what happens to standard error; use it in a ``with`` statement."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._began = time.monotonic()
        self._done_before = 0
        self._done = 0
        self._best: float | None = None
        self._running: dict[int, str] = {}

    def __enter__(self) -> Watcher:
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, progress: Progress) -> None:
        """Show one thing that happened."""
        if isinstance(progress, Loaded):
            self._say(
                f"data     {progress.name}: {progress.train:,} images train, "
                f"{progress.validation:,} validate, "
                f"{progress.test:,} test; {'x'.join(map(str, progress.shape))}, {progress.classes} classes"
            )
            for note in progress.notes:
                self._say(f"         {note}")
        elif isinstance(progress, Checked):
            self._checked(progress)
        elif isinstance(progress, Searching):
            self._event("trial", progress.event, progress.trials)
        elif isinstance(progress, Finishing):
            self._event("final", progress.event, progress.trials)
        elif isinstance(progress, Exporting):
            self._say(f"export   testing once, then writing {progress.folder}")

    def _checked(self, checked: Checked) -> None:
        fitting = checked.fitting
        fit = (
            exact_count(fitting.upper)
            if fitting.exact
            else f"{exact_count(fitting.lower)} to {exact_count(fitting.upper)}"
        )
        self._say(f"space    {checked.space}: {exact_count(checked.size)} networks, of which {fit} fit")
        for metric in COSTS:
            found = checked.extremes[metric]
            low, high = (
                format_cost(metric, extreme.value, exact=False) for extreme in (found.smallest, found.largest)
            )
            self._say(f"         {metric} {low} to {high}")
        for line in checked.budget:
            self._say(f"budget   {line}")

    def _event(self, phase: str, event: Event, total: int | None) -> None:
        if isinstance(event, Resumed):
            again = f", {len(event.again)} interrupted ones run again" if event.again else ""
            self._say(f"{phase}    continuing: {event.finished} finished{again}")
            self._done = self._done_before = event.finished
        elif isinstance(event, Started):
            if not self._running and self._done == self._done_before:
                self._began = time.monotonic()
            self._running[event.proposal.number] = "starting"
        elif isinstance(event, Reported):
            accuracy = event.metrics.get("validation_accuracy")
            self._running[event.number] = "" if accuracy is None else f"{accuracy:.1%}"
        elif isinstance(event, Finished):
            self._finished(phase, event, total)
        elif isinstance(event, Stopped):
            self._say(f"{phase}    {_STOPS[event.reason]}: {event.finished} finished")
            self._running, self._done, self._done_before = {}, 0, 0
        self._refresh(phase, total)

    def _finished(self, phase: str, event: Finished, total: int | None) -> None:
        trial, self._done = event.trial, event.finished
        self._running.pop(trial.number, None)
        self._best = None if event.best is None else event.best.metrics["validation_accuracy"]
        of = "" if total is None else f"/{total}"
        what = f"{trial.metrics['validation_accuracy']:.2%}" if trial.complete else f"failed: {trial.reason}"
        best = "" if self._best is None else f", best {self._best:.2%}"
        macs = format_cost("macs", trial.costs["macs"], exact=False)
        self._say(
            f"{phase}    {self._done}{of}: #{trial.number} {what} ({macs} MACs, {trial.seconds:.0f} s)"
            f"{best}{self._left(total)}"
        )

    def _left(self, total: int | None) -> str:
        done = self._done - self._done_before
        if total is None or done < 1 or self._done >= total:
            return ""
        seconds = (time.monotonic() - self._began) / done * (total - self._done)
        return f", about {_duration(seconds)} left"

    def _refresh(self, phase: str, total: int | None) -> None:
        if self._live is None:
            return
        running = ", ".join(f"#{number} {state}".strip() for number, state in sorted(self._running.items()))
        of = "" if total is None else f"/{total}"
        best = "" if self._best is None else f", best {self._best:.2%}"
        self._live.update(
            Text(f"{phase} {self._done}{of}{best}{self._left(total)}; running {running or 'none'}")
        )

    def _say(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return (
        f"{round(seconds)} s"
        if seconds < 90
        else f"{minutes} min"
        if minutes < 90
        else f"{minutes / 60:.1f} h"
    )
