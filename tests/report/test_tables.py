from __future__ import annotations

from dataclasses import replace

import pytest

from netwright.devices import Check
from netwright.ir.memory import fuse
from netwright.report import ReportContent, tables
from netwright.space import Architecture
from netwright.space.program import Decision
from tests.report.sample import CLASSES, lonely_content, sample_content


@pytest.fixture(scope="module")
def content() -> ReportContent:
    return sample_content()


def test_a_cost_within_its_limit() -> None:
    (row,) = tables.limit_rows([Check("peak_activation_bytes", 60_728, 178_176)])

    assert (row.value, row.limit, row.fits) == ("59.3 KB", "174 KB", True)
    assert row.remark == "34.1\u00a0% of the limit, 115 KB to spare"
    assert row.fill == pytest.approx(34.08, abs=0.01)


def test_a_cost_beyond_its_limit_fills_the_track_and_marks_the_limit() -> None:
    (row,) = tables.limit_rows([Check("macs", 4_000_000, 1_000_000)])

    assert (row.value, row.limit, row.fits, row.remark) == ("4M", "1M", False, "3M over the limit")
    assert (row.fill, row.mark) == (100, 25)


def test_a_narrow_miss_never_reads_as_equal() -> None:
    (row,) = tables.limit_rows([Check("macs", 2_000_001, 2_000_000)])

    assert (row.value, row.limit, row.remark) == ("2000001", "2M", "1 over the limit")


def test_costs_are_rounded_and_exact(content: ReportContent) -> None:
    rows = {row.title: row for row in tables.cost_rows(content)}

    assert rows["Multiply-accumulates (MACs)"].exact == f"{content.cost.macs:,}"
    assert rows["Parameters without batch norm"].exact == f"{content.cost.params_without_bn:,}"
    assert rows["Weights"].exact == f"{content.cost.weight_bytes:,} B"


def test_best_trials_come_first_and_the_winner_is_marked(content: ReportContent) -> None:
    rows = tables.best_trials(content, 10)

    accuracy = {trial.number: trial.metrics["validation_accuracy"] for trial in content.complete}
    assert [row.number for row in rows] == sorted(accuracy, key=lambda n: -accuracy[n])[:10]
    assert [row.architecture for row in rows if row.winner] == [content.winner.key[:8]]


def test_failed_trials_keep_their_reasons(content: ReportContent) -> None:
    assert [(row.number, row.reason) for row in tables.failed_trials(content)] == [
        (number, "TrainingError: the loss is not a number at step 212 of 940") for number in (4, 17)
    ]


def test_every_step_is_in_one_stage_and_one_is_the_peak(content: ReportContent) -> None:
    stages = tables.stages(content)

    steps, _ = fuse(content.graph)
    rows = [(stage, step) for stage in stages for step in stage.steps]
    assert [step.full_name for _, step in rows] == [", ".join(step.members) for step in steps]
    assert [step.full_name.partition(",")[0] for _, step in rows if step.peak] == [content.cost.peak_node]
    assert sum(step.share for _, step in rows) == pytest.approx(1)
    assert sum(stage.share for stage in stages) == pytest.approx(1)


def test_names_do_not_repeat_the_heading(content: ReportContent) -> None:
    stages = {stage.name: stage for stage in tables.stages(content)}

    first = stages["stage1"].steps[0]
    assert (first.name, first.op, first.fused) == ("0.expand.conv", "conv 1×1", "batch norm, relu6")
    assert [step.name for step in stages[""].steps] == ["head.conv"]


def test_the_chosen_option_is_marked_among_all(content: ReportContent) -> None:
    rows = {row.name: row.options for half in tables.decision_rows(content) for row in half}

    assert list(rows) == [name for name, _ in content.winner]
    for name, chosen in content.winner:
        assert [text for text, marked in rows[name] if marked] == [str(chosen)]
    assert [text for text, _ in rows["stage1.0.kernel"]] == ["3", "5", "7"]


def test_without_decisions_only_the_choice_is_shown() -> None:
    rows = [row for half in tables.decision_rows(lonely_content()) for row in half]

    assert all(len(row.options) == 1 and row.options[0][1] for row in rows)


def test_true_is_not_one(content: ReportContent) -> None:
    odd = replace(
        content, winner=Architecture("s", (("flag", True),)), decisions=(Decision("flag", (1, True)),)
    )

    assert tables.decision_rows(odd)[0][0].options == (("1", False), ("True", True))


def test_classes_from_the_confusion_matrix(content: ReportContent) -> None:
    rows = tables.class_rows(content)

    assert [row.name for row in rows] == list(CLASSES)
    assert all(row.count == "1,000" for row in rows)
    assert content.confusion is not None
    for number, row in enumerate(rows):
        counts = list(content.confusion[number])
        assert row.fill == pytest.approx(counts[number] / 10)
        counts[number] = 0
        assert row.mistaken == f"{CLASSES[counts.index(max(counts))]} ({max(counts)}×)"


def test_a_class_without_images(content: ReportContent) -> None:
    odd = replace(content, classes=("seen", "unseen"), confusion=((2, 0), (0, 0)))

    seen, unseen = tables.class_rows(odd)
    assert (seen.accuracy, seen.mistaken) == ("100.0\u00a0%", "")
    assert (unseen.accuracy, unseen.fill, unseen.count) == ("no images", 0, "0")
