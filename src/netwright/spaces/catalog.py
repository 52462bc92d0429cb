"""Every search space that comes with netwright, by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from netwright.errors import ConfigError
from netwright.files import write_whole
from netwright.ir.ops import Shape
from netwright.models import Parameter
from netwright.space import ExpressionSpace
from netwright.spaces.accel_nasbench import accel_nasbench
from netwright.spaces.darts import darts
from netwright.spaces.macro import nasbench_macro
from netwright.spaces.mobilenet import (
    OFA_WIDTHS,
    fbnet,
    mobilenet_tiny,
    mobilenet_v2,
    ofa_mobilenet_v3,
    proxylessnas,
)
from netwright.spaces.nasbench201 import nasbench201
from netwright.spaces.nasnet import nasnet
from netwright.spaces.nats import nats_size
from netwright.spaces.parameters import RESOLUTION, Setting, read_settings, settle_decisions
from netwright.spaces.resnet import resnet
from netwright.spaces.shufflenet import shufflenet, shufflenet_v1
from netwright.spaces.signals import conv1d_tiny, spectrogram_tiny
from netwright.spaces.tinyml import convnet_tiny, mcunet
from netwright.spaces.topology import auto_deeplab, auto_deeplab_tiny

IMAGENET: Shape = (3, 224, 224)
CIFAR: Shape = (3, 32, 32)
FILES = (".json", ".yaml", ".yml")
"""Endings of the files that ``load_space`` reads."""

_STACK = (
    Parameter("cells", int, None, "number of cells; by default it depends on the images", above=0),
    Parameter("channels", int, None, "channels of the first cells; by default by the images", above=0),
)


@dataclass(frozen=True, slots=True)
class SpaceEntry:
    """A search space for data of any shape that it accepts.

    Attributes:
        name: what it is called on the command line.
        factory: makes the space for an input shape (channels, height, width), a number of classes, and the
            parameters as keyword arguments.
        description: one line about it.
        parameters: what can be set.
        input_shape: the shape of the data it was published for, used where none is given.
        classes: the number of classes, likewise.
        paper: where it was published, if it was.
    """

    name: str
    factory: Callable[..., ExpressionSpace]
    description: str
    parameters: tuple[Parameter, ...] = ()
    input_shape: Shape = (1, 28, 28)
    classes: int = 10
    paper: str = ""


_ALL = (
    SpaceEntry(
        "mobilenet-tiny",
        mobilenet_tiny,
        "small MobileNets for images of 8x8 to 96x96: resolution, width, depth, kernel, expansion",
    ),
    SpaceEntry(
        "conv1d-tiny",
        conv1d_tiny,
        "small 1-D networks for windows of sensors: width, depth, kind of layer, kernel, expansion",
        (),
        (6, 1, 128),
        6,
    ),
    SpaceEntry(
        "spectrogram-tiny",
        spectrogram_tiny,
        "small networks for rectangles such as spectrograms: width, depth, kind of layer, kernel, expansion",
        (),
        (1, 40, 49),
    ),
    SpaceEntry(
        "ofa-mobilenet-v3",
        ofa_mobilenet_v3,
        "Once-for-All: resolution, and depth, kernel and expansion of MobileNetV3",
        (
            RESOLUTION,
            Parameter("width", float, 1.0, "multiplies all channel numbers", options=OFA_WIDTHS),
        ),
        IMAGENET,
        1000,
        "Cai et al. 2020, arXiv:1908.09791",
    ),
    SpaceEntry(
        "proxylessnas",
        proxylessnas,
        "21 layers of inverted residuals: kernel, expansion, or skipped",
        (
            RESOLUTION,
            Parameter("width", float, 1.0, "multiplies all channel numbers", above=0),
            Parameter(
                "first_width", int, 24, "channels of the first stage; 32 in the published Mobile", above=0
            ),
        ),
        IMAGENET,
        1000,
        "Cai et al. 2019, arXiv:1812.00332",
    ),
    SpaceEntry(
        "fbnet",
        fbnet,
        "22 layers of nine blocks: kernel, expansion, groups, or skipped",
        (RESOLUTION, Parameter("features", int, 1504, "channels before the classifier", above=0)),
        IMAGENET,
        1000,
        "Wu et al. 2018, arXiv:1812.03443",
    ),
    SpaceEntry(
        "mobilenet-v2",
        mobilenet_v2,
        "MobileNetV2 with a width of its own for every stage, and the resolution",
        (
            RESOLUTION,
            Parameter(
                "widths",
                str,
                "each",
                "a multiplier for each stage, or one for the whole network",
                options=("each", "one"),
            ),
        ),
        IMAGENET,
        1000,
        "Sandler et al. 2018, arXiv:1801.04381",
    ),
    SpaceEntry(
        "resnet",
        resnet,
        "ResNet and ResNeXt: depth and width of the stages, expansion and groups of the bottlenecks",
        (RESOLUTION,),
        IMAGENET,
        1000,
        "He et al. 2015, arXiv:1512.03385; Xie et al. 2016, arXiv:1611.05431",
    ),
    SpaceEntry(
        "shufflenet",
        shufflenet,
        "single-path one-shot blocks: ShuffleNetV2 units with kernel 3, 5 or 7, or Xception",
        (RESOLUTION,),
        IMAGENET,
        1000,
        "Guo et al. 2019, arXiv:1904.00420",
    ),
    SpaceEntry(
        "shufflenet-v1",
        shufflenet_v1,
        "ShuffleNetV1: groups and width of the network, depth of the stages, kernels",
        (RESOLUTION,),
        IMAGENET,
        1000,
        "Zhang et al. 2017, arXiv:1707.01083",
    ),
    SpaceEntry(
        "nats-size",
        nats_size,
        "NATS-Bench size space: the widths of five layers around one fixed cell",
        (),
        CIFAR,
        10,
        "Dong et al. 2020, arXiv:2009.00437",
    ),
    SpaceEntry(
        "nasbench-macro",
        nasbench_macro,
        "NAS-Bench-Macro: eight layers of two inverted residuals or the identity",
        (),
        CIFAR,
        10,
        "Su et al. 2021, arXiv:2103.11922",
    ),
    SpaceEntry(
        "accel-nasbench",
        accel_nasbench,
        "Accel-NASBench: seven MnasNet blocks: expansion, kernel, depth, squeeze-and-excite",
        (),
        IMAGENET,
        1000,
        "Ahmad et al. 2024, arXiv:2404.08005",
    ),
    SpaceEntry(
        "mcunet",
        mcunet,
        "TinyNAS: sub-spaces by resolution and width multiplier, each with depth, kernel and expansion",
        (RESOLUTION, Parameter("width", float, None, "the only width multiplier", above=0)),
        IMAGENET,
        1000,
        "Lin et al. 2020, arXiv:2007.10319",
    ),
    SpaceEntry(
        "convnet-tiny",
        convnet_tiny,
        "ordinary convolutions, basic blocks and inverted residuals for small maps on a microcontroller",
        (
            Parameter(
                "layers",
                str,
                "all",
                "all, or ordinary: without inverted residuals",
                options=("all", "ordinary"),
            ),
        ),
        (1, 28, 28),
        10,
    ),
    SpaceEntry(
        "nasnet",
        nasnet,
        "the five-step generator: normal and reduction cells of blocks with two inputs and two operations",
        (
            Parameter("blocks", int, 5, "blocks of a cell", above=0),
            Parameter("operations", str, "nasnet", "13 of the paper, or five", options=("nasnet", "notes")),
            Parameter(
                "candidates",
                str,
                "all",
                "what a block takes: any earlier tensor, or an input of the cell",
                options=("all", "inputs"),
            ),
            *_STACK,
            Parameter("reduction", bool, True, "whether there are reduction cells"),
        ),
        CIFAR,
        10,
        "Zoph et al. 2018, arXiv:1707.07012",
    ),
    SpaceEntry(
        "darts",
        darts,
        "normal and reduction cells of four nodes, each with two distinct inputs and an operation on each",
        (
            *_STACK,
            Parameter("reduction", bool, True, "whether there are reduction cells"),
            Parameter("none", bool, False, "whether an operation may be left out"),
        ),
        CIFAR,
        10,
        "Liu et al. 2019, arXiv:1806.09055",
    ),
    SpaceEntry(
        "nasbench201",
        nasbench201,
        "NAS-Bench-201: one cell of six edges with one of five operations each",
        _STACK,
        CIFAR,
        10,
        "Dong & Yang 2020, arXiv:2001.00326",
    ),
    SpaceEntry(
        "auto-deeplab",
        auto_deeplab,
        "a path through a trellis of resolutions, and a cell for all its layers; labels every pixel",
        (
            Parameter(
                "layers", int, 12, "layers of the path; the first is at a quarter of the image", above=1
            ),
            Parameter("width", int, 8, "channels of a block at the first level", above=0),
            Parameter("blocks", int, 5, "blocks of the cell", above=0),
            Parameter(
                "part",
                str,
                "both",
                "what is decided: path, cell, or both",
                options=("both", "network", "cell"),
            ),
        ),
        (3, 256, 256),
        19,
        "Liu et al. 2019, arXiv:1901.02985",
    ),
    SpaceEntry(
        "auto-deeplab-tiny",
        auto_deeplab_tiny,
        "a small trellis for images of 8 to 128 pixels: path, cell, width; labels every pixel",
        (
            Parameter("layers", int, 5, "layers of the path", above=1),
            Parameter("blocks", int, 2, "blocks of the cell", above=0),
            Parameter("stride", int, 0, "of the stem; 0 chooses by the size of the images"),
        ),
        (1, 28, 28),
        11,
    ),
)

SPACES: Mapping[str, SpaceEntry] = MappingProxyType({entry.name: entry for entry in _ALL})
"""Every search space by its name."""


def find_space(name: str) -> SpaceEntry:
    """Look up a search space; case and underscores do not matter.

    Raises:
        ConfigError: if there is none of this name; the message lists those that are close, or all.

    >>> find_space("mobilenet_tiny").name
    'mobilenet-tiny'
    """
    wanted = name.lower().replace("_", "-")
    if wanted in SPACES:
        return SPACES[wanted]
    close = get_close_matches(wanted, SPACES, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise ConfigError(f"space: {name!r} is unknown; {hint}expected one of {', '.join(SPACES)}")


def make_space(
    name: str,
    input_shape: Shape | None = None,
    classes: int | None = None,
    parameters: Mapping[str, object] = MappingProxyType({}),
) -> ExpressionSpace:
    """Make a search space for some data.

    Args:
        name: one of ``SPACES``.
        input_shape: (channels, height, width) of the data; by default that of the entry.
        classes: number of classes; by default that of the entry.
        parameters: settings of the space by name, as values or as text; the name of a decision settles it.

    Raises:
        ConfigError: if the space or a setting is unknown, a value is wrong, or the number of classes is not
            positive.
        SpaceError: if the space is not for data of this shape.

    >>> make_space("mcunet", (3, 96, 96), 10, {"resolution": 96, "width": 0.5}).decisions[0].name
    'stage1.depth'
    """
    entry = find_space(name)
    return _make(entry, read_settings(entry.name, entry.parameters, parameters), input_shape, classes)


def load_space(
    source: str | Path,
    input_shape: Shape | None = None,
    classes: int | None = None,
    parameters: Mapping[str, object] = MappingProxyType({}),
) -> ExpressionSpace:
    """Make a search space by its name or from a file that sets parameters or settles decisions.

    Args:
        source: one of ``SPACES``, or a path that ends in .json, .yaml or .yml; see ``resolve_space``.
        input_shape: (channels, height, width) of the data; by default that of the entry.
        classes: number of classes; by default that of the entry.
        parameters: settings of the space; they replace those of the file.

    Raises:
        ConfigError: as ``make_space``, or if the file cannot be read.
        SpaceError: if the space is not for data of this shape.
    """
    entry, settings = resolve_space(source, parameters)
    try:
        return _make(entry, settings, input_shape, classes)
    except ConfigError as error:
        if Path(source).suffix.lower() not in FILES:
            raise
        raise ConfigError(f"{source}: {error}") from None


def resolve_space(
    source: str | Path, parameters: Mapping[str, object] = MappingProxyType({})
) -> tuple[SpaceEntry, dict[str, Setting]]:
    """Find out which space is meant and how its parameters are set, without making it.

    Args:
        source: one of ``SPACES``, or a path that ends in .json, .yaml or .yml to a file with the keys
            ``space``, a name, and perhaps ``set``, values by parameter or decision.
        parameters: more settings; they replace those of the file.

    Raises:
        ConfigError: if the space or a setting is unknown, a value is wrong, or the file cannot be read.
    """
    in_file: dict[str, Setting] = {}
    if Path(source).suffix.lower() in FILES:
        entry, in_file = _read(Path(source))
    else:
        entry = find_space(str(source))
    return entry, in_file | read_settings(entry.name, entry.parameters, parameters)


def write_space(path: str | Path, name: str, parameters: Mapping[str, object]) -> None:
    """Write a file that ``load_space`` reads.

    Args:
        path: ends in .json, .yaml or .yml.
        name: one of ``SPACES``.
        parameters: settings of the space.

    Raises:
        ConfigError: if the space or a setting is unknown, a value is wrong, or the path has another ending.
    """
    path = Path(path)
    if path.suffix.lower() not in FILES:
        raise ConfigError(f"{path}: expected a path that ends in {', '.join(FILES)}; rename the file")
    entry = find_space(name)
    content = {"space": entry.name, "set": read_settings(entry.name, entry.parameters, parameters)}
    if path.suffix.lower() == ".json":
        write_whole(path, json.dumps(content, indent=2) + "\n")
    else:
        write_whole(path, yaml.safe_dump(content, sort_keys=False))


def _make(
    entry: SpaceEntry, settings: Mapping[str, Setting], input_shape: Shape | None, classes: int | None
) -> ExpressionSpace:
    shape = entry.input_shape if input_shape is None else input_shape
    number = entry.classes if classes is None else classes
    if number < 1:
        raise ConfigError(f"classes: expected a positive number, got {number}")
    parameters = {parameter.name for parameter in entry.parameters}
    space = entry.factory(shape, number, **{k: v for k, v in settings.items() if k in parameters})
    others = {name: value for name, value in settings.items() if name not in parameters}
    return settle_decisions(space, entry.parameters, others)


def _read(path: Path) -> tuple[SpaceEntry, dict[str, Setting]]:
    try:
        # JSON is YAML too.
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: expected a file with a search space ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = str(error).splitlines()[0]
        raise ConfigError(f"{path}: expected JSON or YAML with the keys space and set ({line})") from None
    if not isinstance(content, dict) or not isinstance(content.get("space"), str):
        raise ConfigError(
            f"{path}: expected the keys space, the name of a search space, and set, its parameters; "
            f"got {_short(content)}"
        )
    for key in content:
        if key not in ("space", "set"):
            raise ConfigError(f"{path}: expected the keys space and set, got {key!r}")
    settings = content.get("set") or {}
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: set: expected values by parameter, got {_short(settings)}")
    try:
        entry = find_space(content["space"])
        return entry, read_settings(entry.name, entry.parameters, settings)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _short(content: object) -> str:
    text = repr(content)
    return text if len(text) <= 60 else f"{text[:57]}..."
