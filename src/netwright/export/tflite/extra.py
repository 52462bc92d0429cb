"""What is said where the packages of the extra ``edge`` are missing."""

from __future__ import annotations

import importlib.util

from netwright.errors import MissingDependencyError


def missing(package: str) -> MissingDependencyError:
    """The error for a package of the extra that cannot be imported; names the command that installs it."""
    return MissingDependencyError(
        f"tflite: {package} is not installed: pip install -c constraints.txt 'netwright[edge]'"
    )


def require(package: str, module: str) -> None:
    """Check that a package is installed, without importing it.

    Raises:
        MissingDependencyError: if it is not.
    """
    if importlib.util.find_spec(module) is None:
        raise missing(package)
