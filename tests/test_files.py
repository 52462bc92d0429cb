"""Files that are written as a whole, seen by readers and by writers that fail."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from netwright.files import write_whole


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, "größer\r\n")
    assert path.read_bytes() == "größer\r\n".encode()
    write_whole(path, "b")
    assert path.read_text() == "b"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_never_sees_half_of_it(tmp_path: Path) -> None:
    path, ends = tmp_path / "a.txt", threading.Event()
    texts = [letter * 3_000_000 for letter in "ab"]
    write_whole(path, texts[0])
    seen: set[str] = set()

    def read() -> None:
        while not ends.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(20):
        write_whole(path, texts[number % 2])
    ends.set()
    reader.join()
    assert seen <= set(texts)


def test_what_fails_leaves_all_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "\ud800")

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "missing" / "a.txt", "new")
