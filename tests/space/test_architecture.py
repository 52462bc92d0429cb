"""Architectures as values, and their JSON."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.errors import SpaceError
from netwright.space import Architecture

CHOICES = (("resolution", 28), ("stage1.0.expand", 1.5), ("op", "conv"), ("bias", True))
ARCHITECTURE = Architecture("tiny-01234567", CHOICES)

values = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.booleans()
architectures = st.builds(
    lambda space, choices: Architecture(space, tuple(choices.items())),
    st.text(),
    st.dictionaries(st.text(), values, max_size=5),
)


@given(architectures)
def test_json_round_trip(architecture: Architecture) -> None:
    again = Architecture.from_json(architecture.to_json())
    assert again == architecture
    assert [type(value) for _, value in again] == [type(value) for _, value in architecture]
    assert again.key == architecture.key
    assert Architecture.from_dict(architecture.to_dict()) == architecture


def test_json_is_canonical() -> None:
    """Files of earlier versions must stay readable, and keys the same: change FORMAT when this changes."""
    assert ARCHITECTURE.to_json() == (
        '{"format":1,"space":"tiny-01234567",'
        '"choices":{"resolution":28,"stage1.0.expand":1.5,"op":"conv","bias":true}}'
    )
    assert ARCHITECTURE.key == "563f86545355934f"


def test_equality_is_identity() -> None:
    same = Architecture("tiny-01234567", CHOICES)
    assert same == ARCHITECTURE
    assert len({same, ARCHITECTURE}) == 1
    other = Architecture("tiny-01234567", (("resolution", 24), *CHOICES[1:]))
    assert len({ARCHITECTURE, other, Architecture("tiny-89abcdef", CHOICES)}) == 3
    assert other.key != ARCHITECTURE.key


def test_it_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        ARCHITECTURE.choices = ()  # type: ignore[misc]


def test_looking_things_up() -> None:
    assert ARCHITECTURE["resolution"] == 28
    assert "resolution" in ARCHITECTURE
    assert "stage1.1.expand" not in ARCHITECTURE
    assert dict(ARCHITECTURE) == dict(CHOICES)
    with pytest.raises(KeyError, match=r"stage1\.1\.expand is not an active decision"):
        ARCHITECTURE["stage1.1.expand"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"format": 2, "space": "s", "choices": {}},
            "expected format 1, got 2; it was written by another version",
        ),
        ({"space": "s", "choices": {}}, "expected format 1, got None"),
        ({"format": 1, "choices": {}}, "expected keys 'space' and 'choices', got"),
        ({"format": 1, "space": "s"}, "expected keys 'space' and 'choices', got"),
        ({"format": 1, "space": "s", "choices": [1]}, "expected keys 'space' and 'choices', got"),
    ],
)
def test_data_that_are_no_architecture(data: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        Architecture.from_json(json.dumps(data))


@pytest.mark.parametrize(
    ("text", "message"), [("{", "expected JSON"), ("", "expected JSON"), ("[1]", "JSON object")]
)
def test_text_that_is_no_architecture(text: str, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        Architecture.from_json(text)
