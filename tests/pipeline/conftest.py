from __future__ import annotations

from multiprocessing import forkserver

import pytest


@pytest.fixture(scope="module")
def fresh_fork_server() -> None:
    """Let the next search start its own fork server.

    Whoever starts the first one in a process decides what trials find imported; with another test's server
    every trial of a real training would import torch again.
    """
    # Made for unit tests, as its docstring says; there is no public way.
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
