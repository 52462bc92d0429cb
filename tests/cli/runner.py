"""Runs the command line inside the test's process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command left behind.

    Attributes:
        code: exit code.
        out: standard output.
        err: standard error.
    """

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON, which is all of it; the command must have succeeded."""
        assert self.code == 0, self.err
        assert self.err == ""
        return json.loads(self.out)

    @property
    def text(self) -> str:
        """Standard output of a command that must have succeeded."""
        assert self.code == 0, self.err
        assert self.err == ""
        return self.out

    @property
    def error(self) -> str:
        """The one line that a command must have failed with."""
        assert self.code == 2, self.err
        assert self.out == ""
        assert self.err.startswith("error: ")
        assert self.err.count("\n") == 1
        return self.err.removeprefix("error: ").rstrip()


class Netwright(Protocol):
    """Runs ``netwright`` with arguments."""

    def __call__(self, *arguments: str) -> Finished: ...
