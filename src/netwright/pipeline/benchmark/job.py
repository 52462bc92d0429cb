"""The comparison: all runs in parallel processes, each kept as it ends; then the tables and the page."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from threadpoolctl import threadpool_limits

from netwright.errors import ConfigError, StudyError
from netwright.pipeline.benchmark.runs import Record, Run, run_once
from netwright.pipeline.benchmark.settings import Arena, BenchmarkSettings, Contestant, labels, open_arena
from netwright.pipeline.benchmark.summary import BenchmarkResult, summarise, write_files
from netwright.study.locks import DriverLock

LOCK = "driver.lock"
_AHEAD = 4
"""Runs for each worker that wait in its queue."""

_THREADS = 1
"""Of linear algebra in a run: more would be slower, and the last digits would depend on their number."""


@dataclass(frozen=True, slots=True)
class BenchmarkProgress:
    """How far a comparison is.

    Attributes:
        done: finished runs.
        total: all runs.
        kept: how many of the finished ones were there before.
    """

    done: int
    total: int
    kept: int


def benchmark(
    settings: BenchmarkSettings,
    contestants: Sequence[Contestant],
    seeds: int,
    out: Path,
    *,
    workers: int = 1,
    against: str | None = None,
    on_progress: Callable[[BenchmarkProgress], None] | None = None,
) -> BenchmarkResult:
    """Compare strategies on a table.

    Runs that the folder has already are not run again, so that the same call continues one that was stopped,
    and more strategies or seeds may join later. The results do not depend on the number of workers, but for
    the wall time.

    Args:
        settings: on what and by what rules.
        contestants: the strategies.
        seeds: number of runs of each; their seeds are 0, 1, 2 ..., the same for all strategies.
        out: folder for ``runs.jsonl``, ``table.csv``, ``comparisons.csv``, ``curves.csv`` and ``index.html``.
        workers: processes.
        against: the strategy that the others are compared with, as it is labelled; by default the first.
        on_progress: called after every run.

    Raises:
        ConfigError: if something is asked for that the table has not, or the folder has another comparison.
        DataError: if the table cannot be read.
        BudgetError: if nothing is within the limit on the latency.
        StudyError: if the folder cannot be written, another process writes it, or a worker was killed.
    """
    for name, value in (("seeds", seeds), ("workers", workers)):
        if value < 1:
            raise ConfigError(f"--{name}: expected at least 1, got {value}")
    if against is not None and against not in labels(contestants):
        raise ConfigError(
            f"--against: expected one of the strategies ({', '.join(labels(contestants))}), got {against!r}"
        )
    arena = open_arena(settings)
    record = Record(out, arena.fingerprint())
    with DriverLock(out / LOCK):
        wanted = [(contestant, seed) for seed in range(seeds) for contestant in contestants]
        left = [pair for pair in wanted if (pair[0].label, pair[1]) not in record.runs]
        kept = len(wanted) - len(left)
        tell = on_progress or _ignore
        tell(BenchmarkProgress(kept, len(wanted), kept))
        with closing(_runs(arena, left, workers)) as runs:
            for done, run in enumerate(runs, kept + 1):
                record.add(run)
                tell(BenchmarkProgress(done, len(wanted), kept))
        mine = {label: [record.runs[label, seed] for seed in range(seeds)] for label in labels(contestants)}
        result = summarise(arena, mine, against)
        write_files(out, arena, result)
    return result


def _ignore(progress: BenchmarkProgress) -> None:
    pass


def _runs(arena: Arena, pairs: Sequence[tuple[Contestant, int]], workers: int) -> Generator[Run, None, None]:
    if workers == 1 or len(pairs) <= 1:
        with threadpool_limits(_THREADS):
            for contestant, seed in pairs:
                yield run_once(arena, contestant, seed)
        return
    # Processes that are begun afresh: a fork of a process with threads may hang.
    pool = ProcessPoolExecutor(
        min(workers, len(pairs)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(arena.settings,),
    )
    pending = iter(pairs)
    running: set[Future[Run]] = set()
    try:
        while True:
            while len(running) < _AHEAD * workers and (pair := next(pending, None)) is not None:
                running.add(pool.submit(_run, arena.settings, *pair))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    except BrokenProcessPool:
        raise StudyError(
            "benchmark: a worker process was killed, perhaps for lack of memory; the same command again "
            "continues, with fewer --workers"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_opened = lru_cache(maxsize=1)(open_arena)
"""The table, read once in every worker process."""


def _begin(settings: BenchmarkSettings) -> None:
    # Ctrl-C reaches all processes of a terminal; the first one ends the others in good order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _opened(settings)
    threadpool_limits(_THREADS)


def _run(settings: BenchmarkSettings, contestant: Contestant, seed: int) -> Run:
    return run_once(_opened(settings), contestant, seed)
