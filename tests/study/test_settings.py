from __future__ import annotations

from typing import Any

import pytest

from netwright.errors import ConfigError, StudyError
from netwright.study.settings import StudySettings, differences
from tests.study.probes import settings


def test_settings_survive_json() -> None:
    some = settings(options={"population": 10, "names": ["a"]}, data="sha256:12", estimator={"epochs": 3})
    assert StudySettings.from_dict(some.to_dict()) == some


def test_equal_settings_differ_in_nothing() -> None:
    one, other = settings(options={"sizes": (1, 2)}), settings(options={"sizes": [1, 2]})
    assert differences(one.to_dict(), other.to_dict()) == []


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"seed": 8}, "seed: the study has 7, this call has 8"),
        ({"space": "other-1"}, 'space: the study has "tiny-0000", this call has "other-1"'),
        ({"budget": {"macs": 5}}, "budget.macs: the study has 10000000, this call has 5"),
        ({"budget": {}}, "budget.macs: the study has 10000000, this call has nothing"),
        ({"lag": 2}, "lag: the study has 4, this call has 2"),
        ({"strategy": "random"}, 'strategy: the study has "climber", this call has "random"'),
        ({"options": {"tournament": 5}}, "options.tournament: the study has nothing, this call has 5"),
        ({"estimator": {"epochs": 2}}, "estimator.epochs: the study has nothing, this call has 2"),
        ({"data": "sha256:1"}, 'data: the study has null, this call has "sha256:1"'),
    ],
)
def test_each_difference_is_named_with_both_values(changes: dict[str, Any], line: str) -> None:
    assert differences(settings().to_dict(), settings(**changes).to_dict()) == [line]


def test_what_cannot_be_json_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected numbers, words, lists and mappings"):
        settings(options={"mutate": test_settings_survive_json}).to_dict()


def test_a_lag_below_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="lag: expected 1 or more, got 0"):
        settings(lag=0)


def test_another_format_is_refused() -> None:
    with pytest.raises(StudyError, match="expected format 1 or 2, got 99"):
        StudySettings.from_dict({**settings().to_dict(), "format": 99})
