"""Every published network by name, with the settings that the command line offers.

``netwright cost mobilenet-v2 --set width=0.35`` comes down to
``build_model("mobilenet-v2", {"width": "0.35"})``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from math import isfinite
from types import MappingProxyType

from netwright.errors import ConfigError
from netwright.ir.graph import Graph
from netwright.models.darts import darts
from netwright.models.mobilenet import mobilenet_v1, mobilenet_v2, mobilenet_v3_large, mobilenet_v3_small
from netwright.models.nasbench201 import BEST_CIFAR10, nasbench201
from netwright.models.resnet import resnet, resnext50
from netwright.models.shufflenet import V1_CHANNELS, V2_CHANNELS, shufflenet_v1, shufflenet_v2

Setting = int | float | str


_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
"""How a truth value may be written."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing that can be set about a model.

    Attributes:
        name: keyword of the model's function.
        kind: type of its values.
        default: the published value; None if it follows from the others, as ``description`` says.
        description: what it is, with its unit.
        above: values must be greater than this, where it is given.
        options: the only values there are, where they are given.
    """

    name: str
    kind: type[int] | type[float] | type[str] | type[bool]
    default: Setting | None
    description: str
    above: int | None = None
    options: tuple[Setting, ...] = ()

    @property
    def expected(self) -> str:
        """What values are allowed, for an error message."""
        if self.options:
            return f"one of {', '.join(map(str, self.options))}"
        noun = {int: "an integer", float: "a number", str: "a text", bool: "true or false"}[self.kind]
        return noun if self.above is None else f"{noun} above {self.above}"

    def parse(self, model: str, text: str) -> Setting:
        """Read a value.

        Args:
            model: name of the model, for the message.
            text: the value as it was written.

        Raises:
            ConfigError: if the text is not of the right type or out of range.
        """
        try:
            value = _TRUTH[text.lower()] if self.kind is bool else self.kind(text)
        except (ValueError, KeyError):
            raise ConfigError(f"{model}.{self.name}: expected {self.expected}, got {text!r}") from None
        finite = isinstance(value, str) or isfinite(value)
        high = self.above is None or (not isinstance(value, str) and value > self.above)
        if not (finite and high) or (self.options and value not in self.options):
            raise ConfigError(f"{model}.{self.name}: expected {self.expected}, got {text!r}")
        return value

    def __str__(self) -> str:
        default = str(self.default).lower() if self.kind is bool else self.default
        return self.name if default is None else f"{self.name}={default}"


@dataclass(frozen=True, slots=True)
class Model:
    """A published network.

    Attributes:
        name: what it is called on the command line.
        function: builds its graph from the parameters as keyword arguments.
        parameters: what can be set.
        description: one line about it.
        paper: where it was published.
    """

    name: str
    function: Callable[..., Graph]
    parameters: tuple[Parameter, ...]
    description: str
    paper: str


def _image(classes: int = 1000, resolution: int = 224) -> tuple[Parameter, ...]:
    """What every network has."""
    return (
        Parameter("resolution", int, resolution, "height and width of the images in pixels", above=0),
        Parameter("classes", int, classes, "number of logits", above=0),
        Parameter("in_channels", int, 3, "channels of the images", above=0),
    )


_WIDTH = Parameter("width", float, 1.0, "multiplies all channel numbers", above=0)
_STRIDE_IN = Parameter(
    "stride_in", str, "3x3", "convolution of a bottleneck that takes the stride", options=("3x3", "1x1")
)
_RESNET = "He et al. 2015, arXiv:1512.03385"
_SHUFFLENET_V1 = "Zhang et al. 2017, arXiv:1707.01083"
_MOBILENET_V3 = "Howard et al. 2019, arXiv:1905.02244"
_DARTS = "Liu et al. 2019, arXiv:1806.09055"
_CELLS = (
    Parameter(
        "channels", int, None, "channels of the first cells' nodes (published: 36; NASNet-A 32)", above=0
    ),
    Parameter("cells", int, 20, "cells in all, two of which halve the map", above=2),
    *_image(classes=10, resolution=32),
)

_ALL = (
    Model("resnet-18", partial(resnet, 18), (_WIDTH, *_image()), "18 layers of basic blocks", _RESNET),
    Model("resnet-34", partial(resnet, 34), (_WIDTH, *_image()), "34 layers of basic blocks", _RESNET),
    Model(
        "resnet-50",
        partial(resnet, 50),
        (_WIDTH, *_image(), _STRIDE_IN),
        "50 layers of bottlenecks, stride in the 3x3 convolution as in PyTorch",
        _RESNET,
    ),
    Model(
        "resnet-50-v1",
        partial(resnet, 50, stride_in="1x1"),
        (_WIDTH, *_image()),
        "50 layers of bottlenecks, stride in the first 1x1 convolution as in the paper",
        _RESNET,
    ),
    Model(
        "resnet-101",
        partial(resnet, 101),
        (_WIDTH, *_image(), _STRIDE_IN),
        "101 layers of bottlenecks, stride in the 3x3 convolution as in PyTorch",
        _RESNET,
    ),
    Model(
        "resnext-50",
        resnext50,
        (
            Parameter("groups", int, 32, "paths in every block", above=0),
            Parameter("base_width", int, 4, "channels of one path in the first stage", above=0),
            *_image(),
        ),
        "ResNet-50 with grouped bottlenecks",
        "Xie et al. 2016, arXiv:1611.05431",
    ),
    Model(
        "mobilenet-v1",
        mobilenet_v1,
        (_WIDTH, *_image()),
        "depthwise separable convolutions",
        "Howard et al. 2017, arXiv:1704.04861",
    ),
    Model(
        "mobilenet-v2",
        mobilenet_v2,
        (
            _WIDTH,
            Parameter(
                "last", int, None, "channels before the classifier (1280, times a width above 1)", above=0
            ),
            *_image(),
        ),
        "inverted residuals with linear bottlenecks",
        "Sandler et al. 2018, arXiv:1801.04381",
    ),
    Model(
        "mobilenet-v3-large",
        mobilenet_v3_large,
        (_WIDTH, *_image()),
        "inverted residuals with squeeze-and-excite and hardswish",
        _MOBILENET_V3,
    ),
    Model(
        "mobilenet-v3-small",
        mobilenet_v3_small,
        (_WIDTH, *_image()),
        "the smaller of the two MobileNetV3",
        _MOBILENET_V3,
    ),
    Model(
        "shufflenet-v1",
        shufflenet_v1,
        (
            Parameter("groups", int, 3, "groups of the 1x1 convolutions", options=tuple(V1_CHANNELS)),
            _WIDTH,
            *_image(),
        ),
        "grouped 1x1 convolutions and channel shuffle",
        _SHUFFLENET_V1,
    ),
    Model(
        "shufflenet-v2",
        shufflenet_v2,
        (
            Parameter("width", float, 1.0, "row of the paper's table", options=tuple(V2_CHANNELS)),
            *_image(),
        ),
        "channel split and shuffle",
        "Ma et al. 2018, arXiv:1807.11164",
    ),
    Model(
        "nasbench201",
        nasbench201,
        (
            Parameter("arch", str, BEST_CIFAR10, "architecture string of the benchmark"),
            Parameter("channels", int, 16, "channels of the first stage", above=0),
            Parameter("cells", int, 5, "cells in each stage", above=0),
            *_image(classes=10, resolution=32),
        ),
        "one network of the benchmark, by default the best on CIFAR-10",
        "Dong & Yang 2020, arXiv:2001.00326",
    ),
    Model(
        "nasnet-a",
        partial(darts, "nasnet-a"),
        _CELLS,
        "the cells of NASNet-A in the network for CIFAR-10 of DARTS",
        "Zoph et al. 2018, arXiv:1707.07012",
    ),
    Model(
        "amoebanet-a",
        partial(darts, "amoebanet-a"),
        _CELLS,
        "the cells of AmoebaNet-A in the network for CIFAR-10 of DARTS",
        "Real et al. 2019, arXiv:1802.01548",
    ),
    Model("darts-v1", partial(darts, "darts-v1"), _CELLS, "cells of DARTS, first-order search", _DARTS),
    Model("darts-v2", partial(darts, "darts-v2"), _CELLS, "cells of DARTS, second-order search", _DARTS),
)

MODELS: Mapping[str, Model] = MappingProxyType({model.name: model for model in _ALL})
"""Every published network by its name."""


def find_model(name: str) -> Model:
    """Look up a model.

    Raises:
        ConfigError: if there is none of this name; the message lists those that are close, or all.
    """
    if name in MODELS:
        return MODELS[name]
    close = get_close_matches(name.lower().replace("_", "-"), MODELS, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise ConfigError(f"model: {name!r} is unknown; {hint}expected one of {', '.join(MODELS)}")


def build_model(name: str, settings: Mapping[str, str] = MappingProxyType({})) -> Graph:
    """Build a published network from settings as text.

    Args:
        name: one of ``MODELS``.
        settings: values by parameter; what is not set keeps its published value.

    Raises:
        ConfigError: if the model, a setting or a value is wrong.
        GraphError: if the values do not fit together, for example at a resolution that is too low.

    >>> build_model("mobilenet-v2", {"resolution": "96", "classes": "10"}).nodes[-1].shape
    (10,)
    """
    model = find_model(name)
    known = {parameter.name: parameter for parameter in model.parameters}
    for setting in settings:
        if setting not in known:
            raise ConfigError(
                f"{name}.{setting}: there is no such setting; "
                f"expected one of {', '.join(map(str, model.parameters))}"
            )
    values = {setting: known[setting].parse(name, text) for setting, text in settings.items()}
    return model.function(**values)
