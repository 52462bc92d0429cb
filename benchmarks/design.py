"""Is the sub-space that ``space design`` ranks first the best one to search in? Fashion-MNIST, one device.

    python benchmarks/design.py --out FOLDER [--seeds 3] [--device samd21g18]

``netwright space design`` ranks the sub-spaces of convnet-tiny with ordinary convolutions (resolution behind
the stem, and the width of the first stage) by the multiply-accumulates that their networks can afford on the
device. Then ``netwright search`` runs in the best, the median and the worst of them with equal effort: as
many trials, finalists and epochs, from the same seeds. Stopped, the same command continues. Writes
``results/design.json``, whatever comes out.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from machine import machine

from netwright.spaces.catalog import write_space

HERE = Path(__file__).parent
SPACE = "convnet-tiny"
QUESTION = (
    f"{SPACE} --input 1x28x28 --classes 10 --set layers=ordinary --by stem.stride,stage1.width --samples 300"
)
EFFORT = "--trials 6 --fidelity 0.125 --epochs 8 --top 1 --workers 1 --precision bfloat16"
"""What each search gets; two searches run at a time."""


def main() -> None:
    """Rank, search, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="samd21g18")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    ranked = _ranked(out / "design.json", arguments.device)
    places = {"best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}
    rows: list[dict[str, Any]] = [
        {"rank": name, "place": place + 1, "set": ranked[place]["set"], "mean_macs": ranked[place]["mean"]}
        for name, place in places.items()
    ]
    for row in rows:
        write_space(out / f"{row['rank']}.yaml", SPACE, {"layers": "ordinary", **row["set"]})
    with ThreadPoolExecutor(2) as pool:  # seed by seed: stopped early, the three are still comparable
        runs = [
            [pool.submit(_search, out, row["rank"], arguments.device, seed) for row in rows]
            for seed in range(arguments.seeds)
        ]
    for row, *found in zip(rows, *runs, strict=True):
        row["runs"] = [run.result() for run in found]
        row |= _summary(row["runs"])
        each = ", ".join(f"{run['test_accuracy']:.2%}" for run in row["runs"])
        print(f"{row['rank']}: {row['place']} of {len(ranked)}, {row['set']}")
        print(f"  {row['mean_test']:.2%} +- {row['standard_error']:.2%} ({each})")
    result = {
        "design": f"netwright space design {QUESTION} --device {arguments.device}",
        "search": f"netwright search --data fashion-mnist --device {arguments.device} {EFFORT}",
        "sub_spaces": len(ranked),
        "rows": rows,
        "machine": machine("torch"),
    }
    (HERE / "results" / "design.json").write_text(json.dumps(result, indent=1) + "\n")


def _ranked(path: Path, device: str) -> list[dict[str, Any]]:
    if not path.exists():
        command = [sys.executable, "-m", "netwright", "space", "design", *shlex.split(QUESTION)]
        done = subprocess.run([*command, "--device", device, "--json"], stdout=subprocess.PIPE, check=True)
        path.write_bytes(done.stdout)
    found: list[dict[str, Any]] = json.loads(path.read_text())["sub_spaces"]
    return found


def _search(out: Path, rank: str, device: str, seed: int) -> dict[str, Any]:
    run, space = out / f"{rank}-{seed}", out / f"{rank}.yaml"
    result, clock = run / "result.json", run.with_suffix(".minutes")
    if not result.exists():
        options = f"--data fashion-mnist --device {device} {EFFORT} --seed {seed}"
        before = float(clock.read_text()) if clock.exists() else 0.0
        began = time.monotonic()
        command = [sys.executable, "-m", "netwright", "search", *shlex.split(options)]
        try:
            subprocess.run([*command, "--space", str(space), "--out", str(run)], check=True)
        finally:
            clock.write_text(str(before + (time.monotonic() - began) / 60))
    found = json.loads(result.read_text())
    return {
        "seed": seed,
        "test_accuracy": found["test_accuracy"],
        "validation_accuracy": found["validation_accuracy"],
        "macs": found["costs"]["macs"],
        "minutes": round(float(clock.read_text()), 2),
    }


def _summary(runs: list[dict[str, Any]]) -> dict[str, float]:
    tests = [run["test_accuracy"] for run in runs]
    spread = statistics.stdev(tests) if len(tests) > 1 else 0.0
    return {"mean_test": statistics.mean(tests), "standard_error": spread / len(tests) ** 0.5}


if __name__ == "__main__":
    main()
