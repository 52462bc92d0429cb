"""The main job as one function, which the Python API exports and the command line calls."""

from netwright.pipeline.config import SearchConfig, make_config, read_config
from netwright.pipeline.job import run, search
from netwright.pipeline.outcome import SearchOutcome, read_result
from netwright.pipeline.progress import Checked, Exporting, Finishing, Loaded, Planned, Progress, Searching

__all__ = [
    "Checked",
    "Exporting",
    "Finishing",
    "Loaded",
    "Planned",
    "Progress",
    "SearchConfig",
    "SearchOutcome",
    "Searching",
    "make_config",
    "read_config",
    "read_result",
    "run",
    "search",
]
