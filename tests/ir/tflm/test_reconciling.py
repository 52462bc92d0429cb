"""A difference between the prediction and a file is named."""

from __future__ import annotations

import pytest

from netwright import blocks as B
from netwright.errors import ExportError
from netwright.ir.graph import GraphBuilder
from netwright.ir.tflm import lower, reconcile
from netwright.ir.tflm.program import Program


def program() -> Program:
    build = GraphBuilder()
    x = build.input((3, 8, 8))
    with build.scope("stem"):
        x = B.conv_bn_act(out=8, activation="hardswish")(build, x)
    with build.scope("end"):
        return lower(build.finish(B.classifier(classes=3)(build, x)))


def test_the_same_operators_pass() -> None:
    reconcile(program(), ["CONV_2D", "HARD_SWISH", "MEAN", "FULLY_CONNECTED"])


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (
            ["CONV_2D", "MEAN", "FULLY_CONNECTED"],
            r"operator 1 \(from stem.act\): expected HARD_SWISH, got MEAN",
        ),
        (
            ["CONV_2D", "HARD_SWISH", "MEAN"],
            r"operator 3 \(from end.linear\): expected FULLY_CONNECTED, got no op",
        ),
        (
            ["CONV_2D", "HARD_SWISH", "MEAN", "FULLY_CONNECTED", "SOFTMAX"],
            r"operator 4 \(behind the last predicted one\): expected no operator, got SOFTMAX",
        ),
    ],
)
def test_the_first_difference_is_named(kinds: list[str], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        reconcile(program(), kinds)
