"""Memory of random networks on TensorFlow Lite Micro: predicted against the real interpreter.

    python benchmarks/tflm_memory.py [--networks 60] [--seed 20261128]

Needs the extra ``edge``. 60 random networks (``tflm_networks.py``), none of which the model was fitted to,
with random weights and batch norms, each in the order of execution that needs least. Each is converted to
int8, and the arena is read from the interpreter of the wheel tflite-micro. Printed beside the prediction:
the sum of live tensors that is usually taken for the head. Exit code 1 if a bar is missed: arena exact for
95 %, within 1 % for all; file within 1 % for 95 %; the same operators in all; at least 10 networks in whose
arena are gaps, and 3 above 256 KiB of weights. Writes ``results/tflm_memory.json``, after every network; a
run that was ended goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import machine
from tflm_networks import Drawn, draw
from torch import nn

from netwright.export.tflite import convert, kinds, run_micro
from netwright.ir.cost import cost
from netwright.ir.graph import Graph
from netwright.ir.tflm import INTERPRETER, tflm_cost
from netwright.nn.lower import Network, build

RESULT = Path(__file__).parent / "results" / "tflm_memory.json"
PACKAGES = ("torch", "tflite-micro", "litert-torch", "ai-edge-quantizer", "ai-edge-litert")
FRAGMENTING = 12


def main() -> int:
    """Measure, print and write; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=60)
    parser.add_argument("--seed", type=int, default=20261128)
    arguments = parser.parse_args()
    known = _known_rows()
    rows: list[dict[str, Any]] = []
    for number, one in enumerate(draw(arguments.networks, arguments.seed, FRAGMENTING)):
        key = hashlib.sha256(one.graph.to_json().encode()).hexdigest()[:16]
        # The prediction is made anew; only what was measured is taken over.
        row = _predicted(one, key) | (known.get(key) or _measured(one.graph, number))
        rows.append(row)
        print(_line(number, row), flush=True)
        _write(rows, arguments.seed, len(rows) == arguments.networks)
    return 0 if _verdict(rows) else 1


def _known_rows() -> dict[str, dict[str, Any]]:
    """What an earlier run with the same packages measured, by network."""
    if not RESULT.exists():
        return {}
    found = json.loads(RESULT.read_text())
    now = machine(*PACKAGES)
    if any(found["machine"].get(name) != now[name] for name in PACKAGES):
        return {}
    return {
        row["key"]: {n: row[n] for n in ("measured", "operators", "seconds")} for row in found["networks"]
    }


def _predicted(one: Drawn, key: str) -> dict[str, Any]:
    found = tflm_cost(one.graph)
    constants = [tensor.bytes for tensor in found.program.tensors if tensor.constant]
    return {
        "key": key,
        "kind": one.kind,
        "input": list(one.graph.input_shape),
        "weights": sum(constants),
        "predicted": {
            "head_bytes": found.head_bytes,
            "tail_bytes": found.tail_bytes_host64,
            "arena_bytes": found.arena_bytes_host64,
            "flash_bytes": found.flash_bytes,
            "tail_bytes_mcu32": found.tail_bytes_mcu32,
        },
        "live_bytes": found.live_bytes,
        "peak_activation_bytes": cost(one.graph).peak_activation_bytes,
        "expected_operators": list(found.program.kinds),
    }


def _measured(graph: Graph, seed: int) -> dict[str, Any]:
    began = time.perf_counter()
    rng = np.random.default_rng(seed)
    network = _random_network(graph, seed)
    file = convert(network, rng.normal(size=(8, *graph.input_shape)).astype(np.float32))
    run = run_micro(file, rng.normal(size=(1, *graph.input_shape)).astype(np.float32))
    return {
        "measured": {
            "head_bytes": run.head_bytes,
            "tail_bytes": run.tail_bytes,
            "arena_bytes": run.arena_bytes,
            "flash_bytes": len(file),
        },
        "operators": kinds(file),
        "seconds": round(time.perf_counter() - began, 1),
    }


def _random_network(graph: Graph, seed: int) -> Network:
    """A network as if trained: no batch norm and no bias at its start, at which branches would fold away."""
    network = build(graph, seed)
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
    for name, weight in network.named_parameters():
        if name.endswith("bias"):
            weight.data.normal_(0, 0.3, generator=generator)
    return network.eval()


