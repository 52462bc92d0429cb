"""How to do a job again: the command of a search, or the call where it was given objects."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from typing import Any

import yaml

from netwright.pipeline.config import SearchConfig


def command_line(config: SearchConfig) -> str:
    """The command that repeats a job: what differs from the defaults.

    >>> command_line(SearchConfig(data="digits", out="runs/digits", trials=8, options={"population": 4}))
    'netwright search --data digits --out runs/digits --option population=4 --trials 8'
    """
    words = ["netwright", "search"]
    for name, value in _given(config).items():
        if name == "options":
            for option, setting in value.items():
                words += _option("option", f"{option}={_word(setting)}")
        elif isinstance(value, tuple):
            for item in value:
                words += _option(name.replace("_", "-"), str(item))
        elif value is True:
            words.append(f"--{name.replace('_', '-')}")
        else:
            words += _option(name.replace("_", "-"), str(value))
    return shlex.join(words)


def python_call(config: SearchConfig, objects: Mapping[str, str]) -> str:
    """The Python call that repeats a job which was given data or a space as objects.

    Args:
        config: the settings.
        objects: what stands for an object, by the name of its setting.

    >>> config = SearchConfig(data="dataset", out="runs/mine", space="mine", trials=8)
    >>> python_call(config, {"data": "<dataset>"})
    "netwright.search(<dataset>, 'runs/mine', space='mine', trials=8)"
    """
    given = {"space": config.space, **_given(config)} if "space" in objects else _given(config)
    words = {name: objects.get(name, repr(value)) for name, value in given.items()}
    first = [words.pop("data"), repr(str(config.out))]
    del words["out"]
    return f"netwright.search({', '.join([*first, *(f'{name}={word}' for name, word in words.items())])})"


def _given(config: SearchConfig) -> dict[str, Any]:
    """The settings that differ from the defaults."""
    default = {name: field.get_default(call_default_factory=True) for name, field in _fields()}
    values = {name: getattr(config, name) for name, _ in _fields()}
    return {name: value for name, value in values.items() if value != default[name]}


def _fields() -> list[tuple[str, Any]]:
    return list(SearchConfig.model_fields.items())


def _option(name: str, value: str) -> list[str]:
    # A value that begins like an option would be taken for one.
    return [f"--{name}={value}"] if value.startswith("-") else [f"--{name}", value]


def _word(setting: Any) -> str:
    """A setting as YAML in one line, which is how the command line reads it."""
    text = yaml.safe_dump(setting, default_flow_style=True, width=math.inf)
    return text.removesuffix("\n").removesuffix("\n...")
