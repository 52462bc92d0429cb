"""A table small enough to be written down."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from netwright import blocks as B
from netwright.estimators.tables import Column, Table, latency_of
from netwright.estimators.tables.table import TEST, VALIDATION
from netwright.space import ExpressionSpace, choice, compile_space, iterate, repeat, sequential


def stage() -> ExpressionSpace:
    """Six networks: one layer or two, each with one of two kernels."""
    layers = repeat("s", B.inverted_residual(out=8, kernel=choice(3, 5)), depth=choice(1, 2))
    return compile_space(sequential(layers, input=(8, 8, 8)), "stage")


def small_table(**changed: object) -> Table:
    """Accuracies 10, 20 ... 60 in the order of the ranks; half of them after 2 of 10 epochs."""
    space = stage()
    full = np.array([10.0, 20.0, 30.0, 40.0, 50.0, 60.0])
    columns = (
        Column(VALIDATION, full, 10),
        Column(VALIDATION, full - 1, 10, 0),
        Column(VALIDATION, np.where(full > 35, np.nan, full + 1), 10, 1),
        Column(VALIDATION, full / 2, 2),
        Column(TEST, 100 - full, 10),
        Column(latency_of("phone"), np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan])),
    )
    fields = {
        "name": "small",
        "dataset": "toys",
        "space": space,
        "architectures": tuple(iterate(space)),
        "columns": columns,
        "seconds": 100 * np.arange(1.0, 7.0),
    }
    return Table(**{**fields, **changed})  # type: ignore[arg-type]


HEADER = "s.depth,s.0.kernel,s.1.kernel,validation_accuracy,latency_phone,seconds"
ROWS = ("1,3,,10,1,100", "1,5,,20,2,200", "2,3,3,30,3,300", "2,3,5,40,4,400", "2,5,3,50,5,500")


def write(path: Path, header: str = HEADER, rows: Sequence[str] = ROWS) -> Path:
    """A CSV file of five of the six networks."""
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path
