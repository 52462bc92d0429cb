"""A TFLite file in a folder, beside the script that runs it anywhere."""

from __future__ import annotations

import shutil
from pathlib import Path

from netwright.export.bundle import staged

MODEL_FILE = "model.tflite"
SCRIPT_FILE = "run.py"


def reader_file() -> Path:
    """The script that runs a file with tflite-micro and numpy alone."""
    return Path(__file__).with_name("reader.py")


def write_tflite(file: bytes, folder: str | Path) -> Path:
    """Write ``model.tflite`` and ``run.py``, which needs tflite-micro and numpy and no netwright.

    Args:
        file: what ``convert`` gave.
        folder: where the two files are put, see ``netwright.export.staged``.

    Returns:
        The path of the TFLite file.

    Raises:
        ExportError: if the folder cannot be written.
    """
    with staged(folder) as draft:
        (draft / MODEL_FILE).write_bytes(file)
        shutil.copyfile(reader_file(), draft / SCRIPT_FILE)
    return Path(folder) / MODEL_FILE
