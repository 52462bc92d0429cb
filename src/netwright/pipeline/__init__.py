"""The main jobs as functions, which the Python API exports and the command line calls.

Everything here is imported on first use: a search needs torch, a comparison on a table does not.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.pipeline.config import SearchConfig as SearchConfig
    from netwright.pipeline.config import make_config as make_config
    from netwright.pipeline.config import read_config as read_config
    from netwright.pipeline.deployment import Deployment as Deployment
    from netwright.pipeline.deployment import deploy as deploy
    from netwright.pipeline.job import run as run
    from netwright.pipeline.job import search as search
    from netwright.pipeline.outcome import SearchOutcome as SearchOutcome
    from netwright.pipeline.outcome import read_result as read_result
    from netwright.pipeline.progress import Checked as Checked
    from netwright.pipeline.progress import Exporting as Exporting
    from netwright.pipeline.progress import Finishing as Finishing
    from netwright.pipeline.progress import Loaded as Loaded
    from netwright.pipeline.progress import Planned as Planned
    from netwright.pipeline.progress import Progress as Progress
    from netwright.pipeline.progress import Searching as Searching

_HOMES = {
    **dict.fromkeys(("SearchConfig", "make_config", "read_config"), "config"),
    **dict.fromkeys(("Deployment", "deploy"), "deployment"),
    **dict.fromkeys(("run", "search"), "job"),
    **dict.fromkeys(("SearchOutcome", "read_result"), "outcome"),
    **dict.fromkeys(
        ("Checked", "Exporting", "Finishing", "Loaded", "Planned", "Progress", "Searching"), "progress"
    ),
}

__all__ = [
    "Checked",
    "Deployment",
    "Exporting",
    "Finishing",
    "Loaded",
    "Planned",
    "Progress",
    "SearchConfig",
    "SearchOutcome",
    "Searching",
    "deploy",
    "make_config",
    "read_config",
    "read_result",
    "run",
    "search",
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
