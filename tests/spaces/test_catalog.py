from __future__ import annotations

import pytest

from netwright.errors import ConfigError
from netwright.spaces import mobilenet_tiny
from netwright.spaces.catalog import SPACES, find_space, make_space


@pytest.mark.parametrize("name", SPACES)
def test_every_space_is_called_by_its_name(name: str) -> None:
    space = make_space(name, (3, 32, 32), 10)
    assert space.name == name
    assert find_space(name.upper().replace("-", "_")) is SPACES[name]
    assert SPACES[name].description


def test_a_space_is_made_for_the_data() -> None:
    assert make_space("mobilenet-tiny", (1, 28, 28), 7).id == mobilenet_tiny((1, 28, 28), 7).id


def test_unknown_space_names_those_that_are_near() -> None:
    with pytest.raises(ConfigError, match=r"did you mean mobilenet-tiny\? expected one of mobilenet-tiny"):
        find_space("mobilenet-tyni")


def test_no_classes() -> None:
    with pytest.raises(ConfigError, match="classes: expected a positive number, got 0"):
        make_space("mobilenet-tiny", (1, 28, 28), 0)
