"""Optuna's TPE and SMAC3 on the tables, as their own packages run them, beside our strategies.

    pip install 'netwright[benchmarks]'
    NETWRIGHT_TABLES=/path/to/tables python benchmarks/peers.py [--seeds 6] [--evaluations 100]

Nothing of netwright's search is between the peers and the table: each is asked for a configuration and told
its validation accuracy. The decisions of the space are categorical parameters to them, in their order and
under their names. All play by one rule: a network that was asked for before is told again without charge.
Ours run through ``netwright benchmark`` in the same call. Writes ``results/peers.json``.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine
from verb import benchmark

from netwright.estimators.tables import Table, load_table
from netwright.space import Architecture

DATASETS = ("cifar10", "cifar100", "imagenet16")
AT = (25, 50, 100, 200, 300)
OURS = ("random", "local", "evolution", "tpe", "auto")
REPEATS = 20
"""A peer may ask for this many times as many networks as are evaluated, known ones included."""

Choices = dict[str, Any]
Options = Mapping[str, Sequence[Any]]
Peer = Generator[Choices, float, None]
"""Gives a configuration and is sent its validation accuracy."""


def optuna_tpe(options: Options, seed: int) -> Peer:
    """Optuna's default sampler, with its defaults."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    while True:
        trial = study.ask()
        choices = {name: trial.suggest_categorical(name, values) for name, values in options.items()}
        study.tell(trial, (yield choices))


def smac(options: Options, seed: int, evaluations: int) -> Peer:
    """SMAC3's facade for hyperparameters: random forest, expected improvement, its initial design."""
    from ConfigSpace import Categorical, ConfigurationSpace
    from smac import HyperparameterOptimizationFacade, Scenario
    from smac.runhistory.dataclasses import TrialValue

    space = ConfigurationSpace(seed=seed)
    space.add([Categorical(name, list(values)) for name, values in options.items()])
    with tempfile.TemporaryDirectory() as folder:
        # Its initial design depends on the number of trials, so it is told the truth.
        scenario = Scenario(
            space, deterministic=True, n_trials=evaluations, seed=seed, output_directory=Path(folder)
        )
        facade = HyperparameterOptimizationFacade(scenario, _never, logging_level=40, overwrite=True)
        while True:
            info = facade.ask()
            accuracy = yield dict(info.config)
            facade.tell(info, TrialValue(cost=-accuracy, time=0.0))


def _never(config: Any, seed: int = 0) -> float:
    """SMAC wants a function even where it is asked and told."""
    raise AssertionError("SMAC is asked and told; it does not evaluate")


def regrets(dataset: str, name: str, evaluations: int, seed: int) -> tuple[list[float], float]:
    """Regret after each evaluation of one run, and seconds for each proposal."""
    table = load_table("nasbench201", dataset)
    accuracy = table.column("validation_accuracy").values
    best = float(accuracy[table.best("validation_accuracy")])
    peers: dict[str, Callable[[Options, int], Peer]] = {
        "Optuna TPE": optuna_tpe,
        "SMAC3": partial(smac, evaluations=evaluations),
    }
    peer = peers[name]({one.name: one.options for one in table.space.decisions}, seed)
    told: dict[int, float] = {}
    found: list[float] = []
    began, asked = time.perf_counter(), 0
    choices = next(peer)
    while len(found) < evaluations and asked < REPEATS * evaluations:
        asked += 1
        row = _row(table, choices)
        if row not in told:
            told[row] = float(accuracy[row])
            found.append(best - max(told.values()))
        choices = peer.send(told[row])
    wall = time.perf_counter() - began
    found += found[-1:] * (evaluations - len(found))
    return found, wall / asked


def _row(table: Table, choices: Choices) -> int:
    # In the order of the space, which is that of an architecture's own choices.
    ordered = tuple((one.name, choices[one.name]) for one in table.space.decisions)
    return table.rows[Architecture(table.space.id, ordered)]


def theirs(dataset: str, seeds: int, evaluations: int, workers: int) -> list[dict[str, Any]]:
    """A row for each peer and checkpoint."""
    rows = []
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for name in ("Optuna TPE", "SMAC3"):
            runs = list(pool.map(partial(regrets, dataset, name, evaluations), range(seeds)))
            curves = np.array([curve for curve, _ in runs])
            milliseconds = 1000 * float(np.mean([wall for _, wall in runs]))
            for at in _checkpoints(evaluations):
                column = curves[:, at - 1]
                error = float(column.std(ddof=1) / math.sqrt(seeds))
                rows.append(_as_row(name, dataset, at, float(column.mean()), error, milliseconds))
    return rows


def ours(dataset: str, seeds: int, evaluations: int, workers: int) -> list[dict[str, Any]]:
    """The same from the verb."""
    with tempfile.TemporaryDirectory() as folder:
        found = benchmark(
            "nasbench201",
            dataset,
            OURS,
            evaluations=evaluations,
            seeds=seeds,
            workers=workers,
            out=Path(folder),
        )
    return [
        _as_row(
            row["strategy"],
            dataset,
            row["evaluations"],
            row["mean_validation_regret"],
            row["standard_error_regret"],
            row["milliseconds_per_proposal"],
        )
        for row in found["rows"]
    ]


def _as_row(
    name: str, dataset: str, at: int, regret: float, error: float, milliseconds: float
) -> dict[str, Any]:
    return {
        "strategy": name,
        "dataset": dataset,
        "evaluations": at,
        "mean_validation_regret": regret,
        "standard_error_regret": error,
        "milliseconds_per_proposal": milliseconds,
    }


def _checkpoints(evaluations: int) -> list[int]:
    return [*(at for at in AT if at < evaluations), evaluations]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--evaluations", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for dataset in DATASETS:
        given = (dataset, arguments.seeds, arguments.evaluations, arguments.workers)
        rows += [*theirs(*given), *ours(*given)]
        print(f"\n{dataset}: mean regret of {arguments.seeds} seeds, and how many times that of auto")
        show([row for row in rows if row["dataset"] == dataset], _checkpoints(arguments.evaluations))
    path = Path(__file__).parent / "results" / "peers.json"
    result = {"machine": machine("numpy", "optuna", "smac"), "seeds": arguments.seeds, "rows": rows}
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def show(rows: Sequence[dict[str, Any]], checkpoints: Sequence[int]) -> None:
    """Print one data set as a table."""
    by = {(row["strategy"], row["evaluations"]): row for row in rows}
    names = list(dict.fromkeys(row["strategy"] for row in rows))
    print(f"{'':12}" + "".join(f"{f'@{at}':>24}" for at in checkpoints) + f"{'ms a proposal':>16}")
    for name in names:
        cells = []
        for at in checkpoints:
            here, auto = by[name, at], by["auto", at]["mean_validation_regret"]
            regret = here["mean_validation_regret"]
            ratio = f"x{regret / auto:.1f}" if auto else "x1.0" if not regret else "auto: 0"
            cells.append(f"{regret:.3f} ± {here['standard_error_regret']:.3f} {ratio:>8}")
        milliseconds = by[name, checkpoints[0]]["milliseconds_per_proposal"]
        print(f"{name:12}" + "".join(f"{cell:>24}" for cell in cells) + f"{milliseconds:>16.3g}")


if __name__ == "__main__":
    main()
