from __future__ import annotations

import pytest

from netwright import blocks as B
from netwright.errors import SpaceError
from netwright.space import (
    ExpressionSpace,
    choice,
    compile_space,
    costs_of,
    derived,
    iterate,
    place,
    repeat,
    sequential,
    size,
)
from netwright.space.settling import named_choices, settle


@pytest.fixture(scope="module")
def space() -> ExpressionSpace:
    """Named decisions in every position: a width, an operation, a depth, a resolution, a derived width."""
    width = choice(8, 16, name="width")
    kind = choice(
        {"conv": B.conv_bn_act(out=width), "wide": B.inverted_residual(out=width, expand=choice(2, 3))},
        name="kind",
    )
    twice = derived("twice", lambda w: 2 * w, width)
    return compile_space(
        sequential(
            place("stem", B.conv_bn_act(out=4, kernel=choice(1, 3))),
            repeat("body", place("op", kind), depth=choice(1, 2, name="depth")),
            place("head", B.conv_bn_act(out=twice)),
            B.classifier(classes=3),
            input=(1, choice(4, 8, name="resolution"), ...),
        ),
        "settled",
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"width": 16},
        {"kind": "wide"},
        {"depth": 2},
        {"resolution": "8"},
        {"width": "8", "kind": "conv", "depth": 1, "resolution": 4},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_what_is_left_are_the_networks_with_these_options(
    space: ExpressionSpace, settings: dict[str, object]
) -> None:
    left = settle(space, settings)
    assert not {decision.name for decision in left.decisions} & set(settings)
    expected = sorted(
        costs_of(space, one)["macs"]
        for one in iterate(space)
        if all(str(one[name]) == str(value) for name, value in settings.items())
    )
    found = sorted(costs_of(left, one)["macs"] for one in iterate(left))
    assert found == expected
    assert size(left) == len(expected) > 0
    assert left.id != space.id


def test_nothing_settled_is_the_same_space(space: ExpressionSpace) -> None:
    assert settle(space, {}).id == space.id


def test_decisions_with_names_are_listed(space: ExpressionSpace) -> None:
    assert set(named_choices(space)) == {"width", "kind", "depth", "resolution"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"widht": 8}, "expected one of the decisions .*width.*, got 'widht'"),
        ({"stem.kernel": 3}, "got 'stem.kernel'"),
        ({"width": 12}, "settled.width: expected one of 8, 16, got 12"),
    ],
)
def test_wrong_settings(space: ExpressionSpace, settings: dict[str, object], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        settle(space, settings)
