"""Advisory locks on files, which the kernel takes back when their holder dies in whatever way.

They are POSIX locks (Linux, macOS, Windows' WSL). On Windows itself there are none, and importing this
module, hence running a search, fails with an error that says so: two searches on one study would corrupt it.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from types import TracebackType

from netwright.errors import MissingDependencyError, StudyError

try:
    import fcntl
except ImportError as error:
    raise MissingDependencyError(
        "netwright.study needs the file locks of a POSIX system, and this one has none; "
        "use Linux, macOS or Windows' WSL"
    ) from error


class DriverLock:
    """The right to be the one driver of a run directory.

    The file stays behind when the lock is released: deleting it would let two drivers lock two files of the
    same name. Its text says who holds it and matters for the error message only.

    Args:
        path: the lock file; made if it is missing.

    Raises:
        StudyError: if another process (or another part of this one) holds it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(path)
            self._file.close()
            raise StudyError(
                f"{path.parent}: another search is running in this run directory ({holder}); "
                "wait for it or stop it, or give this search another run directory"
            ) from None
        self._file.truncate(0)
        json.dump({"pid": os.getpid(), "host": socket.gethostname()}, self._file)
        self._file.flush()

    def release(self) -> None:
        """Give the lock back; a second time does nothing."""
        self._file.close()

    def __enter__(self) -> DriverLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def hold_until_exit(path: Path) -> None:
    """Lock a file for as long as this process lives, waiting for an earlier holder to end.

    A trial process holds its work directory so: the process of a driver that was just killed may need a
    moment to notice, and its successor must not write the same checkpoint meanwhile.

    Args:
        path: the lock file; made if it is missing.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f"process {holder['pid']} on {holder['host']}"
    except (ValueError, KeyError, TypeError):
        return "its process id is not known"
