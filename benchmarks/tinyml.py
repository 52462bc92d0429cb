"""Fashion-MNIST on a microcontroller, from data to int8: is the search worth it, against a hand-made network?

    python benchmarks/tinyml.py --out FOLDER [--budgets small,large] [--trainings none|hand|all]

For each budget: ``netwright search`` and ``netwright deploy`` as a user would, timed together. Then, with the
recipe, the split and the epochs of the search, two trainings (seeds 0 and 1) of a hand-made network of the
same budget, and one more of the winner. The accuracies are those of int8 by TensorFlow Lite Micro on all
10,000 test images. Stopped, the same command continues; what was measured is kept in FOLDER. Writes
``results/tinyml.json``, and exits with 1 if a bar is missed.

The hand-made networks are stems, ordinary 3x3 convolutions and residual blocks, whose head, size and
multiply-accumulates are those of networks that had been tuned by hand for these budgets.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from machine import machine

from netwright import blocks as B
from netwright.devices import parse_bytes
from netwright.export import load, tflite
from netwright.ir.cost import cost
from netwright.ir.graph import Graph, GraphBuilder
from netwright.ir.tflm import best_order, reordered
from netwright.nn.data import load_data, open_test_set, split
from netwright.nn.lower import build
from netwright.nn.prepare import prepare, statistics
from netwright.nn.recipe import Recipe
from netwright.nn.train import train
from netwright.seeding import rng_for
from netwright.spaces.catalog import write_space

HERE = Path(__file__).parent
COMMON = "--data fashion-mnist --augmentation shift-flip-cutout --precision bfloat16"
MINUTES = 60
"""Within which search, final trainings and deployment are to be done, on two cores."""
DROP, AGREEMENT = 0.005, 0.99
"""What int8 may lose, and the labels that both interpreters must share."""
SPACE = "convnet-tiny"
IMAGES = 500
"""Training images for calibration."""

Layers = tuple[tuple[str, int, int], ...]
Trainings = tuple[tuple[str, int], ...]

TRAININGS: dict[str, Trainings] = {
    "none": (),
    "hand": (("by hand", 0), ("by hand", 1)),
    "all": (("by hand", 0), ("by hand", 1), ("winner", 1)),
}
"""Names and seeds of what is trained besides the search."""


class Budget(NamedTuple):
    """One budget of the comparison.

    Attributes:
        limits: what is limited, as options of the search.
        hour: limits that are for the hour's sake, likewise.
        design: decisions by which ``space design`` makes sub-spaces, of which the first is searched.
        search: the other options.
        bar: int8 accuracy to reach.
        goal: a better one, for the record.
        layers: the hand-made network: kind, channels and stride of each layer before the classifier.
    """

    limits: str
    hour: str
    design: str
    search: str
    bar: float
    goal: float
    layers: Layers


BUDGETS = {
    "small": Budget(
        "--max-head 16KB --max-file 64KB",
        "",
        "",
        "--strategy asha --option inner=auto --fidelity 0.2 --option fidelities=[0.3,1] --trials 48 "
        "--epochs 32 --label-smoothing 0 --top 2 --workers 2",
        0.925,
        0.932,
        (("conv", 12, 1), ("conv", 24, 2), ("basic", 24, 1), ("conv", 40, 2), ("basic", 40, 1)),
    ),
    "large": Budget(
        "--max-arena 64KB --max-file 256KB",
        "--max-macs 20M",
        "stage1.width,stage2.width",
        "--strategy asha --option inner=auto --fidelity 0.111 --option fidelities=[0.33,1] --trials 20 "
        "--epochs 45 --validation 0.05 --top 1 --workers 1 --threads 2 --lag 1",
        0.94,
        0.945,
        (
            *(("conv", 24, 2), ("basic", 40, 1), ("basic", 40, 1)),
            *(("conv", 64, 2), ("basic", 64, 1), ("conv", 128, 2)),
        ),
    ),
}


def main() -> int:
    """Run, print and write; the exit code says whether all bars were reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--budgets", default=",".join(BUDGETS), help="by comma")
    parser.add_argument(
        "--trainings", choices=TRAININGS, default="all", help="besides the search; hand: the baselines only"
    )
    arguments = parser.parse_args()
    names = arguments.budgets.split(",")
    if unknown := sorted(set(names) - set(BUDGETS)):
        parser.error(f"--budgets: expected some of {', '.join(BUDGETS)}, got {', '.join(unknown)}")
    path = HERE / "results" / "tinyml.json"
    found = json.loads(path.read_text(encoding="utf-8"))["budgets"] if path.exists() else {}
    reached = True
    for name in names:
        folder = arguments.out.resolve() / name
        folder.mkdir(parents=True, exist_ok=True)
        found[name] = _measure(folder, BUDGETS[name], TRAININGS[arguments.trainings])
        _print(name, found[name])
        reached &= all(found[name]["reached"].values())
        versions = machine("torch", "litert-torch", "ai-edge-quantizer", "ai-edge-litert", "tflite-micro")
        path.write_text(json.dumps({"budgets": found, "machine": versions}, indent=1) + "\n")
    return 0 if reached else 1


