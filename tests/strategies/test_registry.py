from __future__ import annotations

import pytest

from netwright.errors import ConfigError
from netwright.strategies import STRATEGIES, Evolution, RandomSearch, make_strategy


def test_names() -> None:
    assert {"grid", "random", "local", "evolution", "nsga2", "gp", "auto"} <= STRATEGIES.keys()
    for name in STRATEGIES:
        assert make_strategy(name).name == name


def test_options_reach_the_strategy() -> None:
    assert make_strategy("random") == RandomSearch()
    assert make_strategy("evolution") == Evolution(population=10, tournament=5)
    assert make_strategy("evolution", population=7, tournament=2) == Evolution(7, 2)


def test_unknown_strategy() -> None:
    with pytest.raises(ConfigError, match=f"strategy: expected one of {', '.join(STRATEGIES)}, got 'hope'"):
        make_strategy("hope")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("grid", "strategy grid: expected options distinct, got 'size'"),
        ("random", "strategy random: expected options distinct, got 'size'"),
        (
            "evolution",
            "strategy evolution: expected options population, tournament, distinct, crossover, got 'size'",
        ),
    ],
)
def test_unknown_option(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_strategy(name, size=3)


@pytest.mark.parametrize("name", ["grid", "random", "local", "evolution"])
def test_distinct_networks_by_a_rule(name: str) -> None:
    assert make_strategy(name, distinct=None) == make_strategy(name)
    for rule in ("nats", "pruned", "flat", "skips"):
        assert make_strategy(name, distinct=rule) != make_strategy(name)
    for wrong in ("all", True, "Flat", 1):
        with pytest.raises(
            ConfigError, match=rf"{name}\.distinct: expected one of nats, pruned, flat, skips, or None, got"
        ):
            make_strategy(name, distinct=wrong)


@pytest.mark.parametrize("value", [0, -1, 2.5, "10", True, None])
@pytest.mark.parametrize("option", ["population", "tournament"])
def test_options_of_the_wrong_kind(option: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"evolution\.{option}: expected an integer of at least 1, got "):
        make_strategy("evolution", **{option: value})
