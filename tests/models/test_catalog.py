"""The catalogue of models and its settings as text."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import pytest

from netwright.errors import ConfigError, GraphError
from netwright.ir.cost import cost
from netwright.models import MODELS, build_model, find_model, resnet

SETTINGS: dict[tuple[str, str], str] = {
    ("resnet-50", "stride_in"): "1x1",
    ("resnet-101", "stride_in"): "1x1",
    ("shufflenet-v2", "width"): "0.5",
    ("shufflenet-v1", "groups"): "8",
    ("nasbench201", "arch"): "|none~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|",
    ("mobilenet-v2", "last"): "448",
    **{(name, "channels"): "16" for name in ("nasnet-a", "amoebanet-a", "darts-v1", "darts-v2")},
}
"""A value that differs from the default, where the rule of ``other_value`` would not do."""


def other_value(model: str, name: str, default: Any) -> str:
    return SETTINGS.get((model, name)) or str(default * 2)


def test_names() -> None:
    assert set(MODELS) == {
        *("resnet-18", "resnet-34", "resnet-50", "resnet-50-v1", "resnet-101", "resnext-50"),
        *("mobilenet-v1", "mobilenet-v2", "mobilenet-v3-large", "mobilenet-v3-small"),
        *("shufflenet-v1", "shufflenet-v2", "nasbench201"),
        *("nasnet-a", "amoebanet-a", "darts-v1", "darts-v2"),
    }
    assert all(model.name == name and model.description and model.paper for name, model in MODELS.items())


@pytest.mark.parametrize(
    ("name", "settings", "params", "macs"),
    [
        ("resnet-50", {}, 25_557_032, 4_089_184_256),
        ("resnet-50-v1", {}, 25_557_032, 3_857_973_248),
        ("resnext-50", {}, 25_028_904, 4_230_479_872),
        ("mobilenet-v1", {}, 4_231_976, 568_740_352),
        ("mobilenet-v2", {}, 3_504_872, 300_774_272),
        ("mobilenet-v2", {"width": "0.35", "resolution": "144", "last": "448"}, 750_280, 23_499_152),
        ("mobilenet-v3-large", {}, 5_483_032, 216_589_760),
        ("shufflenet-v1", {}, 1_865_728, 137_460_672),
        ("darts-v2", {}, 3_349_342, 528_359_040),
    ],
)
def test_published_networks_by_name(name: str, settings: dict[str, str], params: int, macs: int) -> None:
    found = cost(build_model(name, settings))
    assert (found.params, found.macs) == (params, macs)


@pytest.mark.parametrize("name", MODELS)
def test_listed_defaults_are_those_of_the_function(name: str) -> None:
    function: Any = MODELS[name].function
    bound = dict(function.keywords) if isinstance(function, partial) else {}
    signature = inspect.signature(function.func if isinstance(function, partial) else function)
    for parameter in MODELS[name].parameters:
        assert parameter.name not in bound
        assert signature.parameters[parameter.name].default == parameter.default
    everything = {p.name: str(p.default) for p in MODELS[name].parameters if p.default is not None}
    assert build_model(name, everything) == build_model(name)


CHANGES = [(name, p.name, p.default) for name, model in MODELS.items() for p in model.parameters]


@pytest.mark.parametrize(("name", "setting", "default"), CHANGES)
def test_every_setting_changes_the_network(name: str, setting: str, default: Any) -> None:
    assert build_model(name, {setting: other_value(name, setting, default)}) != build_model(name)


@pytest.mark.parametrize("name", MODELS)
def test_resolution_classes_and_channels_are_settings_of_all(name: str) -> None:
    graph = build_model(name, {"resolution": "64", "classes": "7", "in_channels": "1"})
    assert graph.input_shape == (1, 64, 64)
    assert graph[graph.outputs[0]].shape == (7,)


def test_settings_reach_the_function() -> None:
    assert build_model("resnet-18", {"width": "0.35"}) == resnet(18, width=0.35)
    assert build_model("resnet-50", {"stride_in": "1x1"}) == build_model("resnet-50-v1")


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("resnet50", "did you mean resnet-50"),
        ("ResNet-50", "did you mean resnet-50"),
        ("mobilenet_v2", "did you mean mobilenet-v2"),
        ("vit-b-16", "'vit-b-16' is unknown; expected one of resnet-18, resnet-34"),
    ],
)
def test_unknown_model_lists_what_there_is(name: str, close: str) -> None:
    with pytest.raises(ConfigError, match=close) as error:
        find_model(name)
    assert all(model in str(error.value) for model in MODELS)


WRONG = {
    "unknown": (
        "resnet-50",
        {"widht": "0.5"},
        r"resnet-50\.widht: there is no such setting; expected one of width=1\.0, resolution=224, .*",
    ),
    "no-default": ("mobilenet-v2", {"lst": "1"}, r"mobilenet-v2\.lst: .* width=1\.0, last, resolution"),
    "no-number": ("resnet-50", {"width": "wide"}, r"resnet-50\.width: expected a number above 0, got 'wide'"),
    "nan": ("resnet-50", {"width": "nan"}, r"resnet-50\.width: expected a number above 0, got 'nan'"),
    "infinite": ("resnet-50", {"width": "inf"}, r"resnet-50\.width: expected a number above 0, got 'inf'"),
    "fraction": ("resnet-50", {"classes": "1.5"}, r"classes: expected an integer above 0, got '1\.5'"),
    "zero": ("resnet-50", {"resolution": "0"}, r"resolution: expected an integer above 0, got '0'"),
    "negative": ("mobilenet-v2", {"last": "-8"}, r"last: expected an integer above 0, got '-8'"),
    "option": ("resnet-50", {"stride_in": "2x2"}, r"stride_in: expected one of 3x3, 1x1, got '2x2'"),
    "row": (
        "shufflenet-v2",
        {"width": "0.35"},
        r"width: expected one of 0\.5, 1\.0, 1\.5, 2\.0, got '0\.35'",
    ),
    "groups": ("shufflenet-v1", {"groups": "5"}, r"groups: expected one of 1, 2, 3, 4, 8, got '5'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_setting_is_explained(case: str) -> None:
    name, settings, message = WRONG[case]
    with pytest.raises(ConfigError, match=message):
        build_model(name, settings)


def test_values_that_do_not_fit_together_are_reported_by_the_graph() -> None:
    with pytest.raises(GraphError, match=r"^reduction1\."):
        build_model("nasbench201", {"resolution": "1"})
    with pytest.raises(GraphError, match=r"nasbench201\.arch: "):
        build_model("nasbench201", {"arch": "conv3x3"})
