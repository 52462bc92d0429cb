"""``netwright benchmark``: strategies compared on a table, where every answer is known."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netwright.cli.output import Column, Json, print_json, print_line, print_table
from netwright.errors import ConfigError

if TYPE_CHECKING:
    from netwright.pipeline.benchmark import BenchmarkProgress, BenchmarkResult, BenchmarkSettings

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def benchmark(
    table: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="nasbench201, nats-size, or a CSV file of your own."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME", help="Data set of the table: cifar10, cifar100, imagenet16.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder for the results.")] = None,
    strategies: Annotated[
        str,
        typer.Option(
            metavar="LIST", help="Strategies, each perhaps with options: random,evolution:population=20."
        ),
    ] = "random,local,evolution",
    against: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Strategy that the others are compared with [the first]."),
    ] = None,
    evaluations: Annotated[int, typer.Option(help="Evaluations of a run.")] = 300,
    seeds: Annotated[int, typer.Option(help="Runs of each strategy.")] = 200,
    workers: Annotated[int | None, typer.Option(help="Processes [cores].")] = None,
    by: Annotated[
        str, typer.Option(metavar="WHAT", help="evaluations, or seconds: simulated training time ends a run.")
    ] = "evaluations",
    seconds: Annotated[
        float | None, typer.Option(help="Simulated time of a run [what --evaluations take on average].")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder with the tables [environment: NETWRIGHT_TABLES]."),
    ] = None,
    space: Annotated[
        str | None, typer.Option(metavar="NAME", help="Search space of a CSV file, or its file.")
    ] = None,
    minimize: Annotated[
        str | None, typer.Option(metavar="LIST", help="Metrics of a CSV file of which small values are good.")
    ] = None,
    objectives: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Metrics to optimise; strategies for one take the first [validation_accuracy].",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Device whose latency matters: shows hypervolumes, allows limits."),
    ] = None,
    max_latency: Annotated[
        str | None, typer.Option(metavar="TIME", help="Limit on its latency, such as 5ms.")
    ] = None,
    table_seed: Annotated[
        str, typer.Option(metavar="WHICH", help="Training that is told: mean, any, or a number.")
    ] = "mean",
    lag: Annotated[int, typer.Option(help="Results, less one, that a proposal does not wait for.")] = 1,
    ask_again: Annotated[
        bool,
        typer.Option(
            "--ask-again", help="Ask again for what is known, as in a search, and do not tell it for free."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Compare search strategies on a table of measured architectures.

    Writes table.csv, comparisons.csv, curves.csv and index.html. The same command again continues one that
    was stopped; more seeds or strategies may join the same folder.
    """
    if table is None or out is None:
        raise ConfigError(f"benchmark: --{'table' if table is None else 'out'} is missing; give it")
    from netwright.pipeline.benchmark import BenchmarkSettings, read_contestants
    from netwright.pipeline.benchmark import benchmark as compare
    from netwright.pipeline.benchmark.settings import read_milliseconds

    goals = _words("--objectives", objectives)
    settings = BenchmarkSettings(
        table=table,
        dataset=dataset or "",
        space=space,
        minimize=_words("--minimize", minimize),
        data_dir=None if data_dir is None else str(data_dir),
        evaluations=evaluations,
        by=by,  # type: ignore[arg-type]  # checked there
        seconds=seconds,
        objective=goals[0] if goals else None,
        objectives=goals[1:],
        device=device,
        max_latency=None if max_latency is None else read_milliseconds(max_latency),
        ask_again=ask_again,
        lag=lag,
        table_seed=int(table_seed) if table_seed.isdecimal() else table_seed,
    )
    contestants = read_contestants(strategies)
    try:
        with _Watcher() as watcher:
            result = compare(
                settings,
                contestants,
                seeds,
                out,
                workers=workers if workers is not None else os.cpu_count() or 1,
                against=against,
                on_progress=watcher,
            )
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on from here", err=True)
        raise typer.Exit(130) from None
    if json:
        print_json(_as_json(settings, result))
        return
    _print(result, out)


def _words(option: str, text: str | None) -> tuple[str, ...]:
    words = tuple(word.strip() for word in (text or "").split(",") if word.strip())
    if (text is not None and not words) or len(set(words)) != len(words):
        raise ConfigError(f"{option}: expected names with commas between them, each once, got {text!r}")
    return words


def _as_json(settings: BenchmarkSettings, result: BenchmarkResult) -> dict[str, Any]:
    return {
        "table": settings.table,
        "dataset": settings.dataset,
        "rows": [row.to_dict() for row in result.rows],
        "comparisons": [one.to_dict() for one in result.comparisons],
    }


def _print(result: BenchmarkResult, out: Path) -> None:
    from netwright.pipeline.benchmark.page import tables

    for table in tables(result):
        columns = [Column(header, right=at > 0) for at, header in enumerate(table.headers)]
        print_line(f"{table.caption}:")
        print_table(columns, table.rows)
        print_line()
    print_line(f"curves   {out / 'index.html'}")
    numbers = (str(out / name) for name in ("table.csv", "comparisons.csv", "curves.csv"))
    print_line(f"numbers  {', '.join(numbers)}")


class _Watcher:
    """Says on standard error how far it is: a live line on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._said = time.monotonic()
        self._live: Callable[[BenchmarkProgress], None] | None = None
        self._close: Callable[[], None] | None = None

    def __enter__(self) -> _Watcher:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

            bar = Progress(
                "runs",
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            task = bar.add_task("runs", total=None)
            self._live = lambda progress: bar.update(task, completed=progress.done, total=progress.total)
            self._close = bar.stop
            bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._close is not None:
            self._close()

    def __call__(self, progress: BenchmarkProgress) -> None:
        """Show how far it is."""
        if self._live is not None:
            self._live(progress)
        elif time.monotonic() - self._said >= _EVERY:
            self._said = time.monotonic()
            kept = f", {progress.kept} of them kept from before" if progress.kept else ""
            typer.echo(f"{progress.done} of {progress.total} runs{kept}", err=True)


_EVERY = 10.0
"""Seconds between two lines of progress where there is no terminal."""
