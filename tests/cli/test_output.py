from __future__ import annotations

import os
import subprocess
import sys

import pytest

from netwright.cli.output import Column, exact_count, print_json, print_table
from tests.cli.terminal import Terminal


def test_json_integers_are_exact(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"size": 10**30 + 1})
    assert capsys.readouterr().out == f'{{\n  "size": {10**30 + 1}\n}}\n'


def test_json_is_strict() -> None:
    with pytest.raises(ValueError, match="JSON"):
        print_json({"accuracy": float("nan")})


def test_cells_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table((Column("a"), Column("b", right=True)), [("[bold]:smile:", "1"), ("x" * 200, "1000")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["a", "b"]
    assert lines[2] == f"{'[bold]:smile:':<200}      1"
    assert lines[3] == f"{'x' * 200}   1000"


def test_a_table_without_headers_is_its_rows(capsys: pytest.CaptureFixture[str]) -> None:
    print_table((Column(""), Column("")), [("a", "b"), ("cc", "d")])
    assert capsys.readouterr().out == "a    b\ncc   d\n"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999_999, "999,999"),
        (1_000_000, "1,000,000 (about 1.00e6)"),
        (9_994_999, "9,994,999 (about 9.99e6)"),
        (9_995_001, "9,995,001 (about 1.00e7)"),
        (21_758_655_492_572_485_851, "21,758,655,492,572,485,851 (about 2.18e19)"),
    ],
)
def test_counts_in_full_and_in_short(count: int, text: str) -> None:
    assert exact_count(count) == text


def test_exact_count_has_no_largest_value() -> None:
    assert exact_count(10**400).endswith("(about 1.00e400)")


def test_a_terminal_gets_tables_of_its_width() -> None:
    environment = {**os.environ, "COLUMNS": "60", "TERM": "xterm"}
    with Terminal() as terminal:
        process = subprocess.Popen(
            [sys.executable, "-m", "netwright", "devices"],
            stdout=terminal.writer,
            stdin=terminal.writer,
            env=environment,
        )
        os.close(terminal.writer)
        seen = terminal.text()
    assert process.wait(60) == 0
    tables = seen.partition("SRAM is")[0].splitlines()
    assert "nrf52840" in seen
    assert max(len(line) for line in tables if "\x1b" not in line) <= 60
