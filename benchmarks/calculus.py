"""Exact answers about ``mobilenet-tiny`` against the usual way: draw architectures, build each, count.

    python benchmarks/calculus.py

For every question: the seconds of the exact answer (the space compiled before, its time given apart), and
for counts how long it would take, at the measured rate, to draw and build as many architectures as a 95 %
interval of 1 % of the count needs. Also the cost of one architecture: from the diagram, from its graph, by
torch's FlopCounterMode on the meta device. Writes ``results/calculus.json``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import machine
from torch.utils.flop_counter import FlopCounterMode

from netwright.ir.cost import COSTS, cost
from netwright.nn.lower import build
from netwright.space import costs_of, count, extremes, fitting, rank, size, unrank
from netwright.spaces import mobilenet_tiny

BUDGETS: dict[str, dict[str, int]] = {
    "macs 2M": {"macs": 2_000_000},
    "params 30k": {"params": 30_000},
    "weight bytes 64 KB": {"weight_bytes": 65_536},
    "peak 20 KB": {"peak_activation_bytes": 20_480},
    "nrf52840-like: peak 20 KB, weights 64 KB": {"peak_activation_bytes": 20_480, "weight_bytes": 65_536},
    "macs 2M, peak 20 KB": {"macs": 2_000_000, "peak_activation_bytes": 20_480},
    "macs 2M, weights 64 KB": {"macs": 2_000_000, "weight_bytes": 65_536},
}


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """A result and the seconds that it took."""
    began = time.perf_counter()
    return function(), time.perf_counter() - began


def main() -> None:
    """Measure, print and write."""
    space = mobilenet_tiny((1, 28, 28), 10)
    _, compile_seconds = timed(lambda: space.diagram)
    total, size_seconds = timed(lambda: size(space))
    rng = np.random.default_rng(0)
    table = fitting(space)
    drawn = [table.sample(rng) for _ in range(300)]
    _, built = timed(lambda: [cost(space.to_graph(one)).totals() for one in drawn])
    _, looked_up = timed(lambda: [costs_of(space, one) for one in drawn])
    _, counted = timed(lambda: [flops(space, one) for one in drawn[:20]])
    each = {"diagram": looked_up / 300, "graph": built / 300, "FlopCounterMode": counted / 20}
    print(
        f"{space.id}: {total:,} architectures; compiled in {compile_seconds:.2f} s, "
        f"size in {size_seconds:.4f} s"
    )
    for way, seconds in each.items():
        print(f"cost of one architecture, {way:16} {seconds * 1e6:9.1f} us  x{seconds / each['diagram']:.0f}")
    _, round_trip = timed(lambda: [rank(space, unrank(space, total * i // 300)) for i in range(300)])
    rows: dict[str, Any] = {}
    for metric in COSTS:
        found, seconds = timed(lambda m=metric: extremes(space, m))
        rows[f"extremes {metric}"] = {
            "seconds": seconds,
            "values": [found.smallest.value, found.largest.value],
        }
    for name, budget in BUDGETS.items():
        rows[f"count {name}"] = count_row(space, total, budget, each["graph"])
        table, seconds = timed(lambda b=budget: fitting(space, b))
        _, draw = timed(lambda t=table: [t.sample(rng) for _ in range(100)])
        rows[f"sample {name}"] = {"seconds": seconds, "seconds_each": draw / 100, "exact": table.exact}
        print(f"{'sample ' + name:50} {seconds:7.3f} s, then {draw * 10:.2f} ms each")
    result = {
        "space": space.id,
        "size": total,
        "compile_seconds": compile_seconds,
        "size_seconds": size_seconds,
        "rank_and_unrank_seconds_each": round_trip / 300,
        "cost_seconds_each": each,
        "questions": rows,
        "machine": machine("torch", "numpy"),
    }
    (Path(__file__).parent / "results" / "calculus.json").write_text(json.dumps(result, indent=1) + "\n")


def count_row(space: Any, total: int, budget: dict[str, int], build_seconds: float) -> dict[str, Any]:
    """Time an exact count, and what sampling would need for the same to 1 %."""
    found, seconds = timed(lambda: count(space, budget))
    share = found.upper / total
    draws = 1.96**2 * (1 - share) / (share * 0.01**2)
    gap = (found.upper - found.lower) / found.upper
    ratio = draws * build_seconds / seconds
    print(f"{'count ' + str(budget):70} {seconds:7.3f} s, gap {gap:.1e}; sampling to 1 %: x{ratio:,.0f}")
    return {
        "seconds": seconds,
        "lower": found.lower,
        "upper": found.upper,
        "sampling_draws_for_1_percent": round(draws),
        "sampling_seconds_over_exact_seconds": ratio,
    }


def flops(space: Any, architecture: Any) -> int:
    """MACs by torch's own counter."""
    graph = space.to_graph(architecture)
    with torch.device("meta"):
        network = build(graph)
        counter = FlopCounterMode(display=False)
        with counter:
            network.eval()(torch.empty(1, *graph.input_shape))
    return int(counter.get_total_flops()) // 2


if __name__ == "__main__":
    main()
