"""What can be set about a space, from text and from values."""

from __future__ import annotations

import pytest

from netwright.errors import ConfigError
from netwright.models import Parameter
from netwright.spaces.parameters import RESOLUTION, read_parameters

KNOWN = (
    RESOLUTION,
    Parameter("width", float, None, "a multiplier", above=0),
    Parameter("kind", str, "a", "a word", options=("a", "b")),
    Parameter("bias", bool, True, "a truth value"),
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"resolution": "96", "width": "0.5"}, {"resolution": 96, "width": 0.5}),
        ({"width": 0.5, "resolution": 96}, {"width": 0.5, "resolution": 96}),
        ({"width": 1, "kind": "b"}, {"width": 1.0, "kind": "b"}),
        *(({"bias": value}, {"bias": True}) for value in (True, 1, "true", "True", "yes", "1")),
        *(({"bias": value}, {"bias": False}) for value in (False, 0, "false", "no", "0")),
    ],
)
def test_values_get_the_type_of_their_parameter(
    given: dict[str, object], expected: dict[str, object]
) -> None:
    found = read_parameters("here", KNOWN, given)
    assert found == expected
    assert [type(value) for value in found.values()] == [type(value) for value in expected.values()]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"resolution": "many"}, r"here\.resolution: expected an integer above 7, got 'many'"),
        ({"resolution": 7}, r"here\.resolution: expected an integer above 7, got '7'"),
        ({"resolution": 96.5}, r"here\.resolution: expected an integer above 7, got '96.5'"),
        ({"resolution": True}, r"here\.resolution: expected an integer above 7, got True"),
        ({"resolution": [96]}, r"here\.resolution: expected an integer above 7, got \[96\]"),
        ({"resolution": None}, r"here\.resolution: expected an integer above 7, got None"),
        ({"width": "nan"}, r"here\.width: expected a number above 0, got 'nan'"),
        ({"bias": 2}, r"here\.bias: expected true or false, got '2'"),
        ({"bias": "maybe"}, r"here\.bias: expected true or false, got 'maybe'"),
        ({"kind": "c"}, r"here\.kind: expected one of a, b, got 'c'"),
        (
            {"widht": 1},
            r"here\.widht: there is no such setting; did you mean width\? expected one of "
            r"resolution \(an integer above 7\), width \(a number above 0\), kind \(one of a, b\), "
            r"bias \(true or false\)",
        ),
    ],
)
def test_wrong_settings_say_what_is_expected(given: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=f"^{said}$"):
        read_parameters("here", KNOWN, given)


def test_a_space_without_settings_says_so() -> None:
    with pytest.raises(ConfigError, match=r"^here\.width: there is no such setting; here has none$"):
        read_parameters("here", (), {"width": 1})
