"""A driver to be killed; it tells its events line by line.

Call: ``python search_process.py DIRECTORY WORKERS TRIALS DELAY``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from netwright.study import Event, Finished, ProcessExecutor, Reported, Started, open_study, run_search
from tests.study.probes import SPACE, Climber, Table, costs_of, settings

FAULTS = {3: "raise", 5: "exit"}


def tell(event: Event) -> None:
    number = ""
    if isinstance(event, Started):
        number = str(event.proposal.number)
    elif isinstance(event, Finished):
        number = str(event.trial.number)
    if not isinstance(event, Reported):
        print(type(event).__name__, number, flush=True)


def main(directory: Path, workers: int, trials: int, delay: float) -> None:
    estimator = Table(delay=delay, log=directory / "evaluations", faults=FAULTS)
    with open_study(directory, settings()) as study, ProcessExecutor(workers) as executor:
        result = run_search(
            SPACE, Climber(), estimator, study, executor, costs_of=costs_of, trials=trials, on_event=tell
        )
    print(result.stop.reason.value, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
