from __future__ import annotations

from collections import Counter
from functools import reduce

import numpy as np
import pytest

from netwright import blocks as B
from netwright.ir.cost import cost
from netwright.space import ExpressionSpace, choice, compile_space, iterate, repeat, sequential
from netwright.space.diagram import SUMS
from netwright.space.segments import Segment, counted_within, segments_of

WEIGHTS, MACS = SUMS.index("weight_bytes"), SUMS.index("macs")


@pytest.fixture(scope="module")
def chain() -> ExpressionSpace:
    first = B.inverted_residual(out=8, kernel=choice(3, 5), expand=choice(1, 2, 3), stride=2)
    second = B.inverted_residual(out=12, kernel=choice(3, 5), expand=2, stride=2)
    return compile_space(
        sequential(
            B.conv_bn_act(out=8, kernel=choice(1, 3)),
            repeat("a", first, depth=2),
            repeat("b", second, depth=choice(2, 3)),
            B.classifier(classes=3),
            input=(2, 8, 8),
        ),
        "chain",
    )


@pytest.fixture(scope="module")
def pairs(chain: ExpressionSpace) -> Counter[tuple[int, int]]:
    totals = (cost(chain.to_graph(one)).totals() for one in iterate(chain))
    return Counter((one["weight_bytes"], one["macs"]) for one in totals)


def _together(segments: list[Segment]) -> Counter[tuple[int, int]]:
    def join(known: Counter[tuple[int, int]], segment: Segment) -> Counter[tuple[int, int]]:
        found: Counter[tuple[int, int]] = Counter()
        for (weight, macs), times in known.items():
            for more, other, paths in zip(segment.limited, segment.other, segment.paths, strict=True):
                found[weight + int(more), macs + int(other)] += times * int(paths)
        return found

    return reduce(join, segments, Counter({(0, 0): 1}))


def test_segments_together_are_all_pairs(
    chain: ExpressionSpace, pairs: Counter[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small segments are made one; here they stay apart.
    monkeypatch.setattr("netwright.space.segments.MERGED", 0)
    diagram = chain.diagram
    segments = segments_of(diagram, WEIGHTS, MACS)
    assert segments is not None
    assert len(segments) > 2
    base = (diagram.base_sums[WEIGHTS], diagram.base_sums[MACS])
    found = {(w + base[0], m + base[1]): times for (w, m), times in _together(segments).items()}
    assert found == pairs


@pytest.mark.parametrize("merged", [0, 2500])
@pytest.mark.parametrize("cells", [(4, 4), (256, 160)])
def test_counts_are_bounds(
    merged: int,
    cells: tuple[int, int],
    chain: ExpressionSpace,
    pairs: Counter[tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("netwright.space.segments.MERGED", merged)
    monkeypatch.setattr("netwright.space.segments.ROWS", cells[0])
    monkeypatch.setattr("netwright.space.segments.COLUMNS", cells[1])
    diagram = chain.diagram
    segments = segments_of(diagram, WEIGHTS, MACS)
    assert segments is not None
    macs = sorted({macs for _, macs in pairs})
    values = [int(value) for value in np.linspace(macs[0], macs[-1], 23)]
    for limit in np.linspace(min(pairs)[0], max(pairs)[0], 9).astype(int):
        low, high = (
            counted_within(
                segments,
                int(limit) - diagram.base_sums[WEIGHTS],
                [value - diagram.base_sums[MACS] for value in values],
                round_up=round_up,
            )
            for round_up in (True, False)
        )
        for value, least, most in zip(values, low, high, strict=True):
            true = sum(times for (w, m), times in pairs.items() if w <= limit and m <= value)
            assert least <= true <= most
            if merged:  # one segment is not rounded at all
                assert (len(segments), least, most) == (1, true, true)


def test_a_segment_with_too_many_pairs_is_refused(
    chain: ExpressionSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netwright.space.segments.PAIRS", 3)
    assert segments_of(chain.diagram, WEIGHTS, MACS) is None
