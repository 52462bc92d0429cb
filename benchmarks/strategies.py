"""Random search, regularized evolution and local search on NAS-Bench-201, against an independent program.

    NETWRIGHT_TABLES=/path/to/tables python benchmarks/strategies.py [--seeds 200] [--workers 2]

The protocol of the reference: a query is one row of the table (no merging of isomorphic cells; asking for a
known row again is not charged), costs one evaluation and reveals the validation accuracy after 200 epochs,
mean of the seeds; what is compared is the test accuracy of the best validation value seen. All rows come from
``netwright benchmark`` as a user would call it. Writes ``results/strategies.json``, with how many evaluations
a second one process makes through the full history, and exits with 1 if a difference is larger than three
combined standard errors.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import machine
from verb import benchmark

from netwright.estimators.tables import Tabular, load_table
from netwright.strategies import make_strategy
from netwright.study import search_in_memory

DATASETS = ("cifar10", "cifar100", "imagenet16")
AT = (50, 100, 300)
REFERENCE = {
    "random": ((93.61, 93.77, 93.96), (70.96, 71.43, 72.08), (44.98, 45.43, 45.90)),
    "evolution:population=10:tournament=5": (
        (93.98, 94.19, 94.36),
        (72.04, 72.85, 73.41),
        (45.69, 46.31, 46.50),
    ),
    "local": ((94.09, 94.28, 94.37), (72.66, 73.37, 73.51), (45.98, 46.40, 46.65)),
}
"""Mean test accuracy in % of an independent program, 200 seeds, by data set and number of evaluations."""

ROUNDING = 0.005
"""The reference has two decimals."""


def main() -> int:
    """Measure, print and write; the exit code says whether all differences are within the errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for index, dataset in enumerate(DATASETS):
            found = benchmark(
                "nasbench201",
                dataset,
                tuple(REFERENCE),
                evaluations=300,
                seeds=arguments.seeds,
                workers=arguments.workers,
                out=Path(folder) / dataset,
            )
            for row in found["rows"]:
                if row["evaluations"] in AT:
                    reference = REFERENCE[row["strategy"]][index][AT.index(row["evaluations"])]
                    rows.append(judged(row, reference, arguments.seeds))
    print(f"{'':38}{'data set':12}{'after':>6}{'ours':>9}{'±':>7}{'reference':>11}{'errors':>8}")
    for row in rows:
        print(
            f"{row['strategy']:38}{row['dataset']:12}{row['evaluations']:6}{row['mean_test']:9.2f}"
            f"{row['standard_error']:7.3f}{row['reference']:11.2f}{row['errors']:8.1f}"
        )
    speed = {name: evaluations_per_second(name) for name in ("random", "evolution", "local")}
    for name, rate in speed.items():
        print(f"{name:12}{rate:10,.0f} evaluations/s on one core, through the full history")
    path = Path(__file__).parent / "results" / "strategies.json"
    result = {"machine": machine("numpy"), "seeds": arguments.seeds, "rows": rows, "evaluations_per_s": speed}
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    worst = max(abs(row["errors"]) for row in rows)
    print(f"largest difference: {worst:.1f} combined standard errors (bar: 3)")
    return int(worst > 3)


def judged(row: dict[str, Any], reference: float, seeds: int) -> dict[str, Any]:
    """A row with the reference, and the difference in combined standard errors.

    The reference's own errors are not known; over 200 seeds they are ours over as many.
    """
    combined = math.hypot(row["standard_error"], row["standard_error"] * math.sqrt(seeds / 200))
    beyond = max(0.0, abs(row["mean_test"] - reference) - ROUNDING)
    errors = 0.0 if not beyond else beyond / combined if combined else math.inf
    names = ("strategy", "dataset", "evaluations", "mean_test", "standard_error")
    return {
        **{name: row[name] for name in names},
        "reference": reference,
        "errors": math.copysign(errors, row["mean_test"] - reference),
    }


def evaluations_per_second(name: str, repeats: int = 30, evaluations: int = 300) -> float:
    """Trials for a second of processor time in whole searches, at the median of some searches."""
    table = load_table("nasbench201", "cifar100")
    source, strategy = Tabular(table), make_strategy(name)
    rates = []
    for seed in range(-3, repeats):
        began = time.process_time()
        search = search_in_memory(
            table.space, strategy, source, evaluations=evaluations, seed=seed + 3, known_is_free=True
        )
        rates.append(len(search.history) / (time.process_time() - began))
    return sorted(rates[3:])[repeats // 2]


if __name__ == "__main__":
    sys.exit(main())
