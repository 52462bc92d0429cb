"""The model card: what a network is, what it was made for, what it costs, how good it is, how to use it.

A card is a value; ``model_card`` writes it for people, ``Card.to_dict`` for programs, with the same facts.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from netwright.devices.budget import Budget, Verdict, format_cost
from netwright.errors import ExportError
from netwright.export.bundle import staged
from netwright.nn.audio import LogMel
from netwright.nn.intervals import wilson_interval
from netwright.nn.kind import CLIPS, IMAGES, WINDOWS, Kind
from netwright.nn.task import CLASSIFICATION, Task
from netwright.space.architecture import Architecture

FORMAT = 1
CARD_FILE = "card.md"
FACTS_FILE = "card.json"
ONNX_NAME = "model.onnx"


@dataclass(frozen=True, slots=True)
class DataFacts:
    """The data and how their values become the network's input: resize, then ``(value - mean) / std``.

    Attributes:
        name: how the data were asked for.
        fingerprint: sha256 (hex) of their content.
        classes: names in the order of the logits.
        input_shape: (C, H, W) of the network's input.
        channel_order: what the channels are, e.g. ``RGB`` or ``grey``.
        mean: of each channel, in the unit of the values.
        std: of each channel, in the same unit.
        pixel_range: smallest and largest value that the data can hold, e.g. 0 and 255.
        resize: how an image of another size is brought to H x W.
        train: number of rows (images, windows, clips) that were trained on.
        validation: number of rows that architectures were compared on.
        test: number of rows of the test set.
        notes: what else a user should know about the data.
        label_shape: of the labels of one image: none, or (H, W) where its pixels bear them.
        kind: what a row is.
        front_end: settings of ``netwright.nn.audio.LogMel``, which makes the network's input from sound.
    """

    name: str
    fingerprint: str
    classes: tuple[str, ...]
    input_shape: tuple[int, int, int]
    channel_order: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    pixel_range: tuple[float, float] = (0, 255)
    resize: str = "bilinear with antialiasing"
    train: int | None = None
    validation: int | None = None
    test: int | None = None
    notes: tuple[str, ...] = ()
    label_shape: tuple[int, ...] = ()
    kind: Kind = IMAGES
    front_end: Mapping[str, int | float] | None = None

    def __post_init__(self) -> None:
        channels = self.input_shape[0]
        if not len(self.mean) == len(self.std) == channels:
            raise ExportError(
                f"card: data: expected one mean and one std for each of the {channels} channels, "
                f"got {len(self.mean)} and {len(self.std)}"
            )


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The score of the network's task, 0 to 1: the share of images classified rightly, or mean IoU.

    Attributes:
        validation: of the exported network, on the images that chose it.
        test: of the exported network, on the test set, which was used this once.
        spreads: further scores that show how much luck there is, by what they are, for example
            ``{"validation, top 3 trained in full": (0.981, 0.979, 0.976)}``.
        test_interval: the 95 % interval of ``test``; where it is None, an accuracy has Wilson's.
        further: other shares on the test set by name, such as ``test_pixel_accuracy``.
    """

    validation: float
    test: float | None = None
    spreads: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    test_interval: tuple[float, float] | None = None
    further: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SearchFacts:
    """How the network was found.

    Attributes:
        space: id of the search space.
        strategy: name of the search strategy.
        trials: evaluated proposals, the failed ones included.
        failed: how many of them failed.
        size: number of architectures in the space.
        fitting: how many of them fit the budget.
        seconds: wall time of search and final training.
        settings: further facts, by name.
    """

    space: str
    strategy: str
    trials: int
    failed: int = 0
    size: int | None = None
    fitting: int | None = None
    seconds: float | None = None
    settings: Mapping[str, str | int | float] = field(default_factory=dict)


def installed_versions() -> dict[str, str]:
    """Versions of what the network was made with."""
    packages = ("netwright", "torch", "numpy", "onnx", "onnxruntime")
    return {name: version(name) for name in packages} | {"python": platform.python_version()}


