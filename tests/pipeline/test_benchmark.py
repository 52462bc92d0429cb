"""Comparisons on a small table whose answers are known by hand, and on the published ones."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import permutation_test

from netwright.errors import BudgetError, ConfigError, DataError, StudyError
from netwright.pipeline.benchmark import (
    BenchmarkProgress,
    BenchmarkResult,
    BenchmarkSettings,
    Contestant,
    benchmark,
    read_contestants,
)
from netwright.pipeline.benchmark.paired import holm, paired, randomisation_test
from netwright.pipeline.benchmark.runs import RUNS, SETTINGS, Record, Run, run_once
from netwright.pipeline.benchmark.settings import open_arena, read_milliseconds
from netwright.pipeline.benchmark.summary import summarise
from netwright.space import ExpressionSpace, iterate
from netwright.spaces import nats_size
from netwright.study.locks import DriverLock

RANDOM, LOCAL = Contestant("random"), Contestant("local")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> BenchmarkSettings:
    """A file with all of nats-size: accuracy grows with the widths, latency too, and so does the time."""
    space = nats_size((3, 32, 32), 10)
    path = tmp_path_factory.mktemp("table") / "own.csv"
    path.write_text(table_of(space), encoding="utf-8")
    return BenchmarkSettings(str(path), space="nats-size", evaluations=60)


def table_of(space: ExpressionSpace) -> str:
    names = [decision.name for decision in space.decisions]
    lines = [",".join([*names, "validation_accuracy", "test_accuracy", "latency_phone", "seconds"])]
    for architecture in iterate(space):
        widths = [float(value) for _, value in architecture]
        accuracy = 100 - sum((72 - width) ** 2 for width in widths) / 500
        numbers = (accuracy, accuracy - 5, sum(widths) / 10, sum(widths))
        lines.append(",".join([*(f"{width:g}" for width in widths), *(f"{one:.6g}" for one in numbers)]))
    return "\n".join([*lines, ""])


def compare(
    settings: BenchmarkSettings, out: Path, *names: str, seeds: int = 4, **further: Any
) -> BenchmarkResult:
    return benchmark(settings, read_contestants(",".join(names)), seeds, out, **further)


def runs_in(folder: Path) -> dict[tuple[str, int], Run]:
    lines = (folder / RUNS).read_text(encoding="utf-8").split("\n")
    return {run.key: replace(run, wall=0.0) for run in (Run.from_json(line) for line in lines if line)}


# -------------------------------------------------------------------------------------------- the numbers


def test_numbers_by_hand(own: BenchmarkSettings) -> None:
    """Four runs whose steps are written down, not searched."""
    arena = open_arena(replace(own, evaluations=100))
    column = arena.table.column("validation_accuracy").values
    best = arena.best
    assert column[best] == pytest.approx(100 - 5 * 64 / 500)
    runs = [
        Run("random", 0, 100, "trials", 0.1, ((1, 10, 0), (30, 300, 7))),
        Run("random", 1, 100, "trials", 0.1, ((1, 10, 1), (60, 600, best))),
        Run("random", 2, 100, "trials", 0.1, ((26, 260, best),)),
        Run("random", 3, 300, "trials", 0.3, ()),
    ]
    rows = summarise(arena, {"random": runs}).rows
    assert [row.evaluations for row in rows] == [25, 50, 100]
    regret = column[best] - column
    at25 = np.array([regret[0], regret[1]])  # the others have no result yet
    assert rows[0].mean_validation_regret == pytest.approx(at25.mean())
    assert rows[0].standard_error_regret == pytest.approx(at25.std(ddof=1) / math.sqrt(2))
    at50 = np.array([regret[7], regret[1], 0])
    assert rows[1].mean_validation_regret == pytest.approx(at50.mean())
    assert rows[1].mean_test == pytest.approx(np.mean(column[[7, 1, best]]) - 5, abs=1e-3)
    assert rows[1].regret_quantiles[2] == pytest.approx(np.median(at50))
    assert [row.found_optimum for row in rows] == [0, 0.25, 0.5]
    assert rows[2].evaluations_to_optimum == pytest.approx((60 + 26) / 2)
    assert rows[0].milliseconds_per_proposal == pytest.approx(1.0)
    assert rows[0].seeds == 4


def test_runs_choose_by_what_they_were_told(own: BenchmarkSettings) -> None:
    """The steps of a run are the running best of its history."""
    arena = open_arena(own)
    run = run_once(arena, LOCAL, 3)
    values = arena.table.column("validation_accuracy").values[[row for _, _, row in run.steps]]
    assert np.all(np.diff(values) > 0)
    spent = [step[0] for step in run.steps]
    assert spent == sorted(set(spent))
    assert spent[-1] <= 60
    assert Run.from_json(run.to_json()) == run


def test_local_search_finds_the_only_optimum(own: BenchmarkSettings, tmp_path: Path) -> None:
    """The accuracies of the file have no other local optimum."""
    rows = compare(replace(own, evaluations=300), tmp_path, "random", "local", seeds=5).rows
    last = {row.strategy: row for row in rows if row.evaluations == 300}
    assert last["local"].found_optimum == 1
    assert last["local"].mean_validation_regret == 0
    assert last["random"].found_optimum < 1
    assert (last["random"].mean_validation_regret or 0) > 0


def test_by_seconds(own: BenchmarkSettings, tmp_path: Path) -> None:
    """Widths sum up to 180 on average, and so do the seconds."""
    result = compare(replace(own, by="seconds"), tmp_path, "random")
    assert [row.seconds for row in result.rows] == pytest.approx([25 * 180, 50 * 180, 60 * 180])
    for run in runs_in(tmp_path).values():
        assert all(clock <= 60 * 180 + 320 for _, clock, _ in run.steps)
    assert result.courses[0].x[-1] == pytest.approx(60 * 180)
    shorter = compare(replace(own, by="seconds", seconds=1000), tmp_path / "s", "random", seeds=1)
    assert [row.evaluations for row in shorter.rows] == pytest.approx([1000 / 180], abs=1e-5)


def test_a_limit_on_the_latency(own: BenchmarkSettings, tmp_path: Path) -> None:
    settings = replace(own, device="phone", max_latency=16.0)
    arena = open_arena(settings)
    assert arena.latency is not None
    assert arena.latency[arena.best] == 16.0  # the widest within the limit that are as even as can be
    result = compare(settings, tmp_path, "random", "local", "evolution")
    for run in runs_in(tmp_path).values():
        rows = [row for _, _, row in (*run.steps, *run.front)]
        assert max(arena.latency[rows]) <= 16.0
        assert run.trials > 60  # refused proposals are numbered but not paid for
        assert run.steps[-1][0] <= 60
    for row in result.rows:
        assert row.hypervolume is not None
        assert 0 < row.hypervolume < 1


def test_hypervolume_of_the_whole_table_is_one(own: BenchmarkSettings) -> None:
    """Against sums over a grid of small boxes."""
    arena = open_arena(replace(own, device="phone"))
    latency, score = arena.latency, arena.table.column("validation_accuracy").values
    assert latency is not None
    rows = (0, 5000, 20_000, 32_767)
    steps = tuple((float(k + 1), math.nan, row) for k, row in enumerate(rows))
    everything = tuple((1.0, math.nan, row) for row in range(len(score)))
    runs = {
        "all": [Run("all", 0, 1, "trials", 0.1, steps, everything)],
        "some": [Run("some", 0, 1, "trials", 0.1, steps, steps)],
    }
    found = {row.strategy: row.hypervolume for row in summarise(arena, runs).rows if row.evaluations == 60}
    assert found["all"] == pytest.approx(1)
    corner = float(score.min()), float(latency.max())
    x = np.linspace(latency.min(), corner[1], 2001)

    def volume(rows: tuple[int, ...] | range) -> float:
        points = sorted((latency[row], score[row]) for row in rows)
        heights = np.full(len(x), corner[0])
        for ms, value in points:
            heights[x >= ms] = np.maximum(heights[x >= ms], value)
        return float(np.trapezoid(heights - corner[0], x))

    assert found["some"] == pytest.approx(volume(rows) / volume(range(len(score))), rel=0.01)


def test_minimising(tmp_path: Path, own: BenchmarkSettings) -> None:
    text = Path(own.table).read_text(encoding="utf-8").replace("validation_accuracy", "loss")
    path = tmp_path / "loss.csv"
    path.write_text(text, encoding="utf-8")
    settings = replace(own, table=str(path), minimize=("loss",), objective="loss", evaluations=300)
    last = compare(settings, tmp_path / "out", "local", seeds=2).rows[-1]
    assert last.mean_validation_regret == 0
    assert last.mean_validation == pytest.approx(100 - 5 * 64**2 / 500)


def test_seeds_of_the_table(shared_data: Path, tmp_path: Path) -> None:
    settings = BenchmarkSettings(
        "nasbench201", "cifar100", data_dir=str(shared_data), evaluations=30, table_seed="any"
    )
    row = compare(settings, tmp_path, "evolution", seeds=2).rows[-1]
    assert row.mean_validation_regret is not None
    assert row.mean_validation_regret > 0
    with pytest.raises(ConfigError, match="the table has seeds 0, 1, 2, got seed 9"):
        compare(replace(settings, table_seed=9), tmp_path / "b", "random")


def test_short_trainings_cost_their_share(shared_data: Path, tmp_path: Path) -> None:
    """A schedule on the columns that the table has; what counts is what was trained in full."""
    settings = BenchmarkSettings("nasbench201", "cifar100", data_dir=str(shared_data), evaluations=30)
    compare(settings, tmp_path, "asha:fidelities=[0.06, 1]:inner=evolution", seeds=2)
    for run in runs_in(tmp_path).values():
        assert run.strategy == "asha:fidelities=[0.06, 1]:inner=evolution"
        assert run.trials > 60
        assert run.steps[0][0] == pytest.approx(0.06)
    with pytest.raises(ConfigError, match=r"expected a fidelity of 0.06 \(12/200 epochs\), 1 .* got 0.11"):
        compare(settings, tmp_path, "asha", seeds=1)


def test_strategies_for_several_objectives_get_them(own: BenchmarkSettings) -> None:
    arena = open_arena(replace(own, device="phone", objectives=("latency_phone",)))
    names = {
        name: [metric.name for metric in arena.objectives(Contestant(name).make())]
        for name in ("nsga2", "evolution")
    }
    assert names == {
        "nsga2": ["validation_accuracy", "latency_phone"],
        "evolution": ["validation_accuracy"],
    }


# ------------------------------------------------------------------------------------- paired comparisons


@given(st.lists(st.integers(-3, 8), min_size=1, max_size=10))
def test_all_sign_changes_of_a_few_pairs(whole: list[int]) -> None:
    """Few pairs have few sign changes: the share of them is the exact p-value."""
    differences = np.array(whole) / 7
    sums = [abs(int(np.dot(signs, whole))) for signs in product((-1, 1), repeat=len(whole))]
    exact = sum(one >= abs(sum(whole)) for one in sums) / len(sums)
    # 9,999 draws are within 5 standard errors in all but one case of two millions.
    assert randomisation_test(differences) == pytest.approx(exact, abs=5 * math.sqrt(0.25 / 9999) + 1e-4)
    assert randomisation_test(-differences) == randomisation_test(differences)


def test_the_test_agrees_with_scipy() -> None:
    differences = np.random.default_rng(3).normal(0.2, 1.0, 200)
    theirs = permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=9999, vectorized=True
    ).pvalue
    assert randomisation_test(differences) == pytest.approx(theirs, rel=0.2, abs=0.003)


def test_false_alarms_are_as_rare_as_they_should_be() -> None:
    rng = np.random.default_rng(0)
    p_values = [randomisation_test(rng.exponential(size=30) - rng.exponential(size=30)) for _ in range(400)]
    below = sum(p < 0.05 for p in p_values)
    assert 5 < below < 40  # 20 are expected, 4.4 is the standard deviation


def test_holm_by_hand() -> None:
    """Ordered 0.001, 0.01, 0.04, 0.3 are multiplied by 4, 3, 2, 1."""
    assert holm([0.3, 0.001, 0.04, 0.01]) == pytest.approx([0.3, 0.004, 0.08, 0.03])
    assert holm([0.6, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


def test_pairs_of_which_one_has_no_result_are_left_out() -> None:
    ours = np.array([[np.nan, 1.0], [2.0, 1.0], [3.0, 1.0]])
    theirs = np.array([[1.0, 1.0], [1.0, 1.0], [1.0, np.nan]])
    first, second = paired({"a": theirs, "b": ours}, (25, 50), "a")
    assert (first.strategy, first.against, first.evaluations, first.pairs) == ("b", "a", 25, 2)
    assert first.difference == pytest.approx(1.5)
    assert first.standard_error == pytest.approx(0.5)
    assert (second.pairs, second.difference, second.p_holm, second.verdict) == (2, 0.0, 1.0, "")
    (none,) = paired({"a": ours[:1, :1], "b": ours[:1, :1]}, (25,), "a")
    assert (none.pairs, none.difference, none.standard_error, none.p) == (0, None, None, 1.0)


def test_better_and_worse() -> None:
    rng = np.random.default_rng(0)
    middle = rng.random((30, 1)) + 1
    compared = paired({"middle": middle, "low": middle / 2, "high": 2 * middle}, (25,), "middle")
    assert [one.verdict for one in compared] == ["better", "worse"]
    assert all(one.p_holm == pytest.approx(2e-4) for one in compared)


# --------------------------------------------------------------------------------------- files and resume


def test_files(own: BenchmarkSettings, tmp_path: Path) -> None:
    result = compare(own, tmp_path, "random", "evolution:population=5")
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(result.rows) == 6
    for written, row in zip(rows, result.rows, strict=True):
        assert written["strategy"] == row.strategy
        assert float(written["mean_test"]) == row.mean_test
        assert float(written["regret_50"]) == row.regret_quantiles[2]
        assert written["hypervolume"] == ""
    with (tmp_path / "comparisons.csv").open(encoding="utf-8", newline="") as file:
        compared = list(csv.DictReader(file))
    assert len(compared) == len(result.comparisons) == 3
    for line, one in zip(compared, result.comparisons, strict=True):
        assert (line["strategy"], line["against"]) == ("evolution:population=5", "random")
        assert float(line["p_holm"]) == one.p_holm
        assert int(line["pairs"]) == 4
    with (tmp_path / "curves.csv").open(encoding="utf-8", newline="") as file:
        curves = list(csv.DictReader(file))
    assert len(curves) == 2 * 60
    at50 = next(one for one in curves if (one["strategy"], one["evaluations"]) == ("random", "50.0"))
    assert float(at50["mean_regret"]) == result.rows[1].mean_validation_regret
    assert float(at50["regret_low"]) < float(at50["mean_regret"]) < float(at50["regret_high"])
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "evolution:population=5" in page
    assert "http://" not in page.split("<main>")[1].split("</main>")[0]


@pytest.mark.slow
def test_the_number_of_workers_changes_nothing(own: BenchmarkSettings, tmp_path: Path) -> None:
    for workers in (1, 3):
        compare(own, tmp_path / str(workers), "random", "local", seeds=6, workers=workers)
    assert runs_in(tmp_path / "1") == runs_in(tmp_path / "3")
    tables = [(tmp_path / str(workers) / "curves.csv").read_text() for workers in (1, 3)]
    assert tables[0] == tables[1]


def test_it_continues(own: BenchmarkSettings, tmp_path: Path) -> None:
    """After it was stopped, with a torn line; then with more seeds and another strategy."""

    class StopError(Exception):
        pass

    def stop(progress: BenchmarkProgress) -> None:
        if progress.done == 3:
            raise StopError

    with pytest.raises(StopError):
        compare(own, tmp_path / "a", "random", "local", on_progress=stop)
    with (tmp_path / "a" / RUNS).open("a", encoding="utf-8") as file:
        file.write('{"strategy":"local","seed":1,"tri')
    seen: list[BenchmarkProgress] = []
    compare(own, tmp_path / "a", "random", "local", on_progress=seen.append)
    assert (seen[0].done, seen[0].kept, seen[-1].done, seen[-1].total) == (3, 3, 8, 8)
    compare(own, tmp_path / "b", "random", "local")
    text = (tmp_path / "a" / RUNS).read_text(encoding="utf-8")
    assert '"tri\n' in text
    (tmp_path / "a" / RUNS).write_text(text.replace('{"strategy":"local","seed":1,"tri\n', ""))
    assert runs_in(tmp_path / "a") == runs_in(tmp_path / "b")
    more = compare(own, tmp_path / "a", "random", "evolution", seeds=6, on_progress=seen.append)
    assert seen[8 - 3 + 1].kept == 4
    assert {(row.strategy, row.seeds) for row in more.rows} == {("random", 6), ("evolution", 6)}


def test_a_finished_comparison_is_not_run_again(own: BenchmarkSettings, tmp_path: Path) -> None:
    compare(own, tmp_path, "random")
    before = (tmp_path / RUNS).read_bytes()
    seen: list[BenchmarkProgress] = []
    compare(own, tmp_path, "random", on_progress=seen.append)
    assert [(one.done, one.kept) for one in seen] == [(4, 4)]
    assert (tmp_path / RUNS).read_bytes() == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"evaluations": 61}, "evaluations: the folder has 60, this call has 61"),
        ({"by": "seconds"}, 'by: the folder has "evaluations", this call has "seconds"'),
        ({"ask_again": True}, "ask_again: the folder has false, this call has true"),
        ({"device": "phone"}, 'device: the folder has null, this call has "phone"'),
    ],
)
def test_other_settings_in_the_same_folder(
    changed: dict[str, Any], message: str, own: BenchmarkSettings, tmp_path: Path
) -> None:
    compare(own, tmp_path, "random", seeds=1)
    with pytest.raises(ConfigError, match=f"has runs of another comparison: {message}; give another folder"):
        compare(replace(own, **changed), tmp_path, "random", seeds=1)


def test_other_values_in_the_same_folder(own: BenchmarkSettings, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(Path(own.table).read_text(encoding="utf-8"), encoding="utf-8")
    settings = replace(own, table=str(path))
    compare(settings, tmp_path / "out", "random", seeds=1)
    path.write_text(path.read_text(encoding="utf-8").replace("59.04", "59.05", 1), encoding="utf-8")
    with pytest.raises(ConfigError, match="values: the folder has "):
        compare(settings, tmp_path / "out", "random", seeds=1)


def test_two_at_once(own: BenchmarkSettings, tmp_path: Path) -> None:
    with DriverLock(tmp_path / "driver.lock"), pytest.raises(StudyError, match="another search is running"):
        compare(own, tmp_path, "random")


def test_damaged_settings(own: BenchmarkSettings, tmp_path: Path) -> None:
    (tmp_path / SETTINGS).write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match="expected the settings of a comparison; the file is damaged"):
        compare(own, tmp_path, "random")


def test_a_folder_that_cannot_be_made(own: BenchmarkSettings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match=r"--out: .*file/out cannot be used"):
        compare(own, tmp_path / "file" / "out", "random")


def test_a_record_reads_what_it_wrote(tmp_path: Path) -> None:
    run = Run("random", 3, 5, "trials", 0.25, ((1.0, math.nan, 7), (2.0, math.nan, 9)))
    Record(tmp_path, {"a": 1}).add(run)
    (found,) = Record(tmp_path, {"a": 1}).runs.values()
    assert found.to_json() == run.to_json()
    assert json.loads(run.to_json())["steps"][0] == [1, None, 7]


# --------------------------------------------------------------------------------------------- refusals


def test_settings_that_make_no_sense() -> None:
    for changed, message in (
        ({"evaluations": 0}, "--evaluations: expected at least 1, got 0"),
        ({"lag": 0}, "--lag: expected at least 1, got 0"),
        ({"by": "hours"}, "--by: expected evaluations or seconds, got 'hours'"),
        ({"seconds": 5.0}, "--seconds: expected more than 0, and --by seconds, got 5"),
        ({"max_latency": 5.0}, "--max-latency: expected --device NAME with it"),
        ({"table_seed": "all"}, "--table-seed: expected mean, any or a number, got 'all'"),
    ):
        with pytest.raises(ConfigError, match=message):
            BenchmarkSettings("nasbench201", **changed)


def test_what_the_table_has_not(own: BenchmarkSettings, tmp_path: Path, shared_data: Path) -> None:
    folder = str(shared_data)
    size = BenchmarkSettings("nats-size", "cifar10", data_dir=folder)
    cases: list[tuple[BenchmarkSettings, type[Exception], str]] = [
        (
            replace(own, objective="loss"),
            ConfigError,
            "expected a metric of validation_accuracy, .* got 'loss'",
        ),
        (replace(own, device="car"), ConfigError, "expected one whose latency it has, of phone, got 'car'"),
        (replace(own, device="phone", max_latency=1.0), BudgetError, "expected at least 4 ms, the least of"),
        (replace(size, by="seconds"), ConfigError, "has no training seconds; use --by evaluations"),
        (replace(own, space=None), ConfigError, "--table: a CSV file needs --space NAME"),
        (replace(own, table="other"), ConfigError, "--table: expected one of nasbench201, nats-size, accel"),
        (replace(size, space="nats-size"), ConfigError, "--space: table nats-size has its own; leave it out"),
        (replace(own, table="none.csv"), DataError, "none.csv: expected a CSV file, found none"),
        (
            BenchmarkSettings("accel-nasbench", data_dir=folder),
            ConfigError,
            "expected a table of the whole space or a good part of it, got 5,125 architectures",
        ),
    ]
    for settings, error, message in cases:
        with pytest.raises(error, match=message):
            compare(settings, tmp_path / "none", "random")
    assert not (tmp_path / "none").exists()


def test_part_of_a_space(own: BenchmarkSettings, tmp_path: Path) -> None:
    """What is not in the file is not evaluated, and costs nothing."""
    lines = Path(own.table).read_text(encoding="utf-8").splitlines()
    path = tmp_path / "part.csv"
    path.write_text("\n".join([lines[0], *lines[1::3], ""]), encoding="utf-8")
    settings = replace(own, table=str(path), evaluations=30)
    compare(settings, tmp_path / "out", "random", "local")
    for run in runs_in(tmp_path / "out").values():
        assert run.trials > 30
        assert run.stop == "trials"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--strategies: expected names with commas between them, got ''"),
        ("randm", "strategy: expected one of .*random.*, got 'randm'"),
        ("random,random", "--strategies: expected every strategy once, got 'random' again"),
        ("evolution:population", "expected NAME:OPTION=VALUE, such as evolution:population=20, got"),
        ("evolution:population=0", "evolution.population: expected an integer of at least 1, got 0"),
        ("asha:fidelities=[0.06", "asha.fidelities: expected a number, a word or a list in brackets, got"),
        ("evolution:size=3", "strategy evolution: expected options population, .* got 'size'"),
    ],
)
def test_strategies_that_are_none(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_contestants(text)


@pytest.mark.parametrize("text", ["5", "ms", "-1ms", "nan s", "5 hours", "inf s"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="--max-latency: expected a time with its unit, such as 5ms, got"):
        read_milliseconds(text)


def test_counts_that_are_none(own: BenchmarkSettings, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--seeds: expected at least 1, got 0"):
        benchmark(own, [RANDOM], 0, tmp_path)
    with pytest.raises(ConfigError, match="--workers: expected at least 1, got 0"):
        benchmark(own, [RANDOM], 1, tmp_path, workers=0)
