"""The durable record of a search, the history of its trials, and the loop that makes it.

Everything here is imported on first use: the record needs optuna, a search in memory does not.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.study.context import CHECKPOINT as CHECKPOINT
    from netwright.study.context import TrialContext as TrialContext
    from netwright.study.context import TrialSettings as TrialSettings
    from netwright.study.driver import SearchResult as SearchResult
    from netwright.study.driver import run_search as run_search
    from netwright.study.events import Event as Event
    from netwright.study.events import Finished as Finished
    from netwright.study.events import Reported as Reported
    from netwright.study.events import Resumed as Resumed
    from netwright.study.events import Started as Started
    from netwright.study.events import Stopped as Stopped
    from netwright.study.events import StopReason as StopReason
    from netwright.study.executor import Executor as Executor
    from netwright.study.executor import Outcome as Outcome
    from netwright.study.executor import Report as Report
    from netwright.study.executor import SerialExecutor as SerialExecutor
    from netwright.study.history import History as History
    from netwright.study.in_memory import Answer as Answer
    from netwright.study.in_memory import InMemorySearch as InMemorySearch
    from netwright.study.in_memory import Source as Source
    from netwright.study.in_memory import search_in_memory as search_in_memory
    from netwright.study.processes import ProcessExecutor as ProcessExecutor
    from netwright.study.settings import StudySettings as StudySettings
    from netwright.study.store import Study as Study
    from netwright.study.store import open_study as open_study
    from netwright.study.store import read_study as read_study

_HOMES = {
    **dict.fromkeys(("CHECKPOINT", "TrialContext", "TrialSettings"), "context"),
    **dict.fromkeys(("SearchResult", "run_search"), "driver"),
    **dict.fromkeys(
        ("Event", "Finished", "Reported", "Resumed", "Started", "StopReason", "Stopped"), "events"
    ),
    **dict.fromkeys(("Executor", "Outcome", "Report", "SerialExecutor"), "executor"),
    "History": "history",
    **dict.fromkeys(("Answer", "InMemorySearch", "Source", "search_in_memory"), "in_memory"),
    "ProcessExecutor": "processes",
    "StudySettings": "settings",
    **dict.fromkeys(("Study", "open_study", "read_study"), "store"),
}

__all__ = [
    "CHECKPOINT",
    "Answer",
    "Event",
    "Executor",
    "Finished",
    "History",
    "InMemorySearch",
    "Outcome",
    "ProcessExecutor",
    "Report",
    "Reported",
    "Resumed",
    "SearchResult",
    "SerialExecutor",
    "Source",
    "Started",
    "StopReason",
    "Stopped",
    "Study",
    "StudySettings",
    "TrialContext",
    "TrialSettings",
    "open_study",
    "read_study",
    "run_search",
    "search_in_memory",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for [PEP 562]."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
