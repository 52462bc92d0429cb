from __future__ import annotations

import math
from collections import Counter

import pytest

from netwright.errors import ConfigError, DataError
from netwright.estimators.tables import Tabular
from netwright.testing import EstimatorLaws
from netwright.trial import Estimator, Metric, Proposal
from tests.estimators.tables.small import small_table

TABLE = small_table()


def look(source: Tabular, row: int, fidelity: float = 1.0, seed: int = 0) -> dict[str, float]:
    proposal = Proposal(0, TABLE.architectures[row], fidelity)
    return dict(source.look_up(proposal, seed).metrics)


class TestLaws(EstimatorLaws):
    @pytest.fixture
    def estimator(self) -> Estimator:
        return Tabular(TABLE, further=("latency_phone",), seed="any")

    @pytest.fixture
    def proposal(self) -> Proposal:
        return Proposal(0, TABLE.architectures[1])


def test_metrics() -> None:
    source = Tabular(TABLE, further=("latency_phone",))
    assert source.metrics == (
        Metric("validation_accuracy", "%", "maximize"),
        Metric("latency_phone", "ms", "minimize"),
    )
    assert look(source, 2) == {"validation_accuracy": 30, "latency_phone": 3}
    assert look(source, 2, 0.2) == {"validation_accuracy": 15, "latency_phone": 3}


def test_answers_have_costs_and_seconds() -> None:
    answer = Tabular(TABLE).look_up(Proposal(0, TABLE.architectures[3], 0.2), 0)
    assert answer.costs["macs"] == TABLE.costs["macs"][3]
    assert answer.seconds == pytest.approx(80)


def test_a_fidelity_that_is_no_column() -> None:
    with pytest.raises(ConfigError, match=r"expected a fidelity of 0.2 \(2/10 epochs\), 1 .* got 0.3"):
        look(Tabular(TABLE), 0, 0.3)


def test_one_seed() -> None:
    source = Tabular(TABLE, seed=1)
    assert look(source, 0)["validation_accuracy"] == 11
    with pytest.raises(DataError, match="expected a seed of 0, got 1"):
        look(source, 5)
    with pytest.raises(ConfigError, match="the table has the mean over the seeds only, got seed 1"):
        look(source, 0, 0.2)
    with pytest.raises(ConfigError, match="the table has seeds 0, 1, got seed 2"):
        Tabular(TABLE, seed=2)


def test_any_seed_is_one_that_was_trained() -> None:
    source = Tabular(TABLE, seed="any")
    found = Counter(look(source, 0, seed=seed)["validation_accuracy"] for seed in range(100))
    assert set(found) == {9, 11}
    assert 30 <= found[9] <= 70
    assert {look(source, 5, seed=seed)["validation_accuracy"] for seed in range(20)} == {59}
    with pytest.raises(ConfigError, match="the table has the mean over the seeds only; use seed 'mean'"):
        Tabular(TABLE, "test_accuracy", seed="any")


def test_unknown_metrics() -> None:
    with pytest.raises(ConfigError, match=r"expected a metric of .*, got 'latency_car'"):
        Tabular(TABLE, further=("latency_car",))


def test_what_was_not_measured_is_not_a_number() -> None:
    assert math.isnan(look(Tabular(TABLE, further=("latency_phone",)), 5)["latency_phone"])


def test_settings_are_plain() -> None:
    assert Tabular(TABLE, seed=0).settings() == {
        "table": "small",
        "dataset": "toys",
        "objective": "validation_accuracy",
        "further": [],
        "seed": 0,
    }
