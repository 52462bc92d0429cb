"""What each part of `--strategy auto` is worth on NAS-Bench-201: the table of docs/strategies.md.

    NETWRIGHT_TABLES=/path/to/tables python benchmarks/auto_ablation.py [--seeds 20] [--first-seed 7000]

Each row is the strategy with one part changed; the same seeds for all. Printed is the mean validation regret,
the best ``val200`` of the table minus the best one found, in points, after 25, 50 and 100 evaluations, with
its standard error. Writes ``results/auto_ablation.json``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine

from netwright.estimators.tables import Table, Tabular, load_table
from netwright.strategies import make_strategy
from netwright.strategies.surrogate import Surrogate
from netwright.study import search_in_memory
from netwright.trial import Strategy

DATASETS = ("cifar10", "cifar100", "imagenet16")
AT = (25, 50, 100)
LIVE = ("places", "paths", "live")


def variants() -> Mapping[str, Strategy]:
    """The strategies, by what is changed."""
    return {
        "auto": make_strategy("auto"),
        "without live operations": make_strategy("auto", blocks=("paths", "live")),
        "without paths": make_strategy("auto", blocks=("places", "live")),
        "without live costs and depth": make_strategy("auto", blocks=("places", "paths")),
        "decisions in place of live operations": make_strategy("auto", blocks=("decisions", "paths", "live")),
        "decisions and costs as drawn": make_strategy("auto", blocks=("decisions", "drawn")),
        "decisions alone": make_strategy("auto", blocks=("decisions",)),
        "other drawings again": make_strategy("auto", distinct=False),
        "random candidates only": Surrogate("auto", 5, LIVE, (20, 0), distinct=True),
        "variations only": Surrogate("auto", 5, LIVE, (0, 20), distinct=True),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=7000)
    arguments = parser.parse_args()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    tables = {dataset: load_table("nasbench201", dataset) for dataset in DATASETS}
    rows: list[dict[str, Any]] = []
    print(
        "| what is changed | " + " | ".join(f"{one} @{' / @'.join(map(str, AT))}" for one in DATASETS) + " |"
    )
    print("|---" * (1 + len(DATASETS)) + "|")
    for name, strategy in variants().items():
        cells = []
        for dataset, table in tables.items():
            start = time.process_time()
            regrets = np.array([regret(table, strategy, seed) for seed in seeds])
            seconds = time.process_time() - start
            mean, error = regrets.mean(0), regrets.std(0, ddof=1) / len(seeds) ** 0.5
            cells.append(" / ".join(f"{m:.3f}" for m in mean) + f" (±{error[1]:.3f} @{AT[1]})")
            rows.append(
                {
                    "changed": name,
                    "dataset": dataset,
                    "evaluations": AT,
                    "regret": mean.round(4).tolist(),
                    "standard_error": error.round(4).tolist(),
                    "found_optimum": (regrets <= 0).mean(0).round(3).tolist(),
                    "ms_per_evaluation": round(1000 * seconds / len(seeds) / AT[-1], 2),
                }
            )
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    target = Path(__file__).parent / "results" / "auto_ablation.json"
    content = {"machine": machine(), "seeds": [seeds.start, seeds.stop], "rows": rows}
    target.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def regret(table: Table, strategy: Strategy, seed: int) -> list[float]:
    """By how much the best of the table is missed after some evaluations."""
    source = Tabular(table)
    name = source.metrics[0].name
    done = search_in_memory(table.space, strategy, source, evaluations=AT[-1], seed=seed, known_is_free=True)
    values = np.maximum.accumulate([trial.metrics[name] for trial in done.history])
    best = float(np.nanmax(table.column(name, epochs=200).values))
    paid = np.asarray(done.evaluations)
    return [best - float(values[paid <= evaluations][-1]) for evaluations in AT]


if __name__ == "__main__":
    main()
