"""Keys of networks against plain forms and the code that NATS-Bench counts its distinct cells with."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.errors import GraphError
from netwright.ir.canonical import Rule, canonical_key
from netwright.ir.graph import Graph, GraphBuilder, Tensor
from netwright.ir.ops import Activation, Add, BatchNorm, Concat, Conv, Identity, Multiply, Op, Pool, Zero
from netwright.ir.prune import prune_dead
from netwright.models import nasbench201
from netwright.models.nasbench201 import EDGES, Operation, format_architecture
from tests.graph_strategies import graphs

RULES: tuple[Rule, ...] = get_args(Rule)
Code = tuple[str, ...]
CODES: list[Code] = list(product(get_args(Operation), repeat=len(EDGES)))


def edge(build: GraphBuilder, place: str, operation: str, x: Tensor) -> Tensor:
    if operation == "none":
        return build.apply(place, Zero(), x)
    if operation == "skip_connect":
        return build.apply(place, Identity(), x)
    if operation == "avg_pool_3x3":
        return build.apply(place, Pool("average", (3, 3)), x)
    kernel = 1 if operation == "nor_conv_1x1" else 3
    y = build.apply(f"{place}.relu", Activation("relu"), x)
    y = build.apply(f"{place}.conv", Conv(x.channels, (kernel, kernel)), y)
    return build.apply(f"{place}.bn", BatchNorm(), y)


def cell(code: Code) -> Graph:
    """One cell of NAS-Bench-201 alone."""
    build = GraphBuilder()
    nodes = [build.input((2, 4, 4))]
    for target in (1, 2, 3):
        terms = [
            edge(build, f"edge{source}{target}", operation, nodes[source])
            for (source, node), operation in zip(EDGES, code, strict=True)
            if node == target
        ]
        nodes.append(terms[0] if len(terms) == 1 else build.apply(f"node{target}", Add(), *terms))
    return build.finish(nodes[-1])


def unique_string(code: Code, consider_zero: bool) -> str:
    """``CellStructure.to_unique_str`` of NATS-Bench, word for word but for names."""
    nodes = {0: "0"}
    for target in (1, 2, 3):
        terms = []
        for (source, node), operation in zip(EDGES, code, strict=True):
            if node != target:
                continue
            if consider_zero and (operation == "none" or nodes[source] == "#"):
                terms.append("#")
            elif operation == "skip_connect":
                terms.append(nodes[source])
            else:
                terms.append(f"({nodes[source]})@{operation}")
        nodes[target] = "+".join(sorted(terms))
    return nodes[3]


def plain_form(code: Code, zeros: str, flat: bool) -> str:
    """A cell as text: sums are sorted and in brackets, which a sum within a sum loses if ``flat``.

    Args:
        code: the operations.
        zeros: ``op``: zero is an operation like others; ``kept``: what comes of zero is zero, except a sum;
            ``pruned``: zeros are left out of sums, too.
        flat: see above.
    """
    nodes: dict[int, list[str]] = {0: ["x"]}  # the summands of each
    for target in (1, 2, 3):
        terms: list[str] = []
        for (source, node), operation in zip(EDGES, code, strict=True):
            if node != target:
                continue
            before = sorted(nodes[source])
            whole = before[0] if len(before) == 1 else f"[{'+'.join(before)}]"
            if zeros != "op" and (operation == "none" or before in ([], ["#"])):
                terms += [] if zeros == "pruned" else ["#"]
            elif operation != "skip_connect":
                terms.append(f"{operation}({whole})")
            else:
                terms += before if flat else [whole]
        nodes[target] = terms
    return "+".join(sorted(nodes[3]))


ZEROS = {"nats": "kept", "pruned": "pruned", "flat": "pruned", "skips": "op"}


def classes(codes: list[Code], rule: Rule, keys: list[str]) -> int:
    """Check which cells have the same key; gives the number of keys.

    ``pruned`` and ``flat`` are told exactly. The other two merge some of the cells that differ in the nesting
    of their sums, here and in NATS-Bench.
    """
    nested, flat = ([plain_form(code, ZEROS[rule], flat) for code in codes] for flat in (False, True))
    number = len(set(keys))
    finest, coarsest = (flat, flat) if rule == "flat" else (nested, nested if rule == "pruned" else flat)
    assert len(set(zip(keys, finest, strict=True))) == len(set(finest))
    assert len(set(zip(keys, coarsest, strict=True))) == number
    return number


@pytest.mark.parametrize("rule", RULES)
def test_some_cells_of_nasbench201(rule: Rule) -> None:
    codes = Random(0).sample(CODES, 800)
    assert classes(codes, rule, [canonical_key(cell(code), rule) for code in codes]) < 800


@pytest.mark.slow
def test_how_many_cells_of_nasbench201_are_distinct() -> None:
    keys: dict[Rule, list[str]] = {rule: [] for rule in RULES}
    for code in CODES:
        graph = cell(code)
        for rule in RULES:
            keys[rule].append(canonical_key(graph, rule))
    found = {rule: classes(CODES, rule, keys[rule]) for rule in RULES}
    assert found == {"nats": 6466, "pruned": 5819, "flat": 4930, "skips": 12751}
    for rule in ("nats", "skips"):
        assert len({unique_string(code, rule == "nats") for code in CODES}) == found[rule]


def test_whole_networks() -> None:
    codes = Random(1).sample(CODES, 150)
    codes += [(*code[:2], "none", *code[3:]) for code in codes[:50]]
    networks = [nasbench201(format_architecture(code), cells=1) for code in codes]
    words = [plain_form(code, "pruned", True) for code in codes]
    keys = [canonical_key(network, "flat") for network in networks]
    assert len(set(zip(keys, words, strict=True))) == len(set(keys)) == len(set(words))


# --------------------------------------------------------------------------------------- single rules


def make(
    *steps: tuple[str, Op, tuple[str, ...]], out: str = "out", shape: tuple[int, ...] = (2, 4, 4)
) -> Graph:
    """A graph of ``(name, op, inputs)``; ``x`` is the input."""
    build = GraphBuilder()
    tensors = {"x": build.input(shape)}
    for name, op, inputs in steps:
        tensors[name] = build.apply(name, op, *(tensors[one] for one in inputs))
    return build.finish(tensors[out])


CONV, POOL, RELU = Conv(2, (3, 3)), Pool("average", (3, 3)), Activation("relu")
A = ("a", CONV, ("x",))
B = ("b", POOL, ("x",))
C = ("c", RELU, ("x",))
Z = ("z", Zero(), ("x",))


def keys(*graphs: Graph) -> dict[Rule, bool]:
    """For every rule whether all keys are the same."""
    return {rule: len({canonical_key(graph, rule) for graph in graphs}) == 1 for rule in RULES}


NONE = dict.fromkeys(RULES, False)
ALL = dict.fromkeys(RULES, True)


def only(*rules: Rule) -> dict[Rule, bool]:
    return {rule: rule in rules for rule in RULES}


def test_the_order_of_a_sum_does_not_matter() -> None:
    one = make(A, B, ("out", Add(), ("a", "b")))
    two = make(A, B, ("out", Add(), ("b", "a")))
    assert keys(one, two) == ALL


def test_the_order_of_a_concatenation_and_a_product_does() -> None:
    for op in (Concat(), Multiply()):
        assert keys(make(A, B, ("out", op, ("a", "b"))), make(A, B, ("out", op, ("b", "a")))) == NONE


def test_identities_are_passed_through() -> None:
    one = make(A, ("i", Identity(), ("a",)), ("out", RELU, ("i",)))
    assert keys(one, make(A, ("out", RELU, ("a",)))) == ALL


def test_names_and_dead_ops_do_not_matter() -> None:
    one = make(A, B, ("dead", CONV, ("b",)), ("out", RELU, ("a",)))
    assert keys(one, make(("other", CONV, ("x",)), ("out", RELU, ("other",)))) == ALL


@pytest.mark.parametrize(
    "other",
    [
        Conv(2, (1, 1)),
        Conv(2, (3, 3), bias=True),
        Conv(3, (3, 3)),
        Conv(2, (3, 3), (2, 2)),
        Pool("max", (3, 3)),
    ],
)
def test_attributes_matter(other: Op) -> None:
    assert keys(make(("out", CONV, ("x",))), make(("out", other, ("x",)))) == NONE


def test_shapes_matter() -> None:
    assert keys(make(("out", CONV, ("x",))), make(("out", CONV, ("x",)), shape=(2, 5, 4))) == NONE
    halved = make(("out", Zero((2, 2)), ("x",)))
    assert keys(make(("out", Zero(), ("x",))), halved) == NONE


def test_zero_goes_through_ops_of_one_input() -> None:
    one = make(Z, ("y", CONV, ("z",)), ("out", BatchNorm(), ("y",)))
    assert keys(one, make(("out", Zero(), ("x",)))) == only("nats", "pruned", "flat")


def test_zeros_in_products_and_concatenations() -> None:
    zero = make(("out", Zero(), ("x",)))
    assert keys(make(A, Z, ("out", Multiply(), ("a", "z"))), zero) == only("nats", "pruned", "flat")
    wide = make(("y", CONV, ("x",)), ("w", Concat(), ("y", "y")), ("out", Zero(), ("w",)))
    assert keys(make(Z, ("out", Concat(), ("z", "z"))), wide) == only("nats", "pruned", "flat")
    assert keys(make(A, Z, ("out", Concat(), ("a", "z"))), wide) == NONE


def test_zero_summands() -> None:
    one = make(A, B, Z, ("out", Add(), ("a", "z", "b")))
    assert keys(one, make(A, B, ("out", Add(), ("a", "b")))) == only("pruned", "flat")
    single = make(A, Z, ("out", Add(), ("a", "z")))
    assert keys(single, make(("out", CONV, ("x",)))) == only("pruned", "flat")
    zeros = make(Z, ("out", Add(), ("z", "z")))
    assert keys(zeros, make(("out", Zero(), ("x",)))) == only("pruned", "flat")


def test_a_sum_within_a_sum() -> None:
    nested = make(A, B, C, ("s", Add(), ("a", "b")), ("out", Add(), ("c", "s")))
    plain = make(A, B, C, ("out", Add(), ("a", "b", "c")))
    assert keys(nested, plain)["flat"]
    assert not keys(nested, plain)["pruned"]
    passed = make(A, B, C, ("s", Add(), ("a", "b")), ("i", Identity(), ("s",)), ("out", Add(), ("c", "i")))
    assert keys(nested, passed) == ALL


def test_a_sum_of_one_sum() -> None:
    nested = make(A, B, Z, ("s", Add(), ("a", "b")), ("out", Add(), ("s", "z")))
    assert keys(nested, make(A, B, ("out", Add(), ("a", "b")))) == only("flat")


def test_weights_of_their_own_are_not_told_apart() -> None:
    """Why equal keys are no claim that two trained networks are equal."""
    twice = make(A, ("out", Add(), ("a", "a")))
    two = make(A, ("b", CONV, ("x",)), ("out", Add(), ("a", "b")))
    assert keys(twice, two) == ALL


def test_outputs_are_in_order() -> None:
    build = GraphBuilder()
    x = build.input((2, 4, 4))
    a, b = build.apply("a", CONV, x), build.apply("b", POOL, x)
    assert keys(build.finish(a, b), build.finish(b, a)) == NONE


@given(graphs(), st.randoms(use_true_random=False))
def test_other_names_and_orders_of_sums(graph: Graph, random: Random) -> None:
    build = GraphBuilder()
    tensors: dict[str, Tensor] = {}
    for number, node in enumerate(graph.nodes):
        inputs = [tensors[name] for name in node.inputs]
        if isinstance(node.op, Add):
            random.shuffle(inputs)
        tensors[node.name] = build.apply("input" if not number else f"other{number}", node.op, *inputs)
    assert keys(graph, build.finish(*(tensors[name] for name in graph.outputs))) == ALL


@st.composite
def with_zeros(draw: Any) -> Graph:
    """Sums, zeros, identities, products and concatenations on maps of one size."""
    build = GraphBuilder()
    tensors = [build.input((2, 4, 4))]
    for number in range(draw(st.integers(1, 12))):
        op = draw(
            st.sampled_from([Add(), Add(), Zero(), Identity(), CONV, POOL, RELU, BatchNorm(), Multiply()])
        )
        most = {Add: 3, Multiply: 2}.get(type(op), 1)
        least = 2 if most > 1 else 1
        inputs = draw(st.lists(st.sampled_from(tensors), min_size=least, max_size=most))
        tensors.append(build.apply(f"n{number}", op, *inputs))
    return build.finish(tensors[-1])


@given(with_zeros() | graphs())
def test_pruning_changes_no_flat_key(graph: Graph) -> None:
    assert canonical_key(prune_dead(graph), "flat") == canonical_key(graph, "flat")


@given(with_zeros(), with_zeros())
def test_coarser_rules_tell_less_apart(one: Graph, two: Graph) -> None:
    same = keys(one, two)
    assert same["flat"] or not same["pruned"]
    assert same["nats"] or not same["skips"]


def test_keys_stay_the_same_between_versions() -> None:
    """They may be in the record of a search."""
    graph = cell(("skip_connect", "none", "nor_conv_3x3", "avg_pool_3x3", "none", "skip_connect"))
    assert {rule: canonical_key(graph, rule) for rule in RULES} == KEYS


KEYS: dict[Rule, str] = {
    "nats": "f6bbf5e1d2f1497b",
    "pruned": "c0959a499a2e6d2c",
    "flat": "ab3da1b4a1824a60",
    "skips": "1d47b08a02b7a93e",
}


def test_an_unknown_rule() -> None:
    with pytest.raises(GraphError, match=r"canonical\.rule: expected one of \('nats', .*, got 'all'"):
        canonical_key(make(A, out="a"), "all")  # type: ignore[arg-type]
