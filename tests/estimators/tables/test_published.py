"""Every row of the published tables is an architecture of our space, and costs what the table says."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from netwright.errors import ConfigError, DataError
from netwright.estimators.tables import TABLES, Table, load_table, tables_folder
from netwright.ir.cost import cost
from netwright.models.nasbench201 import EDGES
from netwright.spaces import nasbench201_architecture
from netwright.spaces.nasbench201 import edge_name

DATASETS = {"cifar10": 10, "cifar100": 100, "imagenet16": 120}


def rows_of(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def same(table: Table, metric: str, rows: Sequence[dict[str, str]], name: str, **column: int) -> None:
    found = table.column(metric, **column).values
    expected = np.array([float(row[name] or "nan") for row in rows])
    assert np.array_equal(found, expected, equal_nan=True)


@pytest.mark.parametrize("dataset", DATASETS)
def test_nasbench201(dataset: str, shared_data: Path) -> None:
    table = load_table("nasbench201", dataset, shared_data)
    rows = rows_of(shared_data / "nb201.csv.gz")
    assert len(table) == len(set(table.architectures)) == len(rows) == 15_625
    assert table.coverage == 1
    named = [nasbench201_architecture(table.space, row["arch"]) for row in rows[::25]]
    assert named == list(table.architectures[::25])
    assert [table.row(architecture) for architecture in named] == list(range(0, 15_625, 25))
    names = {"0": "none", "1": "skip_connect", "2": "nor_conv_1x1", "3": "nor_conv_3x3", "4": "avg_pool_3x3"}
    for row, architecture in zip(rows, table.architectures, strict=True):
        by_edge = [names[digit] for digit in row["code"]]
        assert [architecture[edge_name(*edge)] for edge in EDGES] == by_edge
    assert table.costs["params"].tolist() == [int(row[f"params_{dataset}"]) for row in rows]
    # The benchmark counts the bias of the classifier as well.
    macs = [int(row[f"macs_{dataset}"]) - DATASETS[dataset] for row in rows]
    assert table.costs["macs"].tolist() == macs
    same(table, "validation_accuracy", rows, f"{dataset}_val200")
    same(table, "validation_accuracy", rows, f"{dataset}_val12", epochs=12)
    same(table, "validation_accuracy", rows, f"{dataset}_val200_s2", seed=2)
    same(table, "test_accuracy", rows, f"{dataset}_test200", epochs=200)
    same(table, "test_accuracy", rows, f"{dataset}_test12", epochs=12)
    assert table.fidelities("validation_accuracy") == (0.06, 1.0)
    latencies = rows_of(shared_data / "nb201_latency.csv.gz")
    assert len(table.devices) == 27
    same(table, "latency_pixel3", latencies, "pixel3")
    assert table.seconds is not None
    assert table.seconds[0] == float(rows[0][f"{dataset}_trainsec200"])


@pytest.mark.parametrize("dataset", DATASETS)
def test_nats_size(dataset: str, shared_data: Path) -> None:
    table = load_table("nats-size", dataset, shared_data)
    rows = rows_of(shared_data / "nats_sss.csv.gz")
    assert len(table) == len(set(table.architectures)) == len(rows) == 32_768
    assert table.coverage == 1
    for row, architecture in zip(rows, table.architectures, strict=True):
        assert ":".join(str(width) for _, width in architecture) == row["arch"]
    assert table.costs["params"].tolist() == [int(row[f"params_{dataset}"]) for row in rows]
    macs = np.array([int(row[f"macs_{dataset}"]) for row in rows]) - table.costs["macs"]
    assert set(macs.tolist()) == {DATASETS[dataset]}
    same(table, "test_accuracy", rows, f"{dataset}_test90")
    assert table.seconds is None
    with pytest.raises(ConfigError, match="expected a metric of test_accuracy, got 'validation_accuracy'"):
        table.column("validation_accuracy")


def test_accel_nasbench(shared_data: Path) -> None:
    """5,138 measurements of 5,125 architectures; the column of MACs counts batch norm and pooling too."""
    table = load_table("accel-nasbench", folder=shared_data)
    first: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows_of(shared_data / "accel_nasbench.csv.gz"):
        first.setdefault(tuple(value for name, value in row.items() if name.startswith("b")), row)
    rows = list(first.values())
    assert len(table) == len(set(table.architectures)) == len(rows) == 5_125
    for row, architecture in zip(rows, table.architectures, strict=True):
        for name, field in (("e", "expand"), ("k", "kernel"), ("l", "depth"), ("se", "se")):
            for block in range(7):
                assert architecture[f"block{block}.{field}"] == int(row[f"b{block}_{name}"])
    params = [round(1e6 * float(row["params_m"])) for row in rows]
    assert table.costs["params"].tolist() == params
    for number in (0, 1, 700, 4000):  # with and without squeeze-and-excite
        graph = table.space.to_graph(table.architectures[number])
        macs = cost(graph).macs
        for node in graph.nodes:
            kind = type(node.op).__name__
            if kind == "BatchNorm":
                macs += 4 * int(np.prod(node.shape))
            elif kind == "GlobalPool":
                (before,) = graph.input_shapes(node)
                macs += int(np.prod(before)) + int(np.prod(node.shape))
        assert macs == pytest.approx(1e6 * float(rows[number]["macs_m"]), abs=51)
    same(table, "validation_accuracy", rows, "val_top1")
    same(table, "throughput_tpuv3", rows, "throughput_tpuv3_ips")
    assert table.metric("throughput_tpuv3").direction == "maximize"
    assert table.devices == ("zcu102", "vck190")


# ---------------------------------------------------------------------------------------------- errors


def test_unknown_names(shared_data: Path) -> None:
    with pytest.raises(
        ConfigError, match="table: expected one of nasbench201, nats-size, accel-nasbench, or"
    ):
        load_table("nasbench101")
    with pytest.raises(ConfigError, match="expected one of cifar10, cifar100, imagenet16, got none"):
        load_table("nasbench201", folder=shared_data)
    with pytest.raises(
        ConfigError, match="table accel-nasbench: expected none, there is only one, got cifar"
    ):
        load_table("accel-nasbench", "cifar10", shared_data)
    assert TABLES == ("nasbench201", "nats-size", "accel-nasbench")


def test_where_tables_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETWRIGHT_TABLES", raising=False)
    assert tables_folder() is None
    with pytest.raises(
        ConfigError, match=r"table nats-size: expected a folder with nats_sss.csv.gz, got none;"
    ):
        load_table("nats-size", "cifar10")
    monkeypatch.setenv("NETWRIGHT_TABLES", str(tmp_path))
    assert tables_folder() == tmp_path
    with pytest.raises(DataError, match=r"nats_sss.csv.gz: expected a CSV file, found none"):
        load_table("nats-size", "cifar10")
    with pytest.raises(DataError, match="--data-dir: expected a folder with tables, found none at nowhere"):
        tables_folder("nowhere")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a header and at least one row, got 0 lines"),
        ("c1,c1\n8,8\n", "line 1: expected columns of different names"),
        ("c1,c2\n8\n", "line 2: expected 2 cells, as the header has, got 1"),
        ("c1,c2\n8,8\n", "expected a column c3, got c1, c2; is it another file"),
        ("c1,c2,c3,c4,c5\n8,8,8,8,9\n", "line 2, column c5: expected one of 8, 16, .*, got '9'"),
        ("c1,c2,c3,c4,c5,cifar10_test90\n8,8,8,8,8,good\n", "line 2, column cifar10_test90: .* got 'good'"),
    ],
)
def test_damaged_files(text: str, message: str, tmp_path: Path) -> None:
    with gzip.open(tmp_path / "nats_sss.csv.gz", "wt", encoding="utf-8") as file:
        file.write(text)
    with pytest.raises(DataError, match=f"nats_sss.csv.gz.*{message}"):
        load_table("nats-size", "cifar10", tmp_path)


def test_a_torn_file(tmp_path: Path) -> None:
    (tmp_path / "nats_sss.csv.gz").write_bytes(gzip.compress(b"c1,c2\n" * 100)[:30])
    with pytest.raises(DataError, match="expected a CSV file, which cannot be read"):
        load_table("nats-size", "cifar10", tmp_path)


def test_latencies_of_other_rows(tmp_path: Path) -> None:
    header = "index,code,cifar10_val200,cifar10_test200,cifar10_val12,cifar10_test12,cifar10_trainsec200"
    for name, text in (
        ("nb201.csv.gz", f"{header}\n0,012340,1,2,3,4,5\n"),
        ("nb201_latency.csv.gz", "index,pixel3\n1,2.5\n"),
    ):
        with gzip.open(tmp_path / name, "wt", encoding="utf-8") as file:
            file.write(text)
    with pytest.raises(DataError, match=r"nb201_latency.csv.gz: index: expected the rows of nb201.csv.gz"):
        load_table("nasbench201", "cifar10", tmp_path)
    (tmp_path / "nb201_latency.csv.gz").unlink()
    assert load_table("nasbench201", "cifar10", tmp_path).devices == ()
