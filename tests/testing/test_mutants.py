"""The list of seeded bugs fits the code; ``make mutants`` tries them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mutants.catalog import MUTANTS
from mutants.mutant import Mutant

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.wrong)
def test_a_mutant_is_an_edit_of_one_place(mutant: Mutant) -> None:
    text = (ROOT / "src" / "netwright" / mutant.file).read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1
    assert mutant.new != mutant.old
    compile(text.replace(mutant.old, mutant.new), mutant.file, "exec")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.wrong)
def test_its_tests_exist(mutant: Mutant) -> None:
    for test in mutant.tests.split():
        file, *names = test.split("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert all(f"def {name}(" in text or f"class {name}(" in text for name in names)


def test_descriptions_differ() -> None:
    assert len({mutant.wrong for mutant in MUTANTS}) == len(MUTANTS) >= 25
    layers = {mutant.file.split("/")[0] for mutant in MUTANTS}
    assert layers >= {"ir", "space", "strategies", "devices", "study"}
