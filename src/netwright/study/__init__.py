"""The durable record of a search, the history of its trials, and the loop that makes it."""

from netwright.study.context import CHECKPOINT, TrialContext, TrialSettings
from netwright.study.driver import SearchResult, run_search
from netwright.study.events import Event, Finished, Reported, Resumed, Started, Stopped, StopReason
from netwright.study.executor import Executor, Outcome, Report, SerialExecutor
from netwright.study.history import History
from netwright.study.processes import ProcessExecutor
from netwright.study.settings import StudySettings
from netwright.study.store import Study, open_study, read_study

__all__ = [
    "CHECKPOINT",
    "Event",
    "Executor",
    "Finished",
    "History",
    "Outcome",
    "ProcessExecutor",
    "Report",
    "Reported",
    "Resumed",
    "SearchResult",
    "SerialExecutor",
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
]
