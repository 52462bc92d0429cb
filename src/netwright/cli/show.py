"""``netwright show``: the leaderboard of a run, also while it is running."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from netwright.cli.output import Column, Json, print_json, print_line, print_table, short_bytes, short_count
from netwright.cli.result import fit_lines, score_line, trials_of

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def show(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    top: Annotated[int, typer.Option(help="Number of trials to list; 0 for all.", min=0)] = 10,
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="The database, if it is not study.db.")
    ] = None,
    json: Json = False,
) -> None:
    """Show the trials of a run, the best first, and its result."""
    from netwright.pipeline import read_result
    from netwright.study import read_study

    with read_study(run, url=storage) as study:
        history, running = study.history(), study.unfinished()
        objective = study.settings.objective.name
    front = [trial.number for trial in history.pareto] if history.further else None
    result = read_result(run)
    best_first = [*history.top(len(history)), *history.failed]
    if json:
        print_json(
            {
                "trials": [_row(trial, objective) for trial in best_first],
                "unfinished": [proposal.number for proposal in running],
                "result": result,
                **({} if front is None else {"pareto": front}),
            }
        )
        return
    shown = best_first[: top or None]
    columns = (
        Column("trial", right=True),
        Column("validation", right=True),
        Column("MACs", right=True),
        Column("params", right=True),
        Column("weights", right=True),
        Column("peak SRAM", right=True),
        Column("time", right=True),
        Column("architecture"),
    )
    print_table(columns, [_cells(trial, objective) for trial in shown])
    print_line()
    print_line(
        f"{len(history.completed)} complete, {len(history.failed)} failed, {len(running)} unfinished"
        + (f"; {len(best_first) - len(shown)} more with --top 0" if len(shown) < len(best_first) else "")
    )
    if front is not None:
        names = ", ".join(one.name for one in history.objectives)
        print_line(f"Pareto front of {names}: trials {', '.join(map(str, front)) or 'none'}")
    for trial in history.failed:
        print_line(f"trial {trial.number} failed: {trial.reason}")
    if result is None:
        print_line("no result yet: the same search command goes on from here")
    else:
        # A search that goes on has the result of its last end until it ends again.
        of = "" if result["trials"] == len(history) else f" of the first {trials_of(result['trials'])}"
        print_line(f"result{of}: {score_line(result)}, {fit_lines(result)[0]}; report {run / 'report.html'}")


def _row(trial: Any, objective: str) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state.value,
        "architecture": trial.proposal.architecture.to_dict(),
        objective: trial.metrics.get(objective),
        "metrics": dict(trial.metrics),
        "costs": dict(trial.costs),
        "fits": trial.fits,
        "reason": trial.reason,
        "fidelity": trial.proposal.fidelity,
        "parent": trial.proposal.parent,
        "seed": trial.seed,
        "seconds": trial.seconds,
    }


def _cells(trial: Any, objective: str) -> tuple[str, ...]:
    costs = trial.costs
    return (
        str(trial.number),
        f"{trial.metrics[objective]:.2%}" if trial.complete else "failed",
        short_count(costs["macs"]),
        short_count(costs["params"]),
        short_bytes(costs["weight_bytes"]),
        short_bytes(costs["peak_activation_bytes"]),
        f"{trial.seconds:.1f} s",
        trial.proposal.architecture.key,
    )
