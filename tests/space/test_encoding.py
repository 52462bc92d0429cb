"""Rows of integers against the architectures they stand for, one by one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright import blocks as B
from netwright.errors import BudgetError, SpaceError, TooLargeError
from netwright.ir.cost import COSTS, cost
from netwright.ir.graph import Graph, GraphBuilder
from netwright.seeding import rng_for
from netwright.space import (
    Architecture,
    Decision,
    ExpressionSpace,
    choice,
    compile_space,
    costs_of,
    iterate,
    place,
    repeat,
    sample,
    sequential,
)
from netwright.space.cell_grammar import cell, five_steps
from netwright.space.cell_stack import cells
from netwright.space.diagram import PEAK, Diagram
from netwright.space.drawing import draw_rows
from netwright.space.encoding import Rows, costs, decode, encode, row_costs
from netwright.space.layers import steps_of
from netwright.space.members import diagram_of
from netwright.space.topology import trellis
from tests.space.composed_spaces import all_members, random_composed
from tests.space.small_spaces import SmallSpace, small_spaces


def small_tables(patch: pytest.MonkeyPatch, chunk: int, table: int) -> None:
    patch.setattr("netwright.space.encoding.CHUNK", chunk)
    patch.setattr("netwright.space.encoding.TABLE", table)


def expected_rows(space: ExpressionSpace, architectures: list[Architecture]) -> list[list[int]]:
    """Rows as the docstring has it, by looking up each value."""
    return [
        [
            decision.options.index(architecture[decision.name]) if decision.name in architecture else -1
            for decision in space.decisions
        ]
        for architecture in architectures
    ]


@settings(max_examples=60, deadline=None)
@given(small_spaces(most=100), st.sampled_from([1, 7, 10_000]), st.sampled_from([1, 60, 10_000]))
def test_rows_of_random_spaces(small: SmallSpace, chunk: int, table: int) -> None:
    space = compile_space(small.expression, "small")
    architectures = [space.architecture(member.choices) for member in small.members]
    with pytest.MonkeyPatch.context() as patch:
        small_tables(patch, chunk, table)
        rows = encode(space, architectures)
        assert rows.tolist() == expected_rows(space, architectures)
        assert decode(space, rows) == architectures
        found = costs(space, rows)
    assert list(found) == list(COSTS)
    for number, member in enumerate(small.members):
        assert {name: int(values[number]) for name, values in found.items()} == member.costs()


@settings(max_examples=60, deadline=None)
@given(small_spaces(most=60), st.data())
def test_exactly_the_rows_of_architectures_are_taken(small: SmallSpace, data: st.DataObject) -> None:
    space = compile_space(small.expression, "small")
    members = {tuple(row) for row in encode(space, iterate(space)).tolist()}
    widths = [len(decision.options) for decision in space.decisions]
    rows = [list(data.draw(st.sampled_from(sorted(members)))) for _ in range(8)]
    for row in rows[1::2]:
        for column in data.draw(st.lists(st.integers(0, len(widths) - 1), max_size=3)):
            row[column] = data.draw(st.integers(-2, widths[column]))
    wrong = [number for number, row in enumerate(rows) if tuple(row) not in members]
    with pytest.MonkeyPatch.context() as patch:
        small_tables(patch, 3, 50)
        if not wrong:
            assert encode(space, decode(space, rows)).tolist() == rows
            return
        for ask in (decode, costs):
            with pytest.raises(SpaceError, match=r"^row \d+: [\w.]+: ") as caught:
                ask(space, rows)
            named = int(str(caught.value).split()[1].rstrip(":"))
            # A chunk of rows is looked at at once, and what is out of range in it is seen first.
            assert named in wrong
            assert named // 3 == wrong[0] // 3


def disagreeing() -> ExpressionSpace:
    """The paths meet the shared decisions in different orders, so that no order of columns suits all."""
    first, second = (choice(1, 3, name=name) for name in ("first", "second"))
    both = sequential(
        place("one", B.conv_bn_act(out=2, kernel=first)), place("two", B.conv_bn_act(out=2, kernel=second))
    )
    return compile_space(
        sequential(
            choice({"both": both, "late": B.conv_bn_act(out=3, kernel=second)}, name="way"),
            B.conv_bn_act(out=2, kernel=first),
            input=(1, 8, 8),
        ),
        "disagreeing",
    )


def test_paths_that_disagree_about_the_order() -> None:
    space = disagreeing()
    columns = steps_of(space.diagram).columns
    assert len(set(columns)) < len(columns)
    every = [list(row) for row in product([-1, 0, 1], repeat=3)]
    members = [row for row in every if min(row) >= 0]  # all three decisions are active on both ways
    architectures = decode(space, members)
    assert sorted(architecture.key for architecture in architectures) == sorted(
        architecture.key for architecture in iterate(space)
    )
    found = costs(space, members)
    for number, architecture in enumerate(architectures):
        assert {name: int(values[number]) for name, values in found.items()} == costs_of(space, architecture)
    for row in every:
        if row not in members:
            with pytest.raises(SpaceError, match="row 0: "):
                costs(space, [row])


OPERATIONS = {"conv": B.conv_bn_act(out=4), "pool": B.max_pool(kernel=3, stride=1), "same": B.identity()}


def cell_space() -> ExpressionSpace:
    one = cell("normal", five_steps({k: OPERATIONS[k] for k in ("conv", "pool")}), five_steps(OPERATIONS))
    return compile_space(
        sequential(cells("stack", one, one, width=4), B.classifier(classes=2), input=(3, 8, 8)), "cells"
    )


def trellis_space() -> ExpressionSpace:
    body = B.conv_bn_act(out=4)
    path = trellis("path", B.depthwise(kernel=3), layers=4, levels=3, width=choice(4, 8))
    return compile_space(sequential(body, path, input=(3, 8, 8)), "trellis")


@pytest.mark.parametrize("make", [cell_space, trellis_space])
def test_cells_and_trellises(make: Any) -> None:
    space: ExpressionSpace = make()
    rows = draw_rows(space, rng_for(0, "rows"), 40)
    found = costs(space, rows)
    for number, architecture in enumerate(decode(space, rows)):
        totals = cost(space.to_graph(architecture)).totals()
        assert {name: int(values[number]) for name, values in found.items()} == totals


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_random_cells_and_trellises(seed: int) -> None:
    space = random_composed(Random(seed), most=150)
    architectures = list(all_members(space))
    rows = encode(space, architectures)
    assert decode(space, rows) == architectures
    found = costs(space, rows)
    for number, architecture in enumerate(architectures):
        totals = cost(space.to_graph(architecture)).totals()
        assert {name: int(values[number]) for name, values in found.items()} == totals
    drawn = draw_rows(space, rng_for(seed), 40 * len(rows))
    assert {tuple(row) for row in drawn.tolist()} == {tuple(row) for row in rows.tolist()}


def test_a_level_out_of_reach_is_named() -> None:
    space = trellis_space()
    names = [decision.name for decision in space.decisions]
    row = encode(space, [sample(space, rng_for(0))])[0].tolist()
    row[names.index("path.1.level")] = 2
    with pytest.raises(
        SpaceError,
        match=r"row 1: path\.1\.level: this decision does not have all options here;.*, got 2",
    ):
        costs(space, [encode(space, [sample(space, rng_for(0))])[0].tolist(), row])


def test_sums_and_peak_apart_where_both_together_are_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    space = cell_space()
    rows = draw_rows(space, rng_for(0, "rows"), 30)
    whole = costs(space, rows)

    def one_kind_only(space: ExpressionSpace, metrics: Collection[str]) -> Diagram:
        if PEAK in metrics and len(metrics) > 1:
            raise TooLargeError("cells: an exact answer would need more than 60,000 states")
        return diagram_of(space, metrics)

    monkeypatch.setattr("netwright.space.encoding.diagram_of", one_kind_only)
    apart = costs(space, rows)
    assert list(apart) == list(whole)
    for name, values in whole.items():
        assert apart[name].tolist() == values.tolist()
    monkeypatch.setattr("netwright.space.encoding.PEAK", "another")
    with pytest.raises(TooLargeError):
        costs(space, rows)


@pytest.fixture(scope="module")
def stage() -> ExpressionSpace:
    body = repeat("s", B.inverted_residual(out=8, kernel=choice(3, 5)), depth=choice(1, 2))
    return compile_space(sequential(body, input=(8, 8, 8)), "stage")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [[0, 1, -1], [0, 2, -1]],
            r"row 1: s\.0\.kernel: expected the index of one of \(3, 5\), so 0 to 1, or",
        ),
        ([[-2, 1, -1]], r"row 0: s\.depth: expected the index of one of \(1, 2\), .* got -2"),
        ([[1, 1, 1], [1, -1, 1]], r"row 1: s\.0\.kernel: this decision is active here; .* \[0, 1\], got -1"),
        ([[0, 1, 0]], r"row 0: s\.1\.kernel: this decision is not active in the architecture; .* -1, got 0"),
        ([0, 1, -1], r"rows: expected shape \(N, 3\), .* got \(3,\)"),
        ([[0, 1]], r"rows: expected shape \(N, 3\), .* got \(1, 2\)"),
        ([[0.0, 1.0, -1.0]], "rows: expected integers, the indices of options, got float64"),
    ],
)
def test_wrong_rows(stage: ExpressionSpace, rows: Any, message: str) -> None:
    for ask in (costs, decode):
        with pytest.raises(SpaceError, match=message):
            ask(stage, rows)


def test_wrong_architectures(stage: ExpressionSpace) -> None:
    good = next(iterate(stage))
    for choices, message in (
        ((("s.depth", 1), ("s.0.kernel", 4)), r"s\.0\.kernel: expected one of \(3, 5\), got 4"),
        ((("s.depth", 1), ("kernel", 3)), "architecture 1: kernel: stage-.* has no such decision"),
        ((("s.depth", 2), ("s.0.kernel", 3)), r"row 1: s\.1\.kernel: this decision is active here"),
        ((("s.depth", 1), ("s.0.kernel", 3), ("s.1.kernel", 3)), r"row 1: s\.1\.kernel: .* is not active"),
    ):
        with pytest.raises(SpaceError, match=message):
            encode(stage, [good, Architecture(stage.id, choices)])
    with pytest.raises(
        SpaceError, match=r"architecture 0: expected one of space stage-\w+, got one of other-1"
    ):
        encode(stage, [Architecture("other-1", good.choices)])


def test_some_metrics_and_none(stage: ExpressionSpace) -> None:
    rows = encode(stage, iterate(stage))
    everything = costs(stage, rows)
    some = row_costs(stage, ("peak_activation_bytes", "macs"))(rows)
    assert list(some) == ["peak_activation_bytes", "macs"]
    for name, values in some.items():
        assert values.tolist() == everything[name].tolist()
        assert values.dtype == np.int64
    assert costs(stage, rows, ()) == {}
    with pytest.raises(BudgetError, match=r"costs: expected some of .* got 'latency'"):
        costs(stage, rows, ("latency",))


def test_no_rows(stage: ExpressionSpace) -> None:
    assert encode(stage, []).shape == (0, 3)
    assert decode(stage, encode(stage, [])) == []
    assert decode(stage, []) == []
    assert {name: values.tolist() for name, values in costs(stage, []).items()} == {n: [] for n in COSTS}


@pytest.mark.parametrize(("options", "kind"), [(128, np.int8), (129, np.int16)])
def test_the_smallest_type_that_holds_the_indices(options: int, kind: type) -> None:
    space = compile_space(
        sequential(B.conv_bn_act(out=choice(*range(1, options + 1))), input=(1, 1, 1)), "wide"
    )
    rows = encode(space, iterate(space))
    assert rows.dtype == kind
    assert rows[:, 0].tolist() == list(range(options))
    assert costs(space, rows)["macs"].tolist() == [9 * out for out in range(1, options + 1)]


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int32, np.int64])
def test_rows_of_any_integer_type(stage: ExpressionSpace, kind: type) -> None:
    rows: Rows = np.array([[1, 0, 1], [1, 1, 1]], dtype=kind)
    expected = [costs_of(stage, one)["macs"] for one in decode(stage, rows)]
    assert costs(stage, rows)["macs"].tolist() == expected


@dataclass(frozen=True)
class Opaque:
    id: str = "opaque-0"
    decisions: tuple[Decision, ...] = (Decision("a", (1, 2)), Decision("b", ("x", "y", "z")))

    def to_graph(self, architecture: Architecture) -> Graph:
        build = GraphBuilder()
        return build.finish(build.input((int(architecture["a"]), 2, 2)))


def test_opaque_spaces_have_rows_but_no_tables() -> None:
    space = Opaque()
    rows: list[list[int]] = [[1, 2], [0, 0]]
    architectures = decode(space, rows)
    assert [dict(one.choices) for one in architectures] == [{"a": 2, "b": "z"}, {"a": 1, "b": "x"}]
    assert encode(space, architectures).tolist() == rows
    with pytest.raises(SpaceError, match="row 0: b: expected the index of one of"):
        decode(space, [[0, 3]])
    with pytest.raises(SpaceError, match=r"this one is opaque: use netwright\.space\.estimate_size"):
        costs(space, rows)  # type: ignore[arg-type]


def test_a_large_space() -> None:
    layer = B.inverted_residual(out=16, kernel=choice(3, 5, 7), expand=choice(3, 4, 6))
    stages = [repeat(f"stage{k}", layer, depth=choice(2, 3, 4)) for k in range(5)]
    space = compile_space(
        sequential(*stages, B.classifier(classes=10), input=(3, choice(32, 48), ...)), "large"
    )
    rows = draw_rows(space, rng_for(0, "rows"), 20_000)
    found = costs(space, rows)
    chosen = list(range(0, 20_000, 200))
    for number, architecture in zip(chosen, decode(space, rows[chosen]), strict=True):
        assert {name: int(values[number]) for name, values in found.items()} == costs_of(space, architecture)
