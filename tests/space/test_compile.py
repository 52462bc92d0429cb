"""Spaces made from expressions: checking architectures, building graphs, and what cannot be built."""

from __future__ import annotations

import re
from typing import Any

import pytest

from netwright import blocks as B
from netwright.blocks import block
from netwright.errors import GraphError, SpaceError, TooLargeError
from netwright.ir.graph import GraphBuilder, Tensor
from netwright.ir.ops import Conv
from netwright.space import (
    Architecture,
    ExpressionSpace,
    choice,
    compile_space,
    costs_of,
    derived,
    explorer,
    place,
    rank,
    repeat,
    sequential,
    size,
    unrank,
)
from tests.space.small_spaces import bare_conv

SHAPE = (4, 8, 8)


@pytest.fixture(scope="module")
def space() -> ExpressionSpace:
    return compile_space(
        sequential(
            place("stage2", bare_conv(out=8, kernel=choice(3, 5, 7))),
            repeat("stage", bare_conv(out=8, kernel=choice(1, 3)), depth=choice(1, 2)),
            choice({"conv": bare_conv(out=choice(2, 4)), "none": B.identity()}, name="op"),
            input=SHAPE,
        ),
        "test",
    )


CHOICES: dict[str, Any] = {"stage2.kernel": 3, "stage.depth": 1, "stage.0.kernel": 1, "op": "none"}

# ------------------------------------------------------------------------------------------- architectures


def test_choices_may_come_in_any_order(space: ExpressionSpace) -> None:
    architecture = space.architecture(CHOICES)
    assert architecture.space == space.id
    assert architecture.choices == (
        ("stage2.kernel", 3),
        ("stage.depth", 1),
        ("stage.0.kernel", 1),
        ("op", "none"),
    )
    assert space.architecture(dict(reversed(CHOICES.items()))) == architecture


def test_values_become_the_options_themselves(space: ExpressionSpace) -> None:
    """3.0 is taken for 3, and written as 3: equality is identity."""
    architecture = space.architecture({**CHOICES, "stage2.kernel": 3.0})
    assert architecture.to_json() == space.architecture(CHOICES).to_json()


