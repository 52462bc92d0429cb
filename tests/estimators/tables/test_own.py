from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from netwright.errors import DataError
from netwright.estimators.tables import read_table
from netwright.space import unrank
from tests.estimators.tables.small import HEADER, ROWS, stage, write


def test_columns(tmp_path: Path) -> None:
    space = stage()
    table = read_table(write(tmp_path / "own.csv"), space)
    assert table.architectures == tuple(unrank(space, rank) for rank in range(5))
    assert table.column("validation_accuracy").values.tolist() == [10, 20, 30, 40, 50]
    assert table.metric("latency_phone").direction == "minimize"
    assert table.seconds is not None
    assert table.seconds.tolist() == [100, 200, 300, 400, 500]
    assert table.name == "own.csv"
    packed = tmp_path / "own.csv.gz"
    packed.write_bytes(gzip.compress((tmp_path / "own.csv").read_bytes()))
    assert read_table(packed, space).architectures == table.architectures


def test_epochs_seeds_and_directions(tmp_path: Path) -> None:
    header = "s.depth,s.0.kernel,s.1.kernel,loss@2,loss@10,loss@10#0,size#3"
    path = write(tmp_path / "own.csv", header, ["1,3.0,,5,4,3,2", "2,3,5,5,4,,"])
    table = read_table(path, stage(), minimize=["loss"])
    assert table.fidelities("loss") == (0.2, 1.0)
    assert table.best("loss") == 0
    assert table.column("loss", 10, 0).values.tolist() == pytest.approx([3, np.nan], nan_ok=True)
    assert table.column("size", seed=3).values[0] == 2
    assert table.metric("size").direction == "maximize"
    assert table.seconds is None


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        ("a,b", ["1,2"], "line 1: expected columns named after the decisions of stage, s.depth, s.0.kernel"),
        ("s.depth,s.0.kernel", ["1,3"], "line 1: expected at least one column that is no decision of stage"),
        (HEADER, ["1,7,,1,1,1"], "line 2, column s.0.kernel: expected one of 3, 5, got '7'"),
        (HEADER, ["1,3,,1,1,1", "1,x,,1,1,1"], "line 3, column s.0.kernel: expected one of 3, 5, got 'x'"),
        (HEADER, ["1,3,3,1,1,1"], "line 2: s.1.kernel: this decision is not active in the architecture"),
        (HEADER, ["2,3,,1,1,1"], "line 2: s.1.kernel: this decision is active but the architecture does not"),
        (HEADER, [*ROWS, ROWS[1]], "line 7: expected every architecture once, got that of line 3 again"),
        (HEADER, ["1,3,,good,1,1"], "line 2, column validation_accuracy: expected a number, got 'good'"),
        (HEADER + ",a@b", ["1,3,,1,1,1,2"], "line 1, column 'a@b': expected NAME, NAME@EPOCHS, NAME#SEED"),
        (HEADER, ["1,3,,1,1"], "line 2: expected 6 cells, as the header has, got 5"),
    ],
)
def test_bad_input_is_said_with_line_and_column(
    header: str, rows: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=f"own.csv, {message}"):
        read_table(write(tmp_path / "own.csv", header, rows), stage())


def test_a_metric_to_minimise_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="expected the metric 'loss', which is to be minimised, among latency_"
    ):
        read_table(write(tmp_path / "own.csv"), stage(), minimize=["loss"])
