"""What all tests share: where the data lie, and how hypothesis and torch behave under test."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
IN_CI = os.environ.get("CI") == "true"

# Other processes share the cores, so the time of one example says nothing. In CI the examples are the same in
# every run: a change fails for what it did, not for the luck of the draw.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("local"), derandomize=True, print_blob=True)
settings.load_profile("ci" if IN_CI else "local")


def pytest_runtest_setup() -> None:
    """Give torch one thread, as a trial has, so that results and times do not depend on the machine's cores.

    torch is not imported for this: most tests need none of it.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def _folder(path: Path, remedy: str) -> Path:
    """The folder, or a visible skip; in CI, where nothing may be missing, a failure."""
    if path.is_dir():
        return path
    message = f"{path}: expected a folder with data, found none; {remedy}"
    if IN_CI:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the published tables and small data sets that tests compare with."""
    shared = Path(os.environ.get("NETWRIGHT_SHARED", ROOT.parent / "shared"))
    return _folder(shared / "data", "set NETWRIGHT_SHARED to the folder that holds data/")


@pytest.fixture(scope="session")
def fashion_mnist() -> Path:
    """Folder of the Fashion-MNIST files, as Debian's package lays them."""
    return _folder(Path("/usr/share/datasets/fashion-mnist"), "apt-get install dataset-fashion-mnist")