def _measure(folder: Path, budget: Budget, trainings: Trainings) -> dict[str, Any]:
    run, space = folder / "search", folder / "space.yaml"
    limits = f"{budget.limits} {budget.hour}"
    options = shlex.split(f"{COMMON} {limits} {budget.search}")
    steps = {
        "search": ["search", "--space", str(space), *options, "--out", str(run)],
        "deploy": ["deploy", str(run)],
    }
    design: list[str] = []
    if budget.design:
        question = f"space design {SPACE} --input 1x28x28 --classes 10 --set layers=ordinary {limits}"
        design = [*shlex.split(question), "--by", budget.design]
        steps = {"design": [*design, "--out", str(space)], **steps}
    else:
        write_space(space, SPACE, {"layers": "ordinary"})
    for step, words in steps.items():
        _timed(folder / f"{step}.json", words)
    minutes = {step: json.loads((folder / f"{step}.json").read_text()) for step in steps}
    result = json.loads((run / "result.json").read_text())
    deployed = json.loads((run / "deploy" / "deploy.json").read_text())
    shares = deployed["accuracy"]
    found: dict[str, Any] = {
        "design": f"netwright {shlex.join(design)} --out {space.name}" if design else None,
        "command": f"netwright search --space {space.name} {shlex.join(options)}",
        "space": yaml.safe_load(space.read_text()),
        "bar": budget.bar,
        "goal": budget.goal,
        "minutes": minutes,
        "trials": result["trials"],
        "winner": {
            "fits": deployed["fits"],
            "accuracy": shares,
            "agreement": deployed["agreement"],
            "measured": deployed["measured"],
            "predicted": deployed["predicted"],
            "costs": result["costs"],
            "architecture": result["architecture"],
        },
        "reached": {
            "bar": deployed["fits"] and shares["int8_tflm"] >= budget.bar,
            "minutes": sum(minutes.values()) <= MINUTES,
            "drop": shares["float"] - shares["int8_tflm"] <= DROP,
            "agreement": deployed["agreement"] >= AGREEMENT,
        },
    }
    if trainings:
        again = _trainings(folder, budget, result["settings"]["estimator"], trainings)
        of_winner = [shares["int8_tflm"], *(row["int8_tflm"] for row in again["winner"])]
        by_hand = [row["int8_tflm"] for row in again["by hand"]]
        means = {"winner": sum(of_winner) / len(of_winner), "by hand": sum(by_hand) / len(by_hand)}
        found |= {"trainings": again, "means": means}
        found["error_ratio"] = (1 - means["winner"]) / (1 - means["by hand"])
        found["reached"]["better than by hand"] = means["winner"] > means["by hand"]
    return found


def _timed(record: Path, arguments: list[str]) -> None:
    """Run a verb, unless it was done; the minutes of earlier attempts are added."""
    if record.exists():
        return
    begun = record.with_suffix(".minutes")
    before = float(begun.read_text()) if begun.exists() else 0.0
    start = time.monotonic()
    try:
        code = subprocess.run([sys.executable, "-m", "netwright", *arguments], check=False).returncode
    finally:
        minutes = before + (time.monotonic() - start) / 60
        begun.write_text(str(minutes))
    if code not in (0, 3):  # 3: deployed, but does not fit
        raise SystemExit(code)
    record.write_text(json.dumps(round(minutes, 2)))