def test_an_architecture_that_records_other_values_is_another_one(space: ExpressionSpace) -> None:
    good = space.architecture(CHOICES)
    choices = tuple((name, float(v) if name == "stage2.kernel" else v) for name, v in good.choices)
    for odd in (choices, good.choices[::-1]):
        stranger = Architecture(space.id, odd)
        for ask in (space.to_graph, lambda one: rank(space, one), lambda one: costs_of(space, one)):
            with pytest.raises(SpaceError, match="expected the options themselves"):
                ask(stranger)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stage2.kernel": 4}, r"^stage2\.kernel: expected one of \(3, 5, 7\), got 4$"),
        ({"op": "conv"}, r"^op\.conv\.out: this decision is active but the architecture does not settle it"),
        (
            {"stage.depth": 2},
            r"^stage\.1\.kernel: this decision is active but the architecture does not settle it",
        ),
        (
            {"stage.1.kernel": 3},
            r"^stage\.1\.kernel: this decision is not active in the architecture; leave it out",
        ),
        ({"op.conv.out": 2}, r"^op\.conv\.out: this decision is not active in the architecture"),
        ({"kernel": 3}, r"^kernel: test has no such decision; expected some of \['stage2\.kernel', "),
    ],
)
def test_wrong_choices(space: ExpressionSpace, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        space.architecture({**CHOICES, **changes})
    wrong = Architecture(space.id, tuple({**CHOICES, **changes}.items()))
    for ask in (space.to_graph, lambda a: costs_of(space, a), lambda a: rank(space, a)):
        with pytest.raises(SpaceError, match=message):
            ask(wrong)


def test_missing_choice(space: ExpressionSpace) -> None:
    for name in CHOICES:
        with pytest.raises(
            SpaceError, match=f"{name}: this decision is active but the architecture does not settle"
        ):
            space.architecture({other: value for other, value in CHOICES.items() if other != name})


def test_architecture_of_another_space(space: ExpressionSpace) -> None:
    stranger = Architecture("other-01234567", tuple(CHOICES.items()))
    for ask in (space.to_graph, lambda a: costs_of(space, a), lambda a: rank(space, a)):
        with pytest.raises(SpaceError, match=f"expected one of space {space.id}, got one of other-01234567"):
            ask(stranger)


def test_bool_is_not_a_number() -> None:
    @block
    def biased(build: GraphBuilder, x: Tensor, *, bias: bool) -> Tensor:
        return build.apply("conv", Conv(4, bias=bias), x)

    space = compile_space(sequential(biased(bias=choice(False, True)), input=SHAPE), "bias")
    assert [costs_of(space, unrank(space, index))["params"] for index in (0, 1)] == [16, 20]
    with pytest.raises(SpaceError, match=r"biased\.bias: expected one of \(False, True\), got 1"):
        space.architecture({"biased.bias": 1})


# -------------------------------------------------------------------------------------------------- graphs


def test_nodes_bear_the_names_of_their_places(space: ExpressionSpace) -> None:
    graph = space.to_graph(space.architecture({**CHOICES, "stage.depth": 2, "stage.1.kernel": 3}))
    assert [node.name for node in graph.nodes] == [
        "input",
        "stage2.conv",
        "stage.0.conv",
        "stage.1.conv",
        "op.none.identity",
    ]
    assert graph["stage.1.conv"].op == Conv(8, (3, 3))
    assert graph["stage.0.conv"].op == Conv(8, (1, 1), bias=True)


def test_derived_values_are_computed_when_a_place_is_built() -> None:
    width = choice(2, 4, name="width")
    space = compile_space(
        sequential(
            bare_conv(out=width), bare_conv(out=derived("triple", lambda w: 3 * w, width)), input=SHAPE
        ),
        "derived",
    )
    assert [space.to_graph(unrank(space, index)).nodes[-1].shape[0] for index in (0, 1)] == [6, 12]


# -------------------------------------------------------------------------------- what cannot be compiled


def test_a_space_needs_a_decision() -> None:
    with pytest.raises(
        SpaceError, match="fixed: there is no choice in it; a space needs at least one decision"
    ):
        compile_space(sequential(bare_conv(out=4), input=SHAPE), "fixed")


def test_only_a_sequence_is_a_network() -> None:
    with pytest.raises(SpaceError, match=r"conv: expected a sequential\(\.\.\., input=\.\.\.\), got Block"):
        compile_space(bare_conv(out=choice(2, 4)), "conv")  # type: ignore[arg-type]


def test_unknown_dtype_and_memory_model() -> None:
    expression = sequential(bare_conv(out=choice(2, 4)), input=SHAPE)
    with pytest.raises(GraphError, match="dtype: expected one of"):
        compile_space(expression, "wrong", dtype="int4")
    with pytest.raises(GraphError, match="memory model: expected one of"):
        compile_space(expression, "wrong", memory_model="swap")  # type: ignore[arg-type]


def test_what_cannot_be_built_is_named_with_its_decisions() -> None:
    """And with none that do not matter any more: resolution and first width are in the shape of the input."""
    expression = sequential(
        bare_conv(out=choice(4, 6, name="width")),
        bare_conv(out=choice(2, 10)),
        place("grouped", B.conv_bn_act(out=12, groups=choice(1, 4, name="groups"))),
        B.classifier(classes=3),
        input=(2, choice(8, 12, name="resolution"), ...),
    )
    space = compile_space(expression, "unbuildable")
    with pytest.raises(SpaceError) as raised:
        size(space)
    message = str(raised.value)
    assert message.startswith("grouped: conv: conv.groups: expected a divisor of the ")
    assert re.search(r"; input \((2|10), (8|12), (8|12)\), with groups=4$", message)


def test_unbuildable_for_one_resolution() -> None:
    expression = sequential(
        B.max_pool(kernel=5, stride=1, padding=(0, 0, 0, 0)),
        bare_conv(out=choice(2, 4)),
        input=(2, choice(4, 8, name="resolution"), ...),
    )
    with pytest.raises(
        SpaceError,
        match=r"max_pool: pool: .*does not fit in 4x4 pixels.*input \(2, 4, 4\), with resolution=4",
    ):
        size(compile_space(expression, "small"))


def test_too_many_states(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"w{index}" for index in range(6)]
    expression = sequential(
        *(place(f"a{name}", bare_conv(out=choice(2, 4, 6, name=name))) for name in names),
        *(place(f"b{name}", bare_conv(out=choice(2, 4, 6, name=name))) for name in names),
        input=SHAPE,
    )
    assert size(compile_space(expression, "coupled")) == 3**6
    monkeypatch.setattr(explorer, "STATE_LIMIT", 300)
    with pytest.raises(
        TooLargeError, match=r"coupled: an exact answer would need more than 300 states.*\['w0', 'w1', "
    ):
        size(compile_space(expression, "coupled"))


def test_a_space_is_a_value() -> None:
    one, same, other = (
        compile_space(sequential(bare_conv(out=choice(2, 4)), input=SHAPE), name)
        for name in ("same", "same", "other")
    )
    assert one == same
    assert one.id == same.id
    assert other.id != one.id
