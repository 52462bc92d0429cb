from __future__ import annotations

import pytest

from netwright.cli.main import main
from tests.cli.runner import Finished, Netwright


@pytest.fixture
def netwright(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Netwright:
    """The command line, without a process of its own for each call."""
    monkeypatch.delenv("NETWRIGHT_DEBUG", raising=False)

    def run(*arguments: str) -> Finished:
        capsys.readouterr()
        code = main(arguments)
        return Finished(code, *capsys.readouterr())

    return run