def _trainings(
    folder: Path, budget: Budget, settings: dict[str, Any], jobs: Trainings
) -> dict[str, list[dict[str, Any]]]:
    """The hand-made network with two seeds, and perhaps the winner with one more; two at a time."""
    graphs = {"by hand": hand_made(budget.layers), "winner": load(folder / "search" / "export").graph}
    paths = [folder / f"{name.replace(' ', '-')}-{seed}.json" for name, seed in jobs]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        left = [
            pool.submit(_trained, graphs[name], settings, seed, path)
            for (name, seed), path in zip(jobs, paths, strict=True)
            if not path.exists()
        ]
        for one in left:
            one.result()
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in graphs}
    for (name, _), path in zip(jobs, paths, strict=True):
        rows[name].append(json.loads(path.read_text()))
    over = {
        name: rows["by hand"][0][name] - parse_bytes(value)
        for name, value in _limits(budget).items()
        if rows["by hand"][0][name] > parse_bytes(value)
    }
    if over:
        raise SystemExit(f"the hand-made network is above its budget: {over}")
    return rows


def _limits(budget: Budget) -> dict[str, str]:
    names = {"--max-head": "head_bytes", "--max-arena": "smallest_arena_bytes", "--max-file": "flash_bytes"}
    words = shlex.split(budget.limits)
    return {names[option]: value for option, value in zip(words[::2], words[1::2], strict=True)}


def hand_made(layers: Layers) -> Graph:
    """A network of ordinary convolutions and residual blocks for images of 28 x 28."""
    build_graph = GraphBuilder()
    x = build_graph.input((1, 28, 28))
    for number, (kind, out, stride) in enumerate(layers):
        block = B.basic if kind == "basic" else B.conv_bn_act
        with build_graph.scope(f"layer{number}"):
            x = block(out=out, stride=stride, activation="relu6")(build_graph, x)
    with build_graph.scope("classifier"):
        return build_graph.finish(B.classifier(classes=10)(build_graph, x))


def _trained(graph: Graph, settings: dict[str, Any], seed: int, path: Path) -> None:
    """Train as the search trained its finalists, convert, and write what the interpreters say."""
    torch.set_num_threads(1)  # two at a time; more threads change the last bits, as another seed does
    recipe = Recipe(**{name: settings[name] for name in Recipe.__dataclass_fields__})
    data = load_data("fashion-mnist")
    rows = split(data, settings["validation_share"], settings["split_seed"])
    scale = statistics(data.images[rows.train_indices])
    inputs = prepare(data.images[rows.train_indices], (28, 28), scale.mean, scale.std)
    ordered = reordered(graph, best_order(graph))
    network = build(ordered, seed=seed)
    began = time.monotonic()
    train(network, inputs, torch.tensor(data.labels[rows.train_indices]), recipe=recipe, seed=seed)
    minutes = (time.monotonic() - began) / 60
    chosen = rng_for(seed, "calibration").permutation(len(inputs))[:IMAGES]
    file = tflite.convert(network, inputs[torch.from_numpy(chosen)])
    images, labels = open_test_set(data)
    tested = prepare(images, (28, 28), scale.mean, scale.std)
    compared = tflite.compare_interpreters(file, tested, labels, network)
    row = {
        "seed": seed,
        "int8_tflm": compared.micro_accuracy,
        "int8_litert": compared.litert_accuracy,
        "float": compared.float_accuracy,
        "agreement": compared.agreement,
        "head_bytes": compared.micro.head_bytes,
        "arena_bytes": compared.micro.arena_bytes,
        "smallest_arena_bytes": tflite.smallest_arena(file),
        "flash_bytes": len(file),
        "macs": cost(ordered).macs,
        "minutes": round(minutes, 2),
    }
    path.write_text(json.dumps(row))


def _print(name: str, found: dict[str, Any]) -> None:
    winner = found["winner"]
    print(f"{name}: {found['space']}, {found['command']}")
    print(
        f"  winner: int8 {winner['accuracy']['int8_tflm']:.2%} (float {winner['accuracy']['float']:.2%}), "
        f"head {winner['measured']['head_bytes']:,}, arena {winner['measured']['arena_bytes']:,}, file "
        f"{winner['measured']['flash_bytes']:,}, {winner['costs']['macs']:,} MACs, "
        f"{sum(found['minutes'].values()):.0f} minutes"
    )
    for kind, rows in found.get("trainings", {}).items():
        for row in rows:
            print(
                f"  {kind}, seed {row['seed']}: int8 {row['int8_tflm']:.2%} (float {row['float']:.2%}), head "
                f"{row['head_bytes']:,}, arena {row['arena_bytes']:,}, file {row['flash_bytes']:,}, "
                f"{row['macs']:,} MACs"
            )
    if "error_ratio" in found:
        print(f"  errors, winner / by hand: {found['error_ratio']:.3f}")
    for what, fine in found["reached"].items():
        print(f"  {what}: {'reached' if fine else 'MISSED'}")


if __name__ == "__main__":
    raise SystemExit(main())
