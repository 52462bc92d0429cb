"""Progress of the main job: a live line on a terminal, one line for each event elsewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from netwright.cli.output import exact_count, short_count
from netwright.cli.result import duration, trials_of
from netwright.devices import format_cost
from netwright.nn.task import CLASSIFICATION
from netwright.pipeline import Checked, Exporting, Finishing, Loaded, Planned, Progress, Searching
from netwright.pipeline.feasibility import NOUNS
from netwright.study import Event, Finished, Reported, Resumed, Started, Stopped, StopReason
from netwright.trial import Trial

_STOPS = {
    StopReason.TRIALS: "all trials are done",
    StopReason.DEADLINE: "the time is over",
    StopReason.EXHAUSTED: "every network that fits has been tried",
    StopReason.INTERRUPTED: "interrupted",
}


@dataclass
class _Phase:
    """Where the search or the final trainings stand.

    Attributes:
        name: what its lines begin with.
        total: number of trials, or None where only the time is limited.
        seconds_left: until no further trial is begun, as of ``now``, or None.
    """

    name: str
    total: int | None = None
    seconds_left: float | None = None
    now: float = 0.0
    began: float = field(default_factory=time.monotonic)
    done_before: int = 0
    done: int = 0
    best: float | None = None
    front: int | None = None
    running: dict[int, str] = field(default_factory=dict)

    def count(self) -> str:
        """How many trials are done, of how many."""
        return str(self.done) if self.total is None else f"{self.done}/{self.total}"

    def state(self) -> str:
        """The best so far and the time left, as far as they are known."""
        best = "" if self.best is None else f", best {self.best:.2%}"
        if self.front:
            best += f", front of {self.front}"
        left = self._left()
        return best if left is None else f"{best}, about {duration(left)} left"

    def _left(self) -> float | None:
        known = []
        fresh = self.done - self.done_before
        if self.total is not None and fresh and self.done < self.total:
            known.append((time.monotonic() - self.began) / fresh * (self.total - self.done))
        if self.seconds_left is not None and (self.total is None or self.done < self.total):
            known.append(max(0.0, self.seconds_left - (time.monotonic() - self.now)))
        return min(known, default=None)


class Watcher:
    """Prints what happens to standard error; use it in a ``with`` statement."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._phase = _Phase("search")
        self._task = CLASSIFICATION
        self._several = False

    def __enter__(self) -> Watcher:
        if self._console.is_terminal:
            self._live = Live(
                console=self._console, refresh_per_second=4, transient=True, get_renderable=self._line
            )
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
            self._task = progress.task
            self._loaded(progress)
        elif isinstance(progress, Checked):
            self._checked(progress)
        elif isinstance(progress, Planned):
            self._several = len(progress.objectives) > 1
            self._say("plan", _plan(progress))
        elif isinstance(progress, Searching):
            self._enter("search", progress.trials, progress.seconds_left)
            self._event(progress.event, None)
        elif isinstance(progress, Finishing):
            self._enter("final", progress.trials, None)
            self._event(progress.event, progress.numbers)
        else:
            self._exporting(progress)

    def _loaded(self, loaded: Loaded) -> None:
        self._say(
            "data",
            f"{loaded.name}: {loaded.train:,} {loaded.kind.items} train, {loaded.validation:,} validate, "
            f"{loaded.test:,} test; {'x'.join(map(str, loaded.shape))}, {loaded.classes} classes",
        )
        for note in loaded.notes:
            self._say("", note)

    def _checked(self, checked: Checked) -> None:
        fitting, total = checked.fitting, exact_count(checked.size)
        if fitting.lower == checked.size:
            fit = f"{total} networks, and all fit"
        elif fitting.exact:
            fit = f"{total} networks, of which {exact_count(fitting.upper)} fit"
        elif fitting.likely is not None:
            low, high = (short_count(round(end)) for end in fitting.likely)
            fit = f"{total} networks, of which {low} to {high} fit (95 % interval, by draws)"
        else:
            low, high = exact_count(fitting.lower), exact_count(fitting.upper)
            fit = f"{total} networks, of which {low} to {high} fit"
        self._say("space", f"{checked.space}: {fit}")
        for metric, found in checked.extremes.items():
            if found is None:
                self._say("", f"{NOUNS[metric]}: too many combinations for an exact range")
                continue
            low, high = (
                format_cost(metric, extreme.value, exact=False) for extreme in (found.smallest, found.largest)
            )
            self._say("", f"{low} to {high} {NOUNS[metric]}")
        for line in checked.budget:
            self._say("budget", line)

    def _exporting(self, exporting: Exporting) -> None:
        self._say(
            "export",
            f"the network of trial {exporting.trial} has the best validation "
            f"{self._task.noun}, {exporting.validation:.2%}: testing it once, then writing "
            f"{exporting.folder}",
        )

    def _enter(self, name: str, total: int | None, seconds_left: float | None) -> None:
        if self._phase.name != name:
            self._phase = _Phase(name)
        self._phase.total = total
        self._phase.seconds_left, self._phase.now = seconds_left, time.monotonic()

    def _event(self, event: Event, numbers: tuple[int, ...] | None) -> None:
        phase = self._phase
        if isinstance(event, Resumed):
            again = f", {len(event.again)} cut off and run again" if event.again else ""
            self._say(phase.name, f"going on after {trials_of(event.finished)}{again}")
            phase.done = phase.done_before = event.finished
        elif isinstance(event, Started):
            if not phase.running and phase.done == phase.done_before:
                phase.began = time.monotonic()
            phase.running[_number(event.proposal.number, numbers)] = "starting"
        elif isinstance(event, Reported):
            score = event.metrics.get(self._task.objective.name)
            phase.running[_number(event.number, numbers)] = "" if score is None else f"{score:.1%}"
        elif isinstance(event, Finished):
            phase.running.pop(_number(event.trial.number, numbers), None)
            phase.done = event.finished
            phase.best = None if event.best is None else event.best.metrics[self._task.objective.name]
            phase.front = event.front if self._several else None
            self._finished(event.trial, numbers)
        elif isinstance(event, Stopped):
            phase.running.clear()
            self._say(phase.name, f"{_STOPS[event.reason]}: {event.finished} finished")

    def _finished(self, trial: Trial, numbers: tuple[int, ...] | None) -> None:
        score = trial.metrics.get(self._task.objective.name)
        what = f"failed: {trial.reason}" if score is None else f"{score:.2%}"
        macs = format_cost("macs", trial.costs["macs"], exact=False)
        in_full = " in full" if numbers is not None else ""
        self._say(
            self._phase.name,
            f"{self._phase.count()}, trial {_number(trial.number, numbers)}{in_full}: {what} "
            f"({macs} MACs, {duration(trial.seconds)}){self._phase.state()}",
        )

    def _line(self) -> Text:
        """The live line."""
        phase = self._phase
        if not phase.running:
            return Text("")
        running = ", ".join(
            f"trial {number} {state}".strip() for number, state in sorted(phase.running.items())
        )
        return Text(
            f"{phase.name:8} {phase.count()}{phase.state()}; running: {running}",
            overflow="ellipsis",
            no_wrap=True,
        )

    def _say(self, topic: str, line: str) -> None:
        if self._live is not None:
            self._live.refresh()  # what is printed above the live line must not disagree with it
        self._console.print(Text(f"{topic:8} {line}"), soft_wrap=True)


def _number(number: int, numbers: tuple[int, ...] | None) -> int:
    """The trial of the search that a final training belongs to, or the trial itself."""
    return number if numbers is None else numbers[number]


def _plan(plan: Planned) -> str:
    trials = "trials" if plan.trials is None else trials_of(plan.trials)
    if plan.fitting:
        trials += " (no more networks fit)"
    share = plan.epochs * plan.fidelity
    each = f"about {share:.2g} epochs each" if share < 10 else f"about {share:.0f} epochs each"
    limit = "" if plan.minutes is None else f" for {plan.minutes:g} minutes"
    best = "the best one" if plan.top == 1 else f"the best {plan.top}"
    if len(plan.objectives) > 1:
        front = f"the Pareto front of {', '.join(plan.objectives)}"
        best = f"the most accurate of {front}" if plan.top == 1 else f"up to {plan.top} spread over {front}"
    full = "1 epoch" if plan.epochs == 1 else f"{plan.epochs} epochs"
    return f"{trials} of {each}{limit}, {plan.workers} at a time; then {best} in full ({full})"
