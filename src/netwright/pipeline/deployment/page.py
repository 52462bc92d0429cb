"""``deploy.md``: what was deployed, in words, with the facts of ``deploy.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netwright.devices import Budget, Verdict
from netwright.nn.kind import IMAGES, find_kind

_MEANINGS = {
    "head_bytes": "head: activations, planned by the interpreter",
    "tail_bytes": "tail: structures of the interpreter on a 64-bit computer",
    "arena_bytes": "arena: head and tail",
    "flash_bytes": "model file",
}


def page(facts: Mapping[str, Any]) -> str:
    """Write the page.

    Args:
        facts: the content of ``deploy.json``.
    """
    sections = [
        "# The network as int8 for TensorFlow Lite Micro",
        _summary(facts),
        "## Budget",
        *_budget(facts),
        "## Memory",
        *_memory(facts),
        "## Accuracy",
        *_accuracy(facts),
        "## Input and output",
        *_ends(facts),
        "## Calibration",
        _calibration(facts),
        *([] if facts["fine_tuning"] is None else ["## Fine-tuning", _fine_tuning(facts)]),
        *([] if facts["npu"] is None else ["## NPU", *_npu(facts["npu"])]),
        "## Files",
        _FILES,
        "## Made with",
        _table(("package", "version"), list(facts["versions"].items())),
    ]
    return "\n\n".join(sections) + "\n"


def _summary(facts: Mapping[str, Any]) -> str:
    device = facts["device"]
    target = "the limits given by hand" if device is None else device
    if not facts["verdict"]["rows"]:
        fit = "No budget was given."
    elif facts["fits"]:
        fit = f"It fits {target}, by what was measured."
    else:
        fit = f"**It does not fit {target}**, by what was measured."
    return (
        f"The best network of a search on {facts['run']['data']['name']}, with int8 input, output, weights "
        f"and activations, maps as (1, height, width, channels). {fit}"
    )


def _budget(facts: Mapping[str, Any]) -> list[str]:
    verdict = Verdict.from_dict(facts["verdict"])
    if not verdict.rows:
        return ["No limits."]
    lines = [("fits: " if row.fits else "DOES NOT FIT: ") + row.explain() for row in verdict.rows]
    return [
        "Head, arena and file are those that were measured, with the tail of a 64-bit computer:",
        _list(lines),
        "Where the limits come from:",
        _list(Budget.from_dict(facts["budget"]).explain()),
    ]


def _memory(facts: Mapping[str, Any]) -> list[str]:
    predicted, measured, found = facts["predicted"], facts["measured"], facts["interpreter"]
    rows = [
        (meaning, f"{predicted[name]:,}", f"{measured[name]:,}", f"{facts['differences'][name]:+,}")
        for name, meaning in _MEANINGS.items()
    ]
    parts = [
        _table(("bytes", "predicted", "measured", "difference"), rows),
        f"Measured by the interpreter of tflite-micro {found['version']}; predicted from the network alone, "
        f"for the structures of {found['predicted_for']}.",
        f"On a 32-bit microcontroller the structures are smaller: the model of their sizes gives a tail of "
        f"{predicted['tail_bytes_mcu32']:,} bytes and an arena of {predicted['arena_bytes_mcu32']:,} bytes. "
        "These two are modelled, not measured; nothing is judged by them.",
        f"The smallest arena with which the interpreter starts on this computer is "
        f"{measured['smallest_arena_bytes']:,} bytes ({predicted['smallest_arena_bytes']:,} were predicted), "
        "which the C header takes and the verdict is by. Where it is more than the arena above, it is memory "
        "for planning that is given back.",
    ]
    before = facts["order"]["head_bytes_as_defined"]
    if before > predicted["head_bytes"]:
        parts.append(
            "The operators run in another order than that of definition, which would need a head of "
            f"{before:,} bytes."
        )
    return parts


def _accuracy(facts: Mapping[str, Any]) -> list[str]:
    shares = facts["accuracy"]
    rows = [
        ("torch, float32", _percent(shares["float"])),
        ("TensorFlow Lite Micro, int8", _percent(shares["int8_tflm"])),
        ("LiteRT, int8", _percent(shares["int8_litert"])),
    ]
    lost = 100 * (shares["float"] - shares["int8_tflm"])
    return [
        _table((f"{facts['test_images']:,} test {_rows(facts)}", "accuracy"), rows),
        f"int8 loses {lost:.2f} points against float. Both interpreters give {_percent(facts['agreement'])} "
        f"of the {_rows(facts)} one label, TensorFlow Lite Micro and torch "
        f"{_percent(facts['float_agreement'])}.",
    ]


def _ends(facts: Mapping[str, Any]) -> list[str]:
    source, target = facts["input"], facts["output"]
    low, high = source["pixel_range"]
    resized = f", {source['resize']}" if source["kind"] == IMAGES.name else ""
    rows = [
        ("input", f"int8, {_by(source['shape'])}: batch, height, width, channels"),
        ("kind of data", source["kind"]),
        ("data before normalisation", f"{low:g} to {high:g}, {source['channel_order']}{resized}"),
        ("normalisation", "value = (datum - mean) / std, channel by channel"),
        ("mean", _numbers(source["mean"])),
        ("std", _numbers(source["std"])),
        ("scale and zero point of the input", f"{source['scale']!r}, {source['zero_point']}"),
        ("int8 of a value", "round(value / scale) + zero point, at least -128, at most 127"),
        ("output", f"int8, {_by(target['shape'])}: {', '.join(target['classes'])}"),
        ("scale and zero point of the output", f"{target['scale']!r}, {target['zero_point']}"),
        ("label", "the place of the largest output"),
    ]
    parts = [_table(("what", "value"), rows)]
    if source["front_end"] is not None:
        settings = ", ".join(f"{name} {value}" for name, value in source["front_end"].items())
        parts.append(
            "The data are made from sound by the front end whose steps are in `card.md` of the search's "
            f"export, with these settings: {settings}."
        )
    return parts


def _calibration(facts: Mapping[str, Any]) -> str:
    found = facts["calibration"]
    return (
        f"The ranges of int8 are the {found['method']} over {found['images']:,} {_rows(facts)}, drawn with "
        f"seed {found['seed']} from the {found['of_training_images']:,} that the network was trained on; "
        "none validated or tests. `deploy.json` lists their rows."
    )


def _fine_tuning(facts: Mapping[str, Any]) -> str:
    found, items = facts["fine_tuning"], _rows(facts)
    measured = (
        f"On the {items} that validate, float gives {_percent(found['float_accuracy'])} and int8 "
        f"{_percent(found['before'])}"
    )
    if found["after"] is None:
        return f"{measured}: too little is lost for training on with int8's rounding."
    kept = "This file is the fine-tuned one." if found["kept"] else "That is no better, so it was not kept."
    return (
        f"{measured}. Trained on with int8's rounding, {found['epochs']} epochs at a learning rate of "
        f"{found['learning_rate']:g}, int8 gives {_percent(found['after'])}. {kept}"
    )


def _npu(found: Mapping[str, Any]) -> list[str]:
    target, left = found["target"], found["cpu_operators"]
    rows = [
        ("accelerator", target["accelerator"]),
        (
            "system, memory mode, file",
            f"{target['system_config']}, {target['memory_mode']}, {target['config']}",
        ),
        ("SRAM", f"{found['sram_bytes']:,} bytes"),
        ("flash", f"{found['flash_bytes']:,} bytes"),
        ("DRAM", f"{found['dram_bytes']:,} bytes"),
        ("cycles", f"{found['cycles']:,}"),
        ("time", f"{found['milliseconds']:.3f} ms"),
        ("operators on the NPU", f"{found['npu_operators']}"),
        ("operators left to the CPU", ", ".join(left) or "none"),
    ]
    return ["Estimated by Arm's compiler vela, not measured:", _table(("what", "value"), rows)]


_FILES = """\
- `model.tflite`: the network
- `run.py`: runs it with tflite-micro and numpy alone: `python run.py model.tflite images.npy outputs.npy`
- `model.c`, `model.h`: the same as a C array, with sizes, scales and zero points
- `main.cc`: a minimal program for TensorFlow Lite Micro, which checks itself with one image
- `deploy.json`: all figures of this page"""


def _rows(facts: Mapping[str, Any]) -> str:
    """What the data consist of, in words."""
    return find_kind(facts["input"]["kind"]).items


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
