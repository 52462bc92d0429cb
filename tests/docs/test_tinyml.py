"""Every command of docs/tinyml.md, run one after the other in an empty folder."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from statistics import mean, stdev

import pytest
import yaml

from tests.pipeline.deployable import need_edge

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tinyml.md"
RESULTS = ROOT / "benchmarks" / "results"
BLOCK = re.compile(r"```(bash|text|sh)\n(.*?)```\n", re.DOTALL)
NUMBER = re.compile(r"\d[\d,.]*")


def blocks(kind: str) -> list[str]:
    """The fenced blocks of one kind, in the order of the page."""
    return [text for found, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")) if found == kind]


def without_numbers(text: str) -> list[str]:
    """Lines with one space between words, a # for each number, and no rule of dashes."""
    lines = [" ".join(NUMBER.sub("#", line).split()) for line in text.splitlines()]
    return [line for line in lines if line.strip("─ ")]


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, str]:
    """An environment where ``netwright`` and ``python`` are those of this test."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, words in (("netwright", '-m netwright "$@"'), ("python", '"$@"')):
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}\n')
        script.chmod(0o755)
    paths = os.pathsep.join(path for path in sys.path if path)
    return os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": paths}


@pytest.mark.slow
def test_the_walk_from_data_to_c_array(tmp_path: Path, programs: dict[str, str]) -> None:
    need_edge()
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler: cc")
    folder = tmp_path / "work"
    folder.mkdir()
    commands = blocks("bash")
    printed = {}
    for command in commands:
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=folder,
            env=programs,
            capture_output=True,
            text=True,
            timeout=3000,
            check=False,
        )
        assert run.returncode == 0, f"{command}\n{run.stderr}"
        printed[command] = run.stdout
    (measured,) = [command for command in commands if command == "netwright deploy runs/digits\n"]
    (_, shown) = blocks("text")
    assert without_numbers(printed[measured]) == without_numbers(shown)
    (refused,) = [text for command, text in printed.items() if "exit code" in command]
    assert refused.endswith("exit code 3\n")
    assert "DOES NOT FIT" in refused
    facts = json.loads((folder / "deployed.json").read_text())
    assert facts["fits"]
    assert facts["calibration"]["images"] == 200
    labels = printed[commands[-1]].split()
    assert len(labels) == 3
    assert set(labels) <= set(facts["output"]["classes"])
    assert (folder / "model.o").stat().st_size > facts["measured"]["flash_bytes"]


def test_every_command_of_netwright_is_in_a_block_that_is_run_or_held_to_a_result() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [
        kind for kind in re.findall(r"^```(\w+)$", text, re.MULTILINE) if kind not in ("bash", "text", "sh")
    ] == []
    assert len(re.findall(r"^netwright ", text, re.MULTILINE)) == sum(
        len(re.findall(r"^netwright ", block, re.MULTILINE)) for block in [*blocks("bash"), *blocks("sh")]
    )


def options(words: list[str]) -> list[tuple[str, str]]:
    """The options of a search with their values, but for paths and for what the machine has anyway."""
    own = ("--space", "--out", "--workers")
    return sorted(pair for pair in pairwise(words) if pair[0].startswith("--") and pair[0] not in own)


def test_the_searches_of_an_hour_are_those_that_were_measured() -> None:
    measured = json.loads((RESULTS / "tinyml.json").read_text(encoding="utf-8"))["budgets"]
    small, large, _ = ([shlex.split(line) for line in lines(block)] for block in blocks("sh"))
    assert yaml.safe_load(small[0][1]) == measured["small"]["space"]
    assert options(large[0]) == options(shlex.split(measured["large"]["design"]))
    for (_, search), found in ((small, measured["small"]), (large, measured["large"])):
        shown = options(search)
        assert len(shown) > 10
        assert shown == options(shlex.split(found["command"]))


def test_the_table_of_ranks_is_the_one_that_was_measured() -> None:
    measured = json.loads((RESULTS / "design.json").read_text(encoding="utf-8"))
    assert [shlex.split(line) for line in lines(blocks("sh")[2])] == [shlex.split(measured["design"])]
    table = PAGE.read_text(encoding="utf-8").split("| rank of 16 |")[1].split("\n\n")[0].splitlines()[2:]
    assert len(table) == len(measured["rows"]) == 3
    assert measured["sub_spaces"] == 16
    for line, row in zip(table, measured["rows"], strict=True):
        tests = [run["test_accuracy"] for run in row["runs"]]
        assert [part.strip() for part in line.strip("|").split("|")] == [
            str(row["place"]),
            f"{row['set']['stem.stride']}, {row['set']['stage1.width']}",
            " to ".join(f"{row['mean_macs'][end] / 1e6:.1f}" for end in ("lower", "upper")),
            ", ".join(f"{100 * test:.2f}" for test in tests),
            f"{100 * mean(tests):.2f} ± {100 * stdev(tests) / len(tests) ** 0.5:.2f}",
            f"{mean(run['minutes'] for run in row['runs']):.0f}",
        ]


def lines(block: str) -> list[str]:
    """The commands of a block, each on a line of its own."""
    return block.replace("\\\n", " ").splitlines()