def _error(row: dict[str, Any], name: str) -> float:
    measured = row["measured"][name]
    return abs(row["predicted"][name] - measured) / float(measured)


def _line(number: int, row: dict[str, Any]) -> str:
    predicted, measured = row["predicted"], row["measured"]
    pairs = "  ".join(
        f"{part} {predicted[f'{part}_bytes']:>7} {measured[f'{part}_bytes']:>7}"
        for part in ("head", "tail", "flash")
    )
    same = "" if row["operators"] == row["expected_operators"] else "  OTHER OPERATORS"
    shape = "x".join(map(str, row["input"]))
    return f"{number:2} {row['kind']:18} {shape:8} {pairs}  live {row['live_bytes']:>7}{same}"


def _write(rows: list[dict[str, Any]], seed: int, complete: bool) -> None:
    result = {
        "seed": seed,
        "complete": complete,
        "interpreter": INTERPRETER,
        "summary": _summary(rows),
        "networks": rows,
        "machine": machine(*PACKAGES),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    count = len(rows)
    live = [row["live_bytes"] / row["measured"]["head_bytes"] for row in rows]
    peak = [row["peak_activation_bytes"] / row["measured"]["head_bytes"] for row in rows]
    return {
        "networks": count,
        **{
            f"{part}_exact": sum(_error(row, f"{part}_bytes") == 0 for row in rows) / count
            for part in ("head", "tail", "arena", "flash")
        },
        "arena_largest_error": max(_error(row, "arena_bytes") for row in rows),
        "flash_within_1_percent": sum(_error(row, "flash_bytes") <= 0.01 for row in rows) / count,
        "flash_largest_error": max(_error(row, "flash_bytes") for row in rows),
        "same_operators": sum(row["operators"] == row["expected_operators"] for row in rows) / count,
        "with_gaps": sum(row["measured"]["head_bytes"] > row["live_bytes"] for row in rows),
        "above_256_kib_of_weights": sum(row["weights"] > 256 * 1024 for row in rows),
        "live_sum_exact": sum(ratio == 1 for ratio in live) / count,
        "live_sum_smallest_share_of_head": min(live),
        "peak_activation_exact": sum(ratio == 1 for ratio in peak) / count,
        "peak_activation_smallest_share_of_head": min(peak),
    }


def _verdict(rows: list[dict[str, Any]]) -> bool:
    found = _summary(rows)
    bars = {
        "arena exact": (found["arena_exact"] >= 0.95, f"{found['arena_exact']:.1%} (bar: 95 %)"),
        "arena within 1 %": (
            found["arena_largest_error"] <= 0.01,
            f"worst {found['arena_largest_error']:.2%}",
        ),
        "file within 1 %": (
            found["flash_within_1_percent"] >= 0.95,
            f"{found['flash_within_1_percent']:.1%} (bar: 95 %), exact {found['flash_exact']:.1%}",
        ),
        "same operators": (found["same_operators"] == 1, f"{found['same_operators']:.1%}"),
        "networks with gaps": (found["with_gaps"] >= 10, f"{found['with_gaps']} (bar: 10)"),
        "above 256 KiB": (
            found["above_256_kib_of_weights"] >= 3,
            f"{found['above_256_kib_of_weights']} (bar: 3)",
        ),
    }
    for name, (passed, text) in bars.items():
        print(f"{'ok  ' if passed else 'MISS'} {name:20} {text}")
    print(
        f"baseline: the largest sum of live buffers is the head in {found['live_sum_exact']:.1%}, down to "
        f"{found['live_sum_smallest_share_of_head']:.1%} of it; that of live tensors alone in "
        f"{found['peak_activation_exact']:.1%}, down to {found['peak_activation_smallest_share_of_head']:.1%}"
    )
    for row in rows:
        pairs = zip_longest(row["expected_operators"], row["operators"])
        other = next((pair for pair in pairs if pair[0] != pair[1]), None)
        if other is not None:
            print(f"{row['kind']} {row['key']}: expected {other[0]}, the file has {other[1]}")
    return all(passed for passed, _ in bars.values())


if __name__ == "__main__":
    sys.exit(main())
