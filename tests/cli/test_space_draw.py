from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from netwright.space import unrank
from netwright.spaces.catalog import make_space
from tests.cli.runner import Netwright


def test_chain(tmp_path: Path, netwright: Netwright) -> None:
    path = tmp_path / "one.svg"
    text = netwright("space", "draw", "nasbench-macro", "--rank", "17", "--out", str(path)).text
    assert f"drawn in {path}" in text
    assert "classifier: 10 channels" in text
    words = "".join(ElementTree.parse(path).getroot().itertext())
    assert "classifier" in words
    assert unrank(make_space("nasbench-macro"), 17).key in words


def test_trellis_and_its_cell(tmp_path: Path, netwright: Netwright) -> None:
    asked = ("space", "draw", "auto-deeplab-tiny", "--seed", "1", "--out", str(tmp_path / "one.svg"))
    found = netwright(*asked, "--json").json
    text = netwright(*asked).text
    levels = [value for name, value in found["architecture"]["choices"].items() if name.endswith(".level")]
    (path,) = found["paths"].values()
    assert path == [0, *levels]
    ((name, steps),) = found["cells"].items()
    assert f"cell {name}" in text
    for line in steps:
        assert line in text
    assert steps[0].startswith("block 1: take c_{k-")
    assert " apply " in steps[0]
    assert found == netwright(*asked, "--json").json


def test_architecture_as_the_other_verbs_print_it(tmp_path: Path, netwright: Netwright) -> None:
    sampled = netwright("space", "sample", "nats-size", "--number", "1", "--json").json["architectures"][0]
    row = tmp_path / "row.json"
    row.write_text(json.dumps(sampled), encoding="utf-8")
    for given in (
        str(row),
        json.dumps(sampled["architecture"]),
        json.dumps(sampled["architecture"]["choices"]),
    ):
        out = str(tmp_path / "x.svg")
        drawn = netwright("space", "draw", "nats-size", "--architecture", given, "--out", out, "--json").json
        assert (drawn["key"], drawn["rank"]) == (sampled["key"], sampled["rank"])


def test_file_is_named_after_the_architecture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, netwright: Netwright
) -> None:
    monkeypatch.chdir(tmp_path)
    found = netwright("space", "draw", "nats-size", "--json").json
    assert found["drawing"] == f"nats-size-{found['key']}.svg"
    assert (tmp_path / found["drawing"]).read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--rank", "40000"], "rank: expected an integer from 0 to 32767, got 40000"),
        (["--rank", "1", "--seed", "1"], "expected one of --seed, --rank and --architecture, got several"),
        (["--architecture", "{"], "--architecture: expected JSON, got '{'"),
        (["--architecture", '{"a": 1}'], "a: nats-size has no such decision"),
        (["--architecture", "none.json"], "--architecture: expected JSON or a file with JSON"),
        (["--out", "x.png"], "--out: expected a path that ends in .svg, got 'x.png'"),
    ],
)
def test_errors(arguments: list[str], expected: str, netwright: Netwright) -> None:
    assert expected in netwright("space", "draw", "nats-size", *arguments).error
