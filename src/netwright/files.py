"""Files that are written as a whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that no reader and no crash ever finds half of it.

    It is written beside its place, put on disk, and then renamed. A file that exists is replaced.

    Args:
        path: the file; its folder must exist.
        text: what it shall have, written as UTF-8 with line ends as they are.

    Raises:
        OSError: if it cannot be written; then all is as it was.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
