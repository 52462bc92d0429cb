"""Is any strategy better than ``auto``? All that are shipped, on the three data sets of NAS-Bench-201.

    NETWRIGHT_TABLES=/path/to/tables python benchmarks/auto.py --out FOLDER [--seeds 200] [--model-seeds 40]

Runs ``netwright benchmark`` as a user would, for each data set: cheap strategies with all seeds, those that
fit a model with fewer. Every strategy is compared with ``auto`` on the same seeds by a paired randomisation
test after 25, 50, 100 and 300 evaluations, and Holm's correction is for all of these at once. Writes
``results/auto.json`` and exits with 1 if a strategy is significantly better, or ``auto`` misses a bar.
Stopped, the same command continues. Optuna's Gaussian process takes a part of a second for a proposal: it
gets fewer evaluations (``--slow-evaluations``). ``--groups slow --datasets cifar10`` measures that group on
that data set alone: all other rows are taken from ``results/auto.json``, and Holm's correction is still for
all at once.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from machine import machine
from verb import benchmark

from netwright.pipeline.benchmark.paired import SIGNIFICANT, holm

DATASETS = ("cifar10", "cifar100", "imagenet16")
AT = (25, 50, 100, 300)
RUNGS = "fidelities=[0.06,1]"
"""The table has trainings of 12 and of 200 epochs."""

CHEAP = (
    *("random", "grid", "local", "annealing", "evolution", "evolution:crossover=0.5", "nsga2", "reinforce"),
    *(f"{name}:{RUNGS}" for name in ("successive-halving", "hyperband", "asha")),
)
MODELS = ("gp", "bananas", "tpe")
SLOW = ("optuna-gp",)
BARS = {
    "cifar10": {50: 0.05, 100: 0.02},
    "cifar100": {50: 0.15, 100: 0.005},
    "imagenet16": {50: 0.15, 100: 0.03},
}
"""Mean validation regrets that ``auto`` is to reach."""


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--model-seeds", type=int, default=40)
    parser.add_argument("--slow-seeds", type=int, default=40)
    parser.add_argument("--slow-evaluations", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--groups", default="cheap,models,slow", help="the groups to measure, by comma")
    parser.add_argument("--datasets", default=",".join(DATASETS), help="the data sets to measure, by comma")
    arguments = parser.parse_args()
    groups = {
        "cheap": (CHEAP, arguments.seeds, 300),
        "models": (MODELS, arguments.model_seeds, 300),
        "slow": (SLOW, arguments.slow_seeds, arguments.slow_evaluations),
    }
    wanted = {"groups": arguments.groups.split(","), "datasets": arguments.datasets.split(",")}
    for option, known in (("groups", tuple(groups)), ("datasets", DATASETS)):
        if unknown := sorted(set(wanted[option]) - set(known)):
            parser.error(f"--{option}: expected some of {', '.join(known)}, got {', '.join(unknown)}")
    path = Path(__file__).parent / "results" / "auto.json"
    rows: list[dict[str, Any]] = []
    comparisons: list[dict[str, Any]] = []
    for group, (strategies, seeds, evaluations) in groups.items():
        for dataset in DATASETS:
            if group not in wanted["groups"] or dataset not in wanted["datasets"]:
                before = json.loads(path.read_text(encoding="utf-8"))
                mine = _names(strategies)
                rows += [
                    row
                    for row in before["rows"]
                    if row["dataset"] == dataset
                    and (row["strategy"] in mine or (row["strategy"] == "auto" and strategies is CHEAP))
                ]
                comparisons += [
                    one
                    for one in before["comparisons"]
                    if one["dataset"] == dataset and one["strategy"] in mine
                ]
            elif seeds:
                # Another length is another comparison, and so another folder.
                found = benchmark(
                    "nasbench201",
                    dataset,
                    ("auto", *strategies),
                    evaluations=evaluations,
                    seeds=seeds,
                    workers=arguments.workers,
                    out=arguments.out / f"{dataset}-{evaluations}",
                )
                rows += [row for row in found["rows"] if row["strategy"] != "auto" or strategies is CHEAP]
                comparisons += [
                    {"dataset": dataset, **one} for one in found["comparisons"] if one["evaluations"] in AT
                ]
    for one, p in zip(comparisons, holm([one["p"] for one in comparisons]), strict=True):
        one["p_holm"] = p
        one["verdict"] = "" if p >= SIGNIFICANT else "better" if one["difference"] < 0 else "worse"
    result = {"machine": machine("numpy", "optuna"), "rows": rows, "comparisons": comparisons}
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return show(rows, comparisons)


def _names(strategies: tuple[str, ...]) -> set[str]:
    """As results have them: with a space behind the commas of an option."""
    return {name.replace(",", ", ") for name in strategies}


def show(rows: list[dict[str, Any]], comparisons: list[dict[str, Any]]) -> int:
    """Print a table for each data set; 1 if something speaks against ``auto``."""
    against = {(one["dataset"], one["strategy"], one["evaluations"]): one for one in comparisons}
    bad = 0
    for dataset in DATASETS:
        here = [row for row in rows if row["dataset"] == dataset]
        print(f"\n{dataset}: mean validation regret; - significantly worse than auto, + significantly better")
        print(f"{'':42}{'seeds':>6}" + "".join(f"{f'@{at}':>17}" for at in AT) + f"{'ms a proposal':>15}")
        for name in dict.fromkeys(row["strategy"] for row in here):
            mine = {row["evaluations"]: row for row in here if row["strategy"] == name}
            cells = []
            for at in AT:
                row, one = mine.get(at), against.get((dataset, name, at))
                verdict = "" if one is None else {"worse": "-", "better": "+", "": ""}[one["verdict"]]
                bad += verdict == "+"
                cells.append("" if row is None else _cell(row, verdict))
            first = next(iter(mine.values()))
            print(
                f"{name:42}{first['seeds']:6}"
                + "".join(f"{cell:>17}" for cell in cells)
                + f"{first['milliseconds_per_proposal']:>15.3g}"
            )
        for at, bar in BARS[dataset].items():
            (row,) = (row for row in here if row["strategy"] == "auto" and row["evaluations"] == at)
            reached = row["mean_validation_regret"] <= bar
            bad += not reached
            print(f"auto @{at}: bar {bar}, {'reached' if reached else 'MISSED'}")
    return int(bad > 0)


def _cell(row: dict[str, Any], verdict: str) -> str:
    return f"{row['mean_validation_regret']:.3f}±{row['standard_error_regret']:.3f}{verdict:1}"


if __name__ == "__main__":
    sys.exit(main())
