"""Tables of latency from files: our own, and published ones."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netwright.devices import load_latency, write_latency
from netwright.errors import ConfigError
from netwright.ir.latency import LATENCY, LatencyTable
from netwright.space import extremes
from netwright.spaces import ofa_mobilenet_v3, proxylessnas

IMAGENET = ((3, 224, 224), 1000)


def test_round_trip(tmp_path: Path) -> None:
    table = LatencyTable("board", {("linear 8 to 2",): 1_234_567, ("a", "b"): 1}, 4, "notes")
    write_latency(table, tmp_path / "table.json")
    assert load_latency(tmp_path / "table.json") == table


def test_several_files_are_one_table(tmp_path: Path) -> None:
    write_latency(LatencyTable("one", {("a",): 10, ("b",): 20}), tmp_path / "one.json")
    write_latency(LatencyTable("two", {("b",): 30, ("c",): 40}), tmp_path / "two.json")
    found = load_latency(tmp_path / "one.json", tmp_path / "two.json")
    assert (found.name, dict(found.entries)) == ("one, two", {("a",): 10, ("b",): 25, ("c",): 40})
    write_latency(LatencyTable("three", {("a",): 10}, 8), tmp_path / "three.json")
    with pytest.raises(ConfigError, match=r"expected files for one batch size, got \[1, 8\]"):
        load_latency(tmp_path / "one.json", tmp_path / "three.json")


def entry(**item: Any) -> str:
    return json.dumps({"format": 1, "entries": [item]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected a latency table as JSON"),
        ("[]", "expected a latency table, a JSON object with entries"),
        ('{"format": 9}', "expected format 1, got 9"),
        ('{"format": 1}', "expected 'entries', a list, got None"),
        (entry(ms=1), "entry 0: expected 'operations', a list of texts, and 'ms'"),
        (entry(operations=["a"]), "entry 0: a: expected milliseconds of at least 0, got nothing; measure it"),
        (entry(operations=["a"], ms=-1), "entry 0: a: expected milliseconds of at least 0, got -1"),
        ('{"Conv-input:2x2x3": {"mean": 1}}', "Conv-input:2x2x3: expected the key of a published table"),
        (
            '{"Conv-input:8x8x3-output:4x4x16": {"mean": null}}',
            "output:4x4x16: expected milliseconds of at least 0, got nothing",
        ),
        (
            '{"Pool-input:8x8x3-output:4x4x3": {"mean": 1}}',
            "expected a block of a MobileNet .a part of kind 'Pool' is not known",
        ),
        (
            '{"expanded_conv-input:8x8x3-output:8x8x3-expand:3-kernel:3-stride:1-idskip:0": {"mean": 1}}',
            "idskip 0 does not go with its stride and channels",
        ),
        (
            '{"Conv_1-input:8x8x3-output:4x4x16": {"mean": 1}}',
            r"its output is \(16, 8, 8\), the key says \(16, 4, 4\)",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "table.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"table\.json: .*{message}"):
        load_latency(path)


def test_missing_files() -> None:
    with pytest.raises(ConfigError, match=r"there\.json: expected a latency table that can be read"):
        load_latency("there.json")
    with pytest.raises(ConfigError, match="expected at least one file"):
        load_latency()


def test_two_entries_for_one_operation(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(json.dumps({"format": 1, "entries": [{"operations": ["a"], "ms": 1}] * 2}))
    with pytest.raises(ConfigError, match="entry 1: 'a' has an entry already"):
        load_latency(path)


def test_the_published_tables_have_every_network_of_their_spaces(shared_data: Path) -> None:
    """Every op of every network has an entry, and the extremes are the sums that the files give by hand."""
    for resolution in (160, 176, 192, 208, 224):
        path = shared_data / "luts" / f"ofa_note10_r{resolution}.json"
        space = replace(
            ofa_mobilenet_v3(*IMAGENET, width=1.2, resolution=resolution), latency=load_latency(path)
        )
        times = {key: value["mean"] for key, value in json.loads(path.read_text()).items()}
        found = extremes(space, LATENCY)
        least, most = by_hand(times)
        assert abs(found.smallest.value / 1e6 - least) < 1e-4
        assert abs(found.largest.value / 1e6 - most) < 1e-4


def by_hand(times: dict[str, float]) -> tuple[float, float]:
    """The fastest and slowest network: in each stage the extreme of each layer, two layers or four."""
    low = high = 0.0
    stages: dict[str, dict[bool, list[float]]] = {}
    for key, time in times.items():
        kind, entry, output, *_ = re.split("-input:|-output:|-expand", key)
        if kind == "expanded_conv":
            stages.setdefault(output, {}).setdefault(entry == output, []).append(time)
        else:
            low, high = low + time, high + time
    for layers in stages.values():
        if False in layers:  # a stage, whose first layer shrinks or widens
            low, high = low + min(layers[False]), high + max(layers[False])
            low, high = low + min(layers[True]), high + 3 * max(layers[True])
        else:  # the block in front of the stages, which is fixed
            (time,) = layers[True]
            low, high = low + time, high + time
    return low, high


def test_the_table_of_proxylessnas(shared_data: Path) -> None:
    table = load_latency(shared_data / "luts" / "proxyless_mobile_pixel1.json")
    found = extremes(replace(proxylessnas(*IMAGENET), latency=table), LATENCY)
    # The network of its paper takes 78 ms on this phone.
    assert found.smallest.value < 78_000_000 < found.largest.value
