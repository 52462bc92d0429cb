"""Exact answers about OFA-MobileNetV3 against sampling, and costs in bulk against tools that build modules.

    pip install -c constraints.txt -e '.[benchmarks]'
    python benchmarks/space_calculus.py

One core, one resolution: 2.2e19 networks. Exact: size, the distribution of MACs with bounds, the count under
300 M MACs. Beside them what most people do: draw 10,000 networks, build each, count its MACs, and give a 95 %
interval. Costs: netwright's tables on integer rows, its graphs, and fvcore and ptflops on built modules of
the same networks, whose MACs must agree. Writes ``results/space_calculus.json``.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import time
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fvcore.nn import FlopCountAnalysis
from machine import machine
from ptflops import get_model_complexity_info

from netwright.ir.cost import cost
from netwright.nn.lower import build
from netwright.space import count, size
from netwright.space.distributions import distribution
from netwright.space.drawing import draw_rows
from netwright.space.encoding import decode, row_costs
from netwright.spaces import make_space

LIMIT = 300_000_000
DRAWS = 10_000
ROWS = 300_000
BUILT = 10


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """A result and the seconds that it took."""
    began = time.perf_counter()
    return function(), time.perf_counter() - began


def main() -> None:
    """Measure, print and write."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    space = make_space("ofa-mobilenet-v3", parameters={"resolution": 224})
    _, compiled = timed(lambda: space.diagram)
    total, size_seconds = timed(lambda: size(space))
    found, distribution_seconds = timed(lambda: distribution(space, "macs"))
    fitting, count_seconds = timed(lambda: count(space, {"macs": LIMIT}))
    spread = found.values[-1] - found.values[0]
    widest = max(high - low for low, high in (found.quantile(q / 100) for q in range(1, 101)))
    exact = {
        "size": total,
        "compile_seconds": compiled,
        "size_seconds": size_seconds,
        "distribution_seconds": distribution_seconds,
        "widest_quantile_bounds_over_range": widest / spread,
        "median_macs": found.quantile(0.5),
        "count_seconds": count_seconds,
        "count_share": [fitting.lower / total, fitting.upper / total],
    }
    print(f"{space.id}: {total:,} networks, compiled in {compiled:.2f} s")
    low, high = fitting.lower / total, fitting.upper / total
    print(
        f"distribution of MACs {distribution_seconds:.2f} s, bounds within {widest / spread:.3%} of its range"
    )
    print(f"under 300 M MACs {count_seconds:.2f} s, {low:.5%} to {high:.5%}")
    sampled = by_sampling(space)
    rows = draw_rows(space, np.random.default_rng(1), ROWS)
    table = row_costs(space)
    table(rows[:1000])
    bulk, bulk_seconds = timed(lambda: table(rows))
    each = {"rows": bulk_seconds / ROWS, **on_modules(space, rows[:BUILT], bulk["macs"][:BUILT])}
    each["graph"] = sampled["seconds"] / DRAWS
    for way, seconds in each.items():
        print(f"cost of one network, {way:8} {seconds * 1e6:12.2f} us, x{seconds / each['rows']:.0f}")
    print(f"{1 / each['rows']:,.0f} rows/s on one core")
    result = {
        "exact": exact,
        "sampling": sampled,
        "ratio_sampling_to_count": sampled["seconds"] / count_seconds,
        "seconds_for_one_network": each,
        "rows_per_second": 1 / each["rows"],
        "machine": machine(),
    }
    Path(__file__).with_name("results").joinpath("space_calculus.json").write_text(
        json.dumps(result, indent=1) + "\n"
    )


def by_sampling(space: Any) -> dict[str, Any]:
    """What 10,000 drawn and built networks say of the share under the limit."""
    rng = np.random.default_rng(0)

    def look() -> int:
        drawn = decode(space, draw_rows(space, rng, DRAWS))
        return sum(cost(space.to_graph(one)).macs <= LIMIT for one in drawn)

    hits, seconds = timed(look)
    share = hits / DRAWS
    half = 1.96 * sqrt(share * (1 - share) / DRAWS)
    print(f"the same from {DRAWS:,} samples {seconds:.1f} s, {share:.3%} +- {half:.3%}")
    return {"samples": DRAWS, "seconds": seconds, "share": share, "interval": [share - half, share + half]}


def on_modules(space: Any, rows: Any, macs: Any) -> dict[str, float]:
    """Seconds for one network of tools that need the module; building it is not counted."""
    modules = [build(space.to_graph(one)).eval() for one in decode(space, rows)]
    image = torch.zeros(1, 3, 224, 224)

    def by_fvcore() -> list[int]:
        return [int(FlopCountAnalysis(m, image).by_operator().total()) for m in modules]

    def by_ptflops() -> list[int]:
        with contextlib.redirect_stdout(io.StringIO()):
            return [
                int(
                    get_model_complexity_info(
                        m, (3, 224, 224), as_strings=False, print_per_layer_stat=False, backend="pytorch"
                    )[0]
                )
                for m in modules
            ]

    fvcore, fvcore_seconds = timed(by_fvcore)
    ptflops, ptflops_seconds = timed(by_ptflops)
    # Both count more than convolutions: batch norm and pooling, ptflops activations too.
    for own, one, two in zip(macs, fvcore, ptflops, strict=True):
        assert own <= one <= 1.1 * own, (own, one)
        assert own <= two <= 1.15 * own, (own, two)
    return {"fvcore": fvcore_seconds / len(rows), "ptflops": ptflops_seconds / len(rows)}


if __name__ == "__main__":
    main()
