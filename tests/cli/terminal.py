"""A real terminal of which a test reads everything, however late and in however many parts it comes."""

from __future__ import annotations

import os
import pty
import threading
from types import TracebackType


class Terminal:
    """A pseudo-terminal, read by a thread until its last writer has closed it.

    Reading once is not enough: what was written arrives in parts, after the writer has gone on, and a writer
    waits where nobody reads.

    Attributes:
        writer: the file descriptor that programs write to; who takes it closes it.
    """

    def __init__(self) -> None:
        self._reader, self.writer = pty.openpty()
        self._parts: list[bytes] = []
        self._thread = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self._reader, 65536)
            except OSError:  # Linux' way to say that no writer is left
                return
            if not part:
                return
            self._parts.append(part)

    def __enter__(self) -> Terminal:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._reader)

    def text(self) -> str:
        """All that was written; waits at most a minute for the writers to close their ends."""
        self._thread.join(60)
        assert not self._thread.is_alive(), "the terminal is still open for writing"
        return b"".join(self._parts).decode()
