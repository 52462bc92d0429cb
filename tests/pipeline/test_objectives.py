"""Several objectives: how they are read, what is trained in full, and the box of the hypervolume."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna._hypervolume import compute_hypervolume

import netwright
from netwright.cli.result import front_lines
from netwright.errors import ConfigError
from netwright.nn.task import CLASSIFICATION, SEGMENTATION
from netwright.pipeline import Finishing, Planned, Searching
from netwright.pipeline.objectives import (
    COST_OBJECTIVES,
    box_of,
    check_objectives,
    pareto_result,
    read_objectives,
)
from netwright.space import costs_of, extremes, iterate
from netwright.strategies import NSGA2, STRATEGIES, Auto, make_strategy
from netwright.study import Finished, History, read_study
from netwright.trial import Metric, Proposal, Trial, TrialState
from tests.pipeline.small import SPACE, prepared, search_small, small_config
from tests.space.timed import table_of

ACCURACY = Metric("validation_accuracy", "share", "maximize")
MACS = Metric("macs", "", "minimize")
PEAK = Metric("peak_activation_bytes", "bytes", "minimize")
SOME = sorted(iterate(SPACE), key=lambda one: costs_of(SPACE, one)["macs"])[::8]


def history(accuracies: Sequence[float | None], *further: Metric) -> History:
    """Trials of networks that are each dearer than the one before."""
    trials = [
        Trial(
            proposal=Proposal(number, SOME[number], fidelity=0.2),
            state=TrialState.FAILED if accuracy is None else TrialState.COMPLETE,
            metrics={} if accuracy is None else {ACCURACY.name: accuracy},
            costs=costs_of(SPACE, SOME[number]),
            fits=True,
            seed=number,
        )
        for number, accuracy in enumerate(accuracies)
    ]
    return History.of(ACCURACY, trials, further)


class TestNames:
    def test_the_score_comes_first(self) -> None:
        assert read_objectives("accuracy", CLASSIFICATION) == (ACCURACY,)
        for text in (
            "accuracy,macs,sram",
            "macs, accuracy , peak_activation_bytes",
            "macs,sram,validation_accuracy",
        ):
            assert read_objectives(text, CLASSIFICATION) == (ACCURACY, MACS, PEAK)

    def test_accuracy_is_the_score_of_the_task(self) -> None:
        for name in ("accuracy", "mean_iou", "validation_mean_iou"):
            found = read_objectives(f"flash,{name}", SEGMENTATION)
            assert [one.name for one in found] == ["validation_mean_iou", "weight_bytes"]

    def test_costs_are_minimised(self) -> None:
        assert {one.direction for one in COST_OBJECTIVES.values()} == {"minimize"}
        assert {one.name for one in COST_OBJECTIVES.values()} == {*costs_of(SPACE, SOME[0]), "latency_ns"}

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "accuracy,beauty",
                "objectives: expected some of accuracy, macs, params, flash, weight_bytes, sram, "
                "peak_activation_bytes, latency, latency_ns, got 'beauty'",
            ),
            ("accuracy,", "got ''"),
            ("", "got ''"),
            ("macs,accuracy,macs", "objectives: expected each once, got macs twice"),
            (
                "accuracy,sram,peak_activation_bytes",
                "objectives: expected each once, got sram and peak_activation_bytes, which are the same",
            ),
            ("macs,sram", "objectives: expected accuracy among them, got macs,sram"),
        ],
    )
    def test_wrong_names(self, text: str, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            read_objectives(text, CLASSIFICATION)

    def test_a_list_as_in_yaml(self) -> None:
        assert small_config(objectives=["accuracy", "macs"]).objectives == "accuracy,macs"
        with pytest.raises(ConfigError, match="objectives: expected a text, got 3"):
            small_config(objectives=3)


class TestTheStrategy:
    def test_it_follows_from_the_number_of_objectives(self) -> None:
        assert isinstance(prepared().strategy, Auto)
        assert isinstance(prepared(objectives="accuracy,macs").strategy, NSGA2)
        assert prepared(objectives="accuracy,macs").settings.objectives == (ACCURACY, MACS)

    def test_one_that_has_one_objective_refuses_several(self, tmp_path: Path) -> None:
        with pytest.raises(
            ConfigError,
            match=r"^strategy evolution: expected one objective, got validation_accuracy, macs; give one, or "
            r"use a strategy for several such as nsga2$",
        ):
            search_small(tmp_path / "run", objectives="accuracy,macs", strategy="evolution")
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize("name", STRATEGIES)
    def test_every_strategy_takes_one(self, name: str) -> None:
        check_objectives(make_strategy(name), (ACCURACY,))


class TestLatency:
    def test_it_needs_a_table(self, tmp_path: Path) -> None:
        with pytest.raises(
            ConfigError, match=r"^objectives: expected a table of times too for latency; give latency_table$"
        ):
            search_small(tmp_path / "run", objectives="accuracy,latency")
        assert not (tmp_path / "run").exists()

    def test_with_a_table_it_is_a_cost_like_the_others(self) -> None:
        space = replace(SPACE, latency=table_of(SPACE.to_graph(one) for one in iterate(SPACE)))
        job = prepared(space, objectives="accuracy,latency")
        assert [one.name for one in job.objectives] == ["validation_accuracy", "latency_ns"]
        times = [costs_of(space, one)["latency_ns"] for one in iterate(space)]
        found = History.of(ACCURACY, [], job.objectives[1:])
        assert box_of(found, job.budget, job.ranges).reference["latency_ns"] == max(times)


class TestFinalists:
    def test_with_one_objective_the_best(self) -> None:
        found = history([0.5, 0.9, 0.7, None, 0.8])
        assert [trial.number for trial in prepared(top=3).finalists(found)] == [1, 4, 2]

    def test_with_several_they_are_spread_over_the_front(self) -> None:
        # Trial 3 is on no front; of the others trial 8 is the most accurate, trial 0 the cheapest.
        found = history([0.1, 0.2, 0.5, 0.3, 0.6, 0.7, 0.75, 0.8, 0.9], MACS)
        job = prepared(objectives="accuracy,macs", top=3, max_macs=None)
        chosen = [trial.number for trial in job.finalists(found)]
        assert chosen[:2] == [8, 0]
        assert chosen[2] in (2, 4, 5)
        assert set(chosen) <= {trial.number for trial in found.pareto}

    def test_there_are_no_more_than_the_front_has(self) -> None:
        found = history([0.9, 0.5, 0.4, None], MACS)  # the cheapest is the best
        assert [trial.number for trial in prepared(objectives="accuracy,macs", top=3).finalists(found)] == [0]

    def test_one_that_nothing_dominates_by_a_tie_is_taken_once(self) -> None:
        found = history([0.5, 0.9], MACS)
        again = History.of(ACCURACY, [*found, *history([0.5]).trials], (MACS,))
        assert len(prepared(objectives="accuracy,macs").finalists(again)) == 2


class TestTheBox:
    def test_the_limit_or_what_the_space_has(self) -> None:
        found = history([0.5, 0.9], MACS, PEAK)
        ranges = {name: extremes(SPACE, name) for name in ("macs", "peak_activation_bytes")}
        largest = ranges["macs"].largest.value
        box = box_of(found, {"macs": 40_000}, ranges)
        assert box.reference == {
            ACCURACY.name: 0.0,
            "macs": 40_000,
            "peak_activation_bytes": ranges["peak_activation_bytes"].largest.value,
        }
        assert box.ideal == {ACCURACY.name: 1.0, "macs": 0.0, "peak_activation_bytes": 0.0}
        assert box.basis == {
            ACCURACY.name: "zero",
            "macs": "the limit",
            "peak_activation_bytes": "the largest in the space",
        }
        assert box_of(found, {"macs": 10 * largest}, ranges).reference["macs"] == largest

    def test_where_nothing_is_known_the_trials(self) -> None:
        found = history([0.5, None, 0.9, None], MACS)
        box = box_of(found, {}, {})
        assert box.reference["macs"] == found[2].costs["macs"]
        assert box.basis["macs"] == "the largest among the trials"

    def test_the_result_against_optuna(self) -> None:
        found = history([0.2, 0.5, 0.3, None, 0.9], MACS, PEAK)
        ranges = {name: extremes(SPACE, name) for name in ("macs", "peak_activation_bytes")}
        result = json.loads(json.dumps(pareto_result(found, box_of(found, {}, ranges))))
        reference = np.array([one["reference"] for one in result["objectives"]])
        losses = np.array(
            [
                [
                    1 - row["values"][ACCURACY.name],
                    *(row["values"][name] / reference[n] for n, name in ((1, "macs"), (2, PEAK.name))),
                ]
                for row in result["front"]
            ]
        )
        assert result["hypervolume"] == pytest.approx(compute_hypervolume(losses, np.ones(3)))
        assert [row["trial"] for row in result["front"]] == [trial.number for trial in found.pareto]
        assert result["objectives"][0] == {
            "name": "validation_accuracy",
            "direction": "maximize",
            "reference": 0.0,
            "reference_is": "zero",
            "ideal": 1.0,
        }


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_fork_server")
def test_the_whole_job(tmp_path: Path) -> None:
    """Digits, two costs beside the accuracy: result, store, files, and a second call that does nothing."""
    told: list[Any] = []
    out = tmp_path / "run"
    settings = {"objectives": "accuracy,macs,sram", "trials": 8, "top": 3, "options": {"population": 4}}
    outcome = search_small(out, on_progress=told.append, **settings)
    result = json.loads((out / "result.json").read_text())
    assert outcome.result == result

    with read_study(out) as study:
        found, kept = study.history(), study.settings
    assert [one.name for one in kept.objectives] == ["validation_accuracy", "macs", "peak_activation_bytes"]
    assert kept.strategy == "nsga2"
    assert found.completed == found.trials

    pareto = result["pareto"]
    assert [row["trial"] for row in pareto["front"]] == [trial.number for trial in found.pareto]
    for row in pareto["front"]:
        trial = found[row["trial"]]
        assert row["architecture"] == trial.proposal.architecture.key
        assert SPACE.architecture(row["choices"]) == trial.proposal.architecture
        assert row["values"] == {
            "validation_accuracy": trial.metrics["validation_accuracy"],
            "macs": trial.costs["macs"],
            "peak_activation_bytes": trial.costs["peak_activation_bytes"],
        }
    assert 0 < pareto["hypervolume"] < 1
    assert [one["reference"] for one in pareto["objectives"][:2]] == [0, 40_000]

    trained = pareto["trained"]
    assert {row["trial"] for row in trained} <= {row["trial"] for row in pareto["front"]}
    assert len(trained) == min(3, len({row["architecture"] for row in pareto["front"]}))
    assert any(row["on_front"] for row in trained)
    best = max(trained, key=lambda row: row["values"]["validation_accuracy"])
    assert best["architecture"] == result["architecture"]["key"]
    assert best["values"]["validation_accuracy"] == result["validation_accuracy"]
    for row in trained:
        assert netwright.load(out / row["network"]) is not None
    assert len(front_lines(result)) == 1 + len(trained)

    (plan,) = [one for one in told if isinstance(one, Planned)]
    assert plan.objectives == ("accuracy", "macs", "sram")
    done = [one.event for one in told if isinstance(one, Searching) and isinstance(one.event, Finished)]
    assert done[-1].front == len(found.pareto)
    assert any(isinstance(one, Finishing) for one in told)

    assert search_small(out, **settings).already
    assert not search_small(tmp_path / "one", trials=1, top=1).already  # with one objective nothing is said
    assert "pareto" not in json.loads((tmp_path / "one" / "result.json").read_text())
