"""Ctrl-C and SIGTERM as something to wait for, instead of an exception at any place in the code."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Notes the first SIGINT or SIGTERM while it is entered; a second one acts as it would have without.

    So a search ends in good order, never in the middle of a write, and a user who is in a hurry presses
    Ctrl-C twice. Signals reach the main thread only: entered in another thread, nothing is changed.

    Attributes:
        reader: file descriptor that can be read once a signal has come.
        signal: name of the signal that came, or None.
    """

    reader: int

    def __init__(self) -> None:
        self.signal: str | None = None
        self._writer = -1
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        self.reader, self._writer = os.pipe()
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()
        os.close(self.reader)
        os.close(self._writer)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(number).name
        self._restore()
        os.write(self._writer, b"!")

    def _restore(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)
