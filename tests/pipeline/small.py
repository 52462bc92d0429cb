"""A job that takes seconds: scikit-learn's digits and a space of tiny networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import netwright
from netwright import blocks as B
from netwright.pipeline import Progress, SearchConfig, SearchOutcome, make_config
from netwright.pipeline.job import Job, prepare_job
from netwright.space import ExpressionSpace, choice, compile_space, place, repeat, sequential
from netwright.study import History, read_study

SPACE = compile_space(
    sequential(
        place("stem", B.conv_bn_act(out=choice(4, 8), stride=2)),
        repeat(
            "body", B.inverted_residual(out=8, kernel=choice(3, 5), expand=choice(2, 3)), depth=choice(1, 2)
        ),
        place("classifier", B.classifier(classes=10)),
        input=(1, choice(8, 12, name="resolution"), ...),
    ),
    "small",
    memory_model="inplace-depthwise",
)
"""80 networks of 3k to 74k MACs for grey images of ten classes; 62 have at most 40k."""

SETTINGS: dict[str, Any] = {"epochs": 1, "trials": 4, "top": 2, "max_macs": "40k", "workers": 2}


def search_small(out: Path, data: Any = "digits", **changes: Any) -> SearchOutcome:
    """Do the small job."""
    settings = {**SETTINGS, **changes}
    return netwright.search(data, out, space=SPACE, **settings)


def prepared(own: ExpressionSpace | None = SPACE, /, **settings: Any) -> Job:
    """The small job, checked and not begun."""
    return prepare_job(small_config(**settings), None, own, ignore)


def small_config(**settings: Any) -> SearchConfig:
    return make_config({"data": "digits", "out": "nowhere", **SETTINGS, **settings})


def ignore(progress: Progress) -> None:
    """Watch and say nothing."""


def history_of(out: Path) -> History:
    """The finished trials of a run directory."""
    with read_study(out) as study:
        return study.history()
