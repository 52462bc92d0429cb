"""Comparing the predicted operators with those of a converted file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from netwright.errors import ExportError
from netwright.ir.tflm.program import Program


def reconcile(program: Program, file_kinds: Sequence[str]) -> None:
    """Check that a converted file has the operators that were predicted, in the same order.

    Args:
        program: what ``lower`` predicted.
        file_kinds: TFLite's names of the file's operators in execution order.

    Raises:
        ExportError: if they differ; names the first place, the node there, what was expected and what was
        got.
    """
    for place, (operator, got) in enumerate(zip_longest(program.operators, file_kinds)):
        expected = None if operator is None else operator.kind
        if expected == got:
            continue
        where = "behind the last predicted one" if operator is None else f"from {operator.node}"
        raise ExportError(
            f"converted file, operator {place} ({where}): expected {expected or 'no operator'}, got "
            f"{got or 'no operator'}; the memory that was counted is not that of this file, so take the "
            "measured one and report the network"
        )
