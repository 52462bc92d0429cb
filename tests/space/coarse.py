"""Counting as it is in a large space, on a small one."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from netwright.space import tables

# ``netwright.space.fitting`` is a function; the module of that name is reached like this.
_FITTING = importlib.import_module("netwright.space.fitting")


@contextmanager
def coarse_tables(work: int = 50, memory: int = 10**9) -> Iterator[None]:
    """Leave no room for exact tables, so that costs are rounded.

    Args:
        work: bytes of tables that may be added up.
        memory: bytes of tables that may be kept.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_FITTING, "UNFOLDED_LIMIT", 0, raising=False)
        patch.setattr(tables, "WORK_LIMIT", work)
        patch.setattr(tables, "MEMORY_LIMIT", memory)
        yield
