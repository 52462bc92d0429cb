from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from netwright.cli.main import main
from netwright.pipeline import SearchConfig, SearchOutcome, make_config
from netwright.pipeline.command import command_line, python_call

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
OPTIONS = st.one_of(
    st.integers(-(10**6), 10**6), st.booleans(), TEXTS, st.floats(allow_nan=False), st.lists(st.integers())
)
SHARES = st.floats(0.01, 0.99)
SETTINGS = st.fixed_dictionaries(
    {
        "data": TEXTS,
        "out": TEXTS.map(lambda text: f"runs/{text.replace('/', '')}x"),
    },
    optional={
        "device": st.sampled_from(["nrf52840", "stm32f746"]),
        "max_sram": st.sampled_from(["64KB", "1.5 MB", "65536"]),
        "max_macs": st.sampled_from(["2M", "300k"]),
        "space": TEXTS,
        "strategy": TEXTS,
        "options": st.dictionaries(
            st.text(st.characters(categories=["Ll"]), min_size=1), OPTIONS, min_size=1, max_size=3
        ),
        "trials": st.integers(1, 100),
        "minutes": st.floats(1e-6, 1e6),
        "workers": st.integers(1, 64),
        "threads": st.integers(1, 64),
        "lag": st.integers(1, 64),
        "seed": st.integers(0, 2**63),
        "fidelity": SHARES,
        "epochs": st.integers(1, 500),
        "batch_size": st.integers(2, 4096),
        "learning_rate": st.floats(1e-9, 1e9),
        "top": st.integers(1, 9),
        "validation": SHARES,
        "augmentation": TEXTS,
        "label_smoothing": st.floats(0, 0.99),
        "precision": st.sampled_from(["float32", "bfloat16"]),
        "class_weights": st.booleans(),
        "accelerator": st.sampled_from(["auto", "cpu", "cuda"]),
        "memory_limit": st.sampled_from(["4GB", "512 MB"]),
        "timeout": st.floats(0.1, 1e3),
        "storage": st.just("postgresql://me@host/studies?connect timeout=3"),
    },
)


def parsed(command: str) -> SearchConfig:
    """The settings that the command line makes of a command."""
    program, *words = shlex.split(command)
    assert program == "netwright"
    seen: list[SearchConfig] = []

    def run(config: SearchConfig, **_: Any) -> SearchOutcome:
        seen.append(config)
        return SearchOutcome(config, None, False)

    with mock.patch("netwright.pipeline.run", run):
        assert main(words) == 130
    return seen[0]


@given(SETTINGS)
def test_the_command_gives_the_settings_again(settings: dict[str, Any]) -> None:
    config = make_config(settings)
    assert parsed(command_line(config)) == config


def test_only_what_differs_from_the_defaults() -> None:
    config = make_config(
        {"data": "digits", "out": "runs/digits", "seed": 0, "trials": 8, "class_weights": True}
    )
    assert command_line(config) == (
        "netwright search --data digits --out runs/digits --trials 8 --class-weights"
    )


def test_numbers_may_be_numbers() -> None:
    config = make_config({"data": "digits", "out": "a", "max_sram": 65536})
    assert parsed(command_line(config)).max_sram == "65536"


def test_a_python_call_names_what_stands_for_objects() -> None:
    config = make_config({"data": "gestures", "out": "runs/x", "space": "mobilenet-tiny", "minutes": 3})
    text = python_call(config, {"data": "<gestures>", "space": "<mobilenet-tiny>"})
    assert text == "netwright.search(<gestures>, 'runs/x', space=<mobilenet-tiny>, minutes=3.0)"
    marks = {"data": "'gestures'", "space": "'mobilenet-tiny'"}
    arguments: dict[str, Any] = {}

    class Recorder:
        @staticmethod
        def search(data: str, out: str, **settings: Any) -> None:
            arguments.update(data=data, out=out, **settings)

    eval(python_call(config, marks), {"netwright": Recorder})
    assert make_config(arguments) == config
    assert math.isclose(arguments["minutes"], 3.0)
    assert Path(arguments["out"]) == config.out
