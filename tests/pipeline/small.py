"""A job that takes seconds: scikit-learn's digits and a space of tiny networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import netwright
from netwright import blocks as B
from netwright.blocks.segmentation import segmentation_head
from netwright.nn.data import load_data
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

PIXEL_CLASSES = ("background", "small digit", "large digit")
PIXELS = compile_space(
    sequential(
        place("stem", B.conv_bn_act(out=choice(4, 8), stride=2)),
        repeat("body", B.conv_bn_act(out=8, kernel=choice(3, 5)), depth=choice(1, 2)),
        place("head", segmentation_head(classes=3, size=8)),
        input=(1, choice(8, 12, name="resolution"), ...),
    ),
    "small-pixels",
)
"""24 networks that label 8 x 8 pixels of grey images."""

SETTINGS: dict[str, Any] = {"epochs": 1, "trials": 4, "top": 2, "max_macs": "40k", "workers": 2}


def write_pixels(path: Path) -> str:
    """The digits with a label for each pixel, as an archive."""
    digits = load_data("digits")
    kind = np.where(digits.labels < 5, 1, 2)[:, None, None]
    np.savez(
        path,
        x=digits.images[:, 0],
        y=np.where(digits.images[:, 0] < 100, 0, kind).astype(np.uint8),
        classes=np.array(PIXEL_CLASSES),
    )
    return f"npz:{path}"


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
