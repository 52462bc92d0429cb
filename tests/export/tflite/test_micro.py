from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netwright.errors import ExportError
from netwright.export import tflite
from tests.export.tflite.clean import clean_labels
from tests.export.tflite.conftest import Convert
from tests.export.tflite.small import images

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["inverted_residuals", "shuffled", "branches", "signals"])
def test_the_interpreter_computes_what_litert_computes(converted: Convert, name: str) -> None:
    made = converted(name)
    batch = images(made.network.graph, 100, seed=5)
    run = tflite.run_micro(made.file, batch)
    reference = tflite.run_litert(made.file, batch, "reference")
    assert run.outputs.dtype == reference.dtype == np.int8
    assert np.abs(run.outputs.astype(np.int32) - reference).max() <= 1
    assert (run.outputs == reference).mean() > 0.98


def test_the_arena_is_head_and_tail(converted: Convert) -> None:
    made = converted("inverted_residuals")
    run = tflite.run_micro(made.file, made.images[:1])
    assert run.arena_bytes == run.head_bytes + run.tail_bytes
    # The widest step: 24 channels expanded from 8, both at 14 x 13.
    assert run.head_bytes >= 14 * 13 * (24 + 8)
    again = tflite.run_micro(made.file, made.images[:1], arena_bytes=run.arena_bytes + 4096)
    assert (again.head_bytes, again.tail_bytes) == (run.head_bytes, run.tail_bytes)


@pytest.mark.parametrize("name", ["inverted_residuals", "signals"])
def test_the_smallest_arena_is_enough_and_16_bytes_less_are_not(converted: Convert, name: str) -> None:
    made = converted(name)
    smallest = tflite.smallest_arena(made.file)
    whole = tflite.run_micro(made.file, made.images[:4])
    assert smallest % 16 == 0
    assert smallest >= whole.arena_bytes
    assert (tflite.run_micro(made.file, made.images[:4], smallest).outputs == whole.outputs).all()
    with pytest.raises(ExportError, match=f"with an arena of {smallest - 16} bytes"):
        tflite.run_micro(made.file, made.images[:4], smallest - 16)


def test_a_file_that_cannot_run_is_an_error_with_what_was_printed(converted: Convert) -> None:
    made = converted("signals")
    with pytest.raises(ExportError, match="tflite-micro: cannot run this file"):
        tflite.run_micro(made.file, made.images[:, :, :, :-1])


def test_an_export_runs_where_there_is_only_tflite_micro_and_numpy(
    converted: Convert, tmp_path: Path
) -> None:
    made = converted("inverted_residuals")
    file = tflite.write_tflite(made.file, tmp_path / "export")
    assert sorted(path.name for path in file.parent.iterdir()) == ["model.tflite", "run.py"]
    batch = images(made.network.graph, 50, seed=9)
    labels = clean_labels(file.parent, batch.permute(0, 2, 3, 1).numpy(), tmp_path)
    here = tflite.run_micro(made.file, batch)
    assert labels == here.labels.tolist()
    assert (np.load(tmp_path / "outputs.npy") == here.outputs).all()
