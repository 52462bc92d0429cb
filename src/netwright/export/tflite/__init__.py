"""TFLite: int8 files, the interpreters that run them, and what they need."""

from __future__ import annotations

from pathlib import Path


def reader_file() -> Path:
    """The script that runs a file with tflite-micro and numpy alone."""
    return Path(__file__).with_name("reader.py")
