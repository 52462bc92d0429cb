"""``auto`` where it was not designed: the size space of NATS-Bench, on its three data sets.

    NETWRIGHT_TABLES=/path/to/tables python benchmarks/nats_size.py --out FOLDER [--seeds 40]

``auto`` was frozen before this was run for the first time, and what came out is committed as it is. Writes
``results/nats_size.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from machine import machine
from verb import benchmark

DATASETS = ("cifar10", "cifar100", "imagenet16")
STRATEGIES = ("auto", "random", "evolution", "local", "gp")
EVALUATIONS = 300


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    comparisons: list[dict[str, Any]] = []
    for dataset in DATASETS:
        found = benchmark(
            "nats-size",
            dataset,
            STRATEGIES,
            evaluations=EVALUATIONS,
            seeds=arguments.seeds,
            workers=arguments.workers,
            out=arguments.out / dataset,
        )
        rows += found["rows"]
        comparisons += [{"dataset": dataset, **one} for one in found["comparisons"]]
    print(f"{'':12}{'data set':12}{'after':>6}{'regret':>9}{'±':>8}{'found':>7}{'ms':>7}  than auto")
    verdicts = {(one["dataset"], one["strategy"], one["evaluations"]): one["verdict"] for one in comparisons}
    for row in rows:
        verdict = verdicts.get((row["dataset"], row["strategy"], row["evaluations"]), "")
        print(
            f"{row['strategy']:12}{row['dataset']:12}{row['evaluations']:6}{row['mean_validation_regret']:9.3f}"
            f"{row['standard_error_regret']:8.3f}{row['found_optimum']:7.0%}"
            f"{row['milliseconds_per_proposal']:7.1f}  {verdict}"
        )
    path = Path(__file__).parent / "results" / "nats_size.json"
    result = {"machine": machine("numpy"), "rows": rows, "comparisons": comparisons}
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
