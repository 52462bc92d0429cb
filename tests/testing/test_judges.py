"""The judges themselves, on what can be worked out by hand."""

from __future__ import annotations

import subprocess
import sys

import pytest

from netwright import blocks as B
from netwright import testing
from netwright.ir.graph import Graph, GraphBuilder
from netwright.ir.ops import Activation, Add, BatchNorm, Conv, Flatten, Linear
from netwright.models import build_model
from netwright.space import choice, repeat, sequential
from netwright.testing import ask_torch, members, simulate
from netwright.testing.machine import holders


def inverted_residual() -> Graph:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    y = build.apply("expand", Conv(24), x)
    y = build.apply("expand_bn", BatchNorm(), y)
    y = build.apply("expand_act", Activation("relu6"), y)
    y = build.apply("depthwise", Conv(24, (3, 3), groups=24), y)
    y = build.apply("project", Conv(4), y)
    return build.finish(build.apply("add", Add(), x, y))


def test_the_machine() -> None:
    graph = inverted_residual()
    assert simulate(graph).taken == [
        ("input", 256),
        ("expand", 256 + 1536),
        ("depthwise", 256 + 1536 + 1536),
        ("project", 256 + 1536 + 256),
        ("add", 256 + 256 + 256),
    ]
    assert simulate(graph, in_place=True).taken[2] == ("depthwise", 256 + 1536 + 64)
    assert simulate(graph, 4).peak == 4 * 3328
    assert list(simulate(graph).buffers) == ["add"]


def test_what_is_folded() -> None:
    holder = holders(inverted_residual())
    assert holder["expand_act"] == holder["expand_bn"] == "expand"
    assert holder["depthwise"] == "depthwise"
    build = GraphBuilder()
    x = build.apply("act", Activation("relu"), build.input((2, 3, 3)))
    x = build.apply("flat", Flatten(), x)
    x = build.apply("linear", Linear(3), x)
    graph = build.finish(build.apply("bn", BatchNorm(), x), x)
    assert holders(graph) == {"input": "input", "act": "act", "flat": "act", "linear": "linear", "bn": "bn"}


def test_the_interpreter() -> None:
    expression = sequential(
        B.conv_bn_act(out=choice(4, 8, name="width"), stride=2),
        repeat("stage", B.depthwise(kernel=choice(3, 5), stride=2), depth=choice(1, 2)),
        B.pointwise(out=choice(4, 8, name="width")),
        input=(1, 8, ...),
    )
    found = list(members(expression))
    assert [list(member.choices.items())[1:] for member in found[:6]] == [
        [("stage.depth", 1), ("stage.0.kernel", 3)],
        [("stage.depth", 1), ("stage.0.kernel", 5)],
        [("stage.depth", 2), ("stage.0.kernel", 3), ("stage.1.kernel", 3)],
        [("stage.depth", 2), ("stage.0.kernel", 3), ("stage.1.kernel", 5)],
        [("stage.depth", 2), ("stage.0.kernel", 5), ("stage.1.kernel", 3)],
        [("stage.depth", 2), ("stage.0.kernel", 5), ("stage.1.kernel", 5)],
    ]
    assert len(found) == 12
    graph = found[-1].graph()
    assert [node.name for node in graph.nodes if node.op.kind == "conv"] == [
        "conv_bn_act.conv",
        "stage.0.conv",
        "stage.1.conv",
        "pointwise.conv",
    ]
    assert graph.nodes[-1].shape == (8, 2, 2)
    assert found[-1].costs()["macs"] == 8 * 9 * 16 + 8 * 25 * 4 + 8 * 25 * 4 + 64 * 4


def test_torchs_verdict() -> None:
    verdict = ask_torch(build_model("mobilenet-v2"))
    assert (verdict.params, verdict.macs) == (3_504_872, 300_774_272)
    assert verdict.weights["classifier.linear"] == {"weight": (1000, 1280), "bias": (1000,)}
    assert verdict.shapes["classifier.linear"] == (1000,)


def test_without_pytest_the_extra_is_named() -> None:
    code = "import sys; sys.modules['pytest'] = None; import netwright.testing"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "MissingDependencyError: netwright.testing needs pytest" in run.stderr
    assert "pip install 'netwright[dev]'" in run.stderr


def test_laws_without_torch_import_no_torch() -> None:
    code = (
        "import sys; from netwright.testing import StrategyLaws, members, simulate, OP_CASES; "
        "print([name for name in ('torch', 'optuna', 'sklearn') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_every_name_can_be_imported() -> None:
    for name in testing.__all__:
        assert getattr(testing, name) is not None
    assert set(testing.__all__) <= set(dir(testing))
    with pytest.raises(AttributeError, match="has no attribute 'FooLaws'"):
        testing.FooLaws  # noqa: B018
