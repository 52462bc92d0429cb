from __future__ import annotations

import pickle

import numpy as np
import pytest

from netwright.errors import ConfigError, DataError
from netwright.estimators.tables import Column, Table
from netwright.estimators.tables.table import VALIDATION
from netwright.ir.cost import cost
from netwright.space import unrank
from netwright.spaces import nats_size
from tests.estimators.tables.small import small_table


@pytest.fixture
def table() -> Table:
    return small_table()


def test_rows_are_the_architectures(table: Table) -> None:
    assert [table.row(architecture) for architecture in table.architectures] == list(range(6))
    assert table.coverage == 1


def test_costs_are_those_of_the_graphs(table: Table) -> None:
    for row, architecture in enumerate(table.architectures):
        assert {name: int(values[row]) for name, values in table.costs.items()} == cost(
            table.space.to_graph(architecture)
        ).totals()


def test_an_unknown_architecture() -> None:
    table = small_table(architectures=small_table().architectures[:5], columns=(), seconds=None)
    with pytest.raises(DataError, match=r"table small \(toys\): expected one of its 5 .*, which was not"):
        table.row(unrank(table.space, 5))
    with pytest.raises(DataError, match="expected one of its 5 architectures of stage-"):
        table.row(unrank(nats_size((3, 32, 32), 10), 0))
    assert table.coverage == pytest.approx(5 / 6)


def test_an_architecture_that_comes_twice(table: Table) -> None:
    again = small_table(architectures=(*table.architectures[:5], table.architectures[0]))
    with pytest.raises(DataError, match="expected every architecture once, got 1 of them again"):
        again.row(table.architectures[0])


def test_columns_have_a_value_for_each_architecture() -> None:
    with pytest.raises(DataError, match=r"validation_accuracy after 3 epochs: expected 6 values.*\(2,\)"):
        small_table(columns=(Column(VALIDATION, np.zeros(2), 3),))


def test_columns(table: Table) -> None:
    assert table.column("validation_accuracy").values[0] == 10
    assert table.column("validation_accuracy", 2).values[0] == 5
    assert table.column("validation_accuracy", fidelity=0.2).values[0] == 5
    assert table.column("validation_accuracy", fidelity=1.0).values[0] == 10
    assert table.column("validation_accuracy", 10, 0).values[0] == 9
    assert table.column("latency_phone", fidelity=1.0).values[0] == 1
    assert table.devices == ("phone",)
    assert table.fidelities("validation_accuracy") == (0.2, 1.0)
    assert table.fidelities("latency_phone") == (1.0,)
    assert table.seeds("validation_accuracy") == (0, 1)
    assert table.seeds("validation_accuracy", 2) == ()


def test_what_there_is_not(table: Table) -> None:
    at = r"table small \(toys\): "
    with pytest.raises(ConfigError, match=at + "validation_accuracy: expected epochs of 2, 10, got 5"):
        table.column("validation_accuracy", 5)
    with pytest.raises(ConfigError, match=at + ".* after 10 epochs: the table has seeds 0, 1, got seed 7"):
        table.column("validation_accuracy", seed=7)
    with pytest.raises(
        ConfigError, match=at + ".* after 2 epochs: the table has the mean over the seeds only"
    ):
        table.column("validation_accuracy", 2, 0)
    with pytest.raises(ConfigError, match=r"a fidelity of 0.2 \(2/10 epochs\), 1 \(10/10 .*, got 0.5"):
        table.column("validation_accuracy", fidelity=0.5)
    with pytest.raises(ConfigError, match=r"latency_phone: expected a fidelity of 1, got 0.2"):
        table.column("latency_phone", fidelity=0.2)
    with pytest.raises(ConfigError, match=r"expected a metric of validation_accuracy, test_.*, got 'loss'"):
        table.column("loss")
    with pytest.raises(ConfigError, match="device: expected one whose latency it has, of phone, got 'car'"):
        table.device("car")


def test_best(table: Table) -> None:
    assert table.best("validation_accuracy") == 5
    assert table.best("latency_phone") == 0
    assert table.best("validation_accuracy", np.arange(6) < 3) == 2
    with pytest.raises(DataError, match="expected a value to be the best of, found none"):
        table.best("validation_accuracy", np.zeros(6, dtype=bool))


def test_seconds_go_with_the_share_of_the_training(table: Table) -> None:
    assert table.training_seconds(2, 1.0) == 300
    assert table.training_seconds(2, 0.2) == pytest.approx(60)
    assert small_table(seconds=None).training_seconds(2, 1.0) is None


def test_it_can_be_sent_to_another_process(table: Table) -> None:
    table.prepare()
    copy = pickle.loads(pickle.dumps(table))
    assert copy.rows == table.rows
    assert np.array_equal(copy.column("test_accuracy").values, table.column("test_accuracy").values)