@dataclass(frozen=True, slots=True)
class Card:
    """All facts about one exported network.

    Attributes:
        name: of the network.
        data: what it was trained on.
        costs: exact costs (``macs``, ``params``, ``weight_bytes``, ``peak_activation_bytes`` ...).
        dtype: the type of number that the costs in bytes are for.
        accuracy: how good it is.
        seed: of the search and of training.
        budget: the limits it was made for, or None.
        architecture: the decisions that it is made of, or None for a network that no search made.
        search: how it was found, or None.
        onnx: whether ``model.onnx`` lies beside the card.
        versions: of the packages that made it.
        task: what it does with an image.
    """

    name: str
    data: DataFacts
    costs: Mapping[str, int]
    accuracy: Accuracy
    seed: int
    dtype: str = "int8"
    budget: Budget | None = None
    architecture: Architecture | None = None
    search: SearchFacts | None = None
    onnx: bool = True
    versions: Mapping[str, str] = field(default_factory=installed_versions)
    task: Task = CLASSIFICATION

    @property
    def verdict(self) -> Verdict | None:
        """The costs held against the budget, or None without limits."""
        return self.budget.check(self.costs) if self.budget else None

    @property
    def test_interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the test score, or None where it is not known."""
        given, test, images = self.accuracy.test_interval, self.accuracy.test, self.data.test
        if given is not None or test is None or not images or self.task != CLASSIFICATION:
            return given
        return wilson_interval(test, images)

    def to_dict(self) -> dict[str, Any]:
        """Give the card as plain JSON values, with a format number."""
        verdict = self.verdict
        return {
            "format": FORMAT,
            "name": self.name,
            "task": self.task.name,
            "data": _plain({**asdict(self.data), "kind": self.data.kind.name}),
            "costs": dict(self.costs),
            "dtype": self.dtype,
            "budget": None if self.budget is None else self.budget.to_dict(),
            "verdict": None if verdict is None else verdict.to_dict(),
            "accuracy": {
                "validation": self.accuracy.validation,
                "test": self.accuracy.test,
                "test_interval": _plain(self.test_interval),
                "spreads": {label: list(values) for label, values in self.accuracy.spreads.items()},
                **self.accuracy.further,
            },
            "seed": self.seed,
            "architecture": None if self.architecture is None else self.architecture.to_dict(),
            "search": None if self.search is None else _plain(asdict(self.search)),
            "onnx": self.onnx,
            "versions": dict(self.versions),
        }


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON would have them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def write_card(folder: str | Path, card: Card) -> None:
    """Write ``card.md`` and ``card.json``.

    Args:
        folder: of the bundle that the card describes.
        card: the facts.

    Raises:
        ExportError: if the folder cannot be written.
    """
    with staged(folder) as draft:
        (draft / CARD_FILE).write_text(model_card(card), encoding="utf-8")
        text = json.dumps(card.to_dict(), indent=1, ensure_ascii=False)
        (draft / FACTS_FILE).write_text(text + "\n", encoding="utf-8")


# --------------------------------------------------------------------------------------------- Markdown


def model_card(card: Card) -> str:
    """Write a card as Markdown; its code runs in the folder of the card."""
    sections = [
        f"# {card.name}",
        _summary(card),
        "## Use",
        *_use(card),
        "## Input",
        _input(card),
        *_front_end(card.data),
        f"## {card.task.noun[0].upper()}{card.task.noun[1:]}",
        *_accuracy(card),
        "## Cost",
        *_cost(card),
        "## Data",
        _data(card.data),
    ]
    if card.search is not None or card.architecture is not None:
        sections += ["## Search", *_search(card)]
    sections += ["## Made with", _table(("what", "value"), [("seed", card.seed), *card.versions.items()])]
    return "\n\n".join(sections) + "\n"


def _summary(card: Card) -> str:
    channels, height, width = card.data.input_shape
    kind, classes = card.data.kind, len(card.data.classes)
    grid = f"{width} {kind.grid}" if kind is WINDOWS else f"{height} x {width} {kind.grid}"
    what = (
        f"{kind.classifier} for {classes} classes at {grid}"
        if card.task == CLASSIFICATION
        else f"A network that tells for each pixel which of {classes} classes it is of, at {grid}"
    )
    text = f"{what}, {channels} {'channel' if channels == 1 else 'channels'}, made by netwright. "
    verdict = card.verdict
    if card.budget is None or verdict is None:
        return text + "It was made without a budget."
    target = "the limits given by hand" if card.budget.device is None else card.budget.device
    return text + (f"It fits {target}." if verdict.fits else f"**It does not fit {target}.**")


def _axes(kind: Kind) -> str:
    """What the last two axes are."""
    return {WINDOWS: "1, samples", CLIPS: "bands, frames"}.get(kind, "height, width")


def _use(card: Card) -> list[str]:
    channels, height, width = card.data.input_shape
    kind = card.data.kind
    prepare = [
        f"classes = {list(card.data.classes)!r}",
        f"mean = np.array({[float(value) for value in card.data.mean]}).reshape(-1, 1, 1)",
        f"std = np.array({[float(value) for value in card.data.std]}).reshape(-1, 1, 1)",
        f"# Your {kind.items}: batch, channels, {_axes(kind)}.",
        f"{kind.value}s = np.zeros((1, {channels}, {height}, {width}))",
        f"x = (({kind.value}s - mean) / std).astype(np.float32)",
    ]
    torch_lines = [
        "import netwright",
        "import numpy as np",
        "import torch",
        "",
        *prepare,
        'network = netwright.load(".")  # the folder of this card',
        "with torch.no_grad():",
        "    logits = network(torch.from_numpy(x)).numpy()",
        *_answer(card),
    ]
    parts = ["With torch and netwright; nothing of the search is needed:", _code(torch_lines)]
    if not card.onnx:
        return parts
    onnx_lines = [
        "import numpy as np",
        "import onnxruntime",
        "",
        *prepare,
        f'session = onnxruntime.InferenceSession("{ONNX_NAME}", providers=["CPUExecutionProvider"])',
        '(logits,) = session.run(["logits"], {"input": x})',
        *_answer(card),
    ]
    return [*parts, "With onnxruntime alone:", _code(onnx_lines)]


def _answer(card: Card) -> list[str]:
    """Code that prints what the logits say."""
    if card.task == CLASSIFICATION:
        return ["print(classes[int(logits[0].argmax())])"]
    return [
        "labels = logits[0].argmax(0)  # of each pixel: height, width",
        "print([classes[label] for label in np.unique(labels)])",
    ]


def _code(lines: list[str]) -> str:
    return "\n".join(["```python", *lines, "```"])


def _input(card: Card) -> str:
    data = card.data
    channels, height, width = data.input_shape
    low, high = data.pixel_range
    kind = data.kind
    other = f"resized to {height} x {width}, {data.resize}"
    if kind is WINDOWS:
        other = f"not taken: cut or resample them to {width} samples"
    if kind is CLIPS:
        other = "any length will do, see the front end"
    grid = " x ".join(map(str, data.label_shape))
    where = f" at each of {grid} {card.task.item}s" if data.label_shape else ""
    rows = [
        ("shape", f"(batch, {channels}, {height}, {width}), float32"),
        ("channel order", data.channel_order),
        (f"{kind.value}s before normalisation", f"{low:g} to {high:g}"),
        (f"{kind.items} of another size", other),
        ("normalisation", f"({kind.value} - mean) / std, channel by channel"),
        ("mean", ", ".join(f"{value:.6g}" for value in data.mean)),
        ("std", ", ".join(f"{value:.6g}" for value in data.std)),
        ("output", f"logits of {len(data.classes)} classes{where}: {', '.join(data.classes)}"),
    ]
    return _table(("what", "value"), rows)


def _front_end(data: DataFacts) -> list[str]:
    """How sound becomes the values, so that a device can do the same."""
    settings = data.front_end
    if settings is None:
        return []
    samples = LogMel(**settings).samples  # type: ignore[arg-type]
    steps = [
        f"Take the middle {samples} samples of a longer clip, put zeros around a shorter one, and divide by "
        "the largest absolute value, at least 1e-4 of the full scale.",
        "Frame t is the window of samples from t * hop on, times the periodic Hann window "
        "0.5 - 0.5 cos(2 pi n / window).",
        "Power of bin k: (2 |X[k]| / sum of the Hann window)^2, X the transform of the frame, padded with "
        "zeros to n_fft samples.",
        "bands + 2 points at equal distances in mel, 2595 log10(1 + f / 700), from low to high; band m rises "
        "linearly in Hz from 0 at point m to 1 at point m + 1 and falls to 0 at point m + 2.",
        "Value of band m in frame t: ln(max(sum over k of weight[m, k] * power[k, t], floor)).",
    ]
    code = [
        "import numpy as np",
        "from netwright.nn.audio import LogMel, log_mel",
        "",
        f"settings = LogMel(**{dict(settings)!r})",
        f"clip = np.zeros({samples}, dtype=np.int16)  # yours, at {settings['rate']} samples a second",
        "values = log_mel([clip], settings)",
    ]
    return [
        "## Front end",
        "What the network takes is made from sound by these steps:",
        "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1)),
        _table(("setting", "value"), list(settings.items())),
        "The same in Python:",
        _code(code),
    ]


def _accuracy(card: Card) -> list[str]:
    accuracy = card.accuracy
    rows = [("validation", _percent(accuracy.validation), "chose this network, so it flatters")]
    if accuracy.test is not None:
        note = "measured once"
        if card.test_interval is not None:
            low, high = card.test_interval
            counted = "" if card.data.test is None else f" for {card.data.test} {card.data.kind.items}"
            note += f"; 95 % interval{counted}: {_percent(low)} to {_percent(high)}"
        rows.append(("test", _percent(accuracy.test), note))
    for name, share in accuracy.further.items():
        rows.append((name.replace("_", " "), _percent(share), ""))
    for label, values in accuracy.spreads.items():
        rows.append((label, _spread(values), ", ".join(_percent(value) for value in values)))
    return [_table((card.data.kind.items, card.task.noun, "note"), rows)]


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _spread(values: tuple[float, ...]) -> str:
    """Mean and, for two or more, the standard deviation of a sample."""
    if not values:
        return "none"
    deviation = f" ± {100 * stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * fmean(values):.2f}{deviation} %"


def _cost(card: Card) -> list[str]:
    rows = [(metric, format_cost(metric, value, exact=False), value) for metric, value in card.costs.items()]
    parts = [
        f"Bytes are those of {card.dtype} numbers on the device; the files here hold float32.",
        _table(("metric", "value", "exactly"), rows),
    ]
    verdict = card.verdict
    if card.budget is None or verdict is None:
        return [*parts, "No budget was given."]
    lines = [("fits: " if row.fits else "DOES NOT FIT: ") + row.explain() for row in verdict.rows]
    return [
        *parts,
        "Against the budget:",
        _list(lines),
        "Where the limits come from:",
        _list(card.budget.explain()),
    ]


def _data(data: DataFacts) -> str:
    rows: list[tuple[str, Any]] = [("name", data.name), ("sha256 of the content", data.fingerprint)]
    for label, count in (
        ("trained on", data.train),
        ("validated on", data.validation),
        ("tested on", data.test),
    ):
        if count is not None:
            rows.append((label, f"{count} {data.kind.items}"))
    rows += [("note", note) for note in data.notes]
    return _table(("what", "value"), rows)


def _search(card: Card) -> list[str]:
    rows: list[tuple[str, Any]] = []
    if card.search is not None:
        found = card.search
        rows += [("space", found.space), ("strategy", found.strategy)]
        rows += [("architectures in the space", found.size)] if found.size is not None else []
        rows += [("of these within the budget", found.fitting)] if found.fitting is not None else []
        rows.append(("trials", f"{found.trials}, {found.failed} of them failed"))
        rows += [("wall time", f"{found.seconds:.0f} s")] if found.seconds is not None else []
        rows += list(found.settings.items())
    parts = [_table(("what", "value"), rows)] if rows else []
    if card.architecture is not None:
        parts += ["The architecture:", _table(("decision", "choice"), list(card.architecture))]
    return parts


def _table(header: tuple[str, ...], rows: list[Any]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: object) -> str:
    """Text that cannot end its cell or its line."""
    return " ".join(str(value).replace("|", "\\|").split())


def _list(items: list[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
