"""The settings of the main job, from Python, the command line or a YAML file."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from netwright.errors import ConfigError
from netwright.nn.kind import CLIPS, IMAGES, WINDOWS, Kind
from netwright.nn.task import CLASSIFICATION, SEGMENTATION, find_task

DEFAULT_TRIALS = 16

DEFAULT_STRATEGY = "auto"
"""What searches unless it is said."""

SEVERAL_STRATEGY = "nsga2"
"""The same with several objectives."""

DEFAULT_SPACES = {CLASSIFICATION.name: "mobilenet-tiny", SEGMENTATION.name: "auto-deeplab-tiny"}
"""Where it searches images unless it is said, by task."""

SIGNAL_SPACES = {WINDOWS.name: "conv1d-tiny", CLIPS.name: "spectrogram-tiny"}
"""Where it searches other kinds of data unless it is said."""


class SearchConfig(BaseModel):
    """Everything that ``search`` can be told; a YAML file has the same names.

    Attributes:
        data: what ``netwright.nn.data.load_data`` takes, such as ``digits``, ``npz:PATH`` or ``audio:PATH``.
        out: run directory.
        task: what the data are for: ``classification`` of images, or ``segmentation``, which labels pixels.
        device: name of a device, whose SRAM and flash are limits.
        max_sram: SRAM of the device, such as ``64KB``; replaces the device's.
        max_flash: flash, likewise.
        max_macs: limit on multiply-accumulates, such as ``2M``.
        max_params: limit on parameters, such as ``60k``.
        max_latency: limit on the time of one pass, such as ``20ms``, by the latency table.
        latency_table: files that ``netwright.devices.load_latency`` reads.
        sram_margin: share of the SRAM kept for the program, in place of the built-in rule.
        flash_margin: the same for flash.
        max_head: limit on the planned activations of TensorFlow Lite Micro, such as ``16KB``.
        max_arena: limit on the tensor arena, in place of a part of the SRAM.
        max_file: limit on the model file, in place of a part of the flash.
        space: name of a space or a file of one, see ``netwright.spaces``; chosen by task and kind of data.
        objectives: ``accuracy`` and perhaps some of macs, params, flash, sram, latency.
        strategy: name of a search strategy; chosen by the number of objectives.
        options: options of the strategy.
        trials: number of trials; 16 unless ``minutes`` is given.
        minutes: time for the search; the final trainings come on top.
        workers: trials at a time; as many as there are cores for, at most the lag.
        threads: CPU threads of each training; they belong to the study, whose last bits depend on them.
        lag: proposal k knows the results of proposals 0 to k - lag.
        seed: seed of everything.
        fidelity: share of the full training that a trial gets; chosen by the size of the data.
        epochs: epochs of a full training; chosen by the size of the data.
        batch_size: images a step; chosen by the size of the data.
        learning_rate: the peak of the schedule; chosen by the size of the data.
        top: number of architectures that are trained in full; with several objectives, of the Pareto front.
        validation: share of the training rows that validates; chosen by the size of the data.
        augmentation: name of an augmentation, in place of the one that suits the data.
        label_smoothing: share of the target that is spread over all classes; chosen by the data.
        precision: ``float32`` or ``bfloat16``, see ``netwright.nn.recipe.Recipe``.
        class_weights: whether rare classes weigh more in the loss.
        accelerator: ``cpu``, ``cuda``, ``mps`` or ``auto``.
        memory_limit: memory that one trial may use, such as ``4GB``.
        timeout: minutes after which a trial is ended.
        storage: URL of a database, in place of ``study.db`` in the run directory.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str
    out: Path
    task: str = CLASSIFICATION.name
    device: str | None = None
    max_sram: str | int | None = None
    max_flash: str | int | None = None
    max_macs: str | int | None = None
    max_params: str | int | None = None
    max_latency: str | int | None = None
    latency_table: tuple[str, ...] | str | None = None
    sram_margin: float | None = None
    flash_margin: float | None = None
    max_head: str | int | None = None
    max_arena: str | int | None = None
    max_file: str | int | None = None
    space: str | None = None
    objectives: str = "accuracy"
    strategy: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    trials: int | None = Field(default=None, ge=1)
    minutes: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    workers: int | None = Field(default=None, ge=1)
    threads: int = Field(default=1, ge=1)
    lag: int = Field(default=4, ge=1)
    seed: int = Field(default=0, ge=0)
    fidelity: float | None = Field(default=None, gt=0, le=1)
    epochs: int | None = Field(default=None, ge=1)
    batch_size: int | None = Field(default=None, ge=2)
    learning_rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    top: int = Field(default=3, ge=1)
    validation: float | None = Field(default=None, gt=0, lt=1)
    augmentation: str | None = None
    label_smoothing: float | None = Field(default=None, ge=0, lt=1)
    precision: str | None = None
    class_weights: bool = False
    accelerator: str = "auto"
    memory_limit: str | int | None = None
    timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    storage: str | None = None

    @field_validator("out")
    @classmethod
    def _at_home(cls, out: Path) -> Path:
        """``~`` is the home directory, as in a shell, which reads neither YAML nor Python."""
        return out.expanduser()

    @field_validator("objectives", mode="before")
    @classmethod
    def _with_commas(cls, objectives: Any) -> Any:
        """A list will do, as YAML has it."""
        if isinstance(objectives, list | tuple) and all(isinstance(name, str) for name in objectives):
            return ",".join(objectives)
        return objectives

    @property
    def space_name(self) -> str:
        """Name or file of the space for images, chosen if none is given.

        Raises:
            ConfigError: if there is no such task.
        """
        return self.space_for(IMAGES)

    def space_for(self, kind: Kind) -> str:
        """Name or file of the space for a kind of data, chosen if none is given.

        Raises:
            ConfigError: if there is no such task.
        """
        if self.space is not None:
            return self.space
        by_task = DEFAULT_SPACES[find_task(self.task).name]
        return SIGNAL_SPACES.get(kind.name, by_task) if self.task == CLASSIFICATION.name else by_task

    @property
    def strategy_name(self) -> str:
        """Name of the strategy, chosen if none is given."""
        if self.strategy is not None:
            return self.strategy
        return SEVERAL_STRATEGY if "," in self.objectives else DEFAULT_STRATEGY

    @property
    def trial_limit(self) -> int | None:
        """Number of trials, or None where only the time is limited."""
        return DEFAULT_TRIALS if self.trials is None and self.minutes is None else self.trials

    @property
    def worker_count(self) -> int:
        """Trials at a time."""
        if self.workers is not None:
            return self.workers
        return max(1, min((os.cpu_count() or 1) // self.threads, self.lag))


def make_config(values: dict[str, Any], where: str = "search") -> SearchConfig:
    """Check settings.

    Args:
        values: settings by name.
        where: where they come from, for the message.

    Raises:
        ConfigError: one line that names the first wrong setting, what was expected and what was got.
    """
    try:
        return SearchConfig(**values)
    except ValidationError as error:
        # ``from None``: pydantic's own account of it has many lines and tells no more.
        raise ConfigError(f"{where}: {_first_fault(error)}") from None
    except TypeError:
        names = [name for name in values if not isinstance(name, str)]
        raise ConfigError(f"{where}: expected names of settings, got {names[0]!r}") from None


def _first_fault(error: ValidationError) -> str:
    faults = error.errors(include_url=False)
    first = faults[0]
    name, got = str(first["loc"][0]), first["input"]
    known = list(SearchConfig.model_fields)
    if first["type"] == "extra_forbidden":
        close = get_close_matches(name.replace("-", "_"), known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"expected some of {', '.join(known)}"
        return f"unknown setting {name!r}; {hint}"
    if first["type"] == "missing":
        return f"the setting {name!r} is missing; give it"
    if sum(fault["loc"][0] == name for fault in faults) > 1:  # neither of the types that it may have
        return f"{name}: expected a number or a text such as '64KB', got {got!r}"
    kind = next((kind for kind in _KINDS if first["type"].startswith(kind)), None)
    expected = first["msg"] if kind is None else _KINDS[kind].format(**first.get("ctx", {}))
    return f"{name}: expected {expected}, got {got!r}"


_KINDS = {
    "greater_than_equal": "at least {ge:g}",
    "greater_than": "more than {gt:g}",
    "less_than_equal": "at most {le:g}",
    "less_than": "less than {lt:g}",
    "int_": "a whole number",
    "float_": "a number",
    "finite_number": "a finite number",
    "bool_": "true or false",
    "string_type": "a text",
    "path_type": "a path",
    "dict_type": "a mapping of names to values",
}
"""What pydantic's types of error expect, by how they begin."""


def read_config(path: Path, overrides: dict[str, Any]) -> SearchConfig:
    """Read settings from a YAML file.

    Paths in it are relative to the working directory, as on the command line.

    Args:
        path: the file: a mapping of setting to value.
        overrides: settings that replace those of the file; of ``options`` only those that it names.

    Raises:
        ConfigError: if the file cannot be read, is no such mapping, or a setting is wrong.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: expected a YAML file that can be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        detail = " ".join(str(error).split())
        raise ConfigError(
            f"{path}: expected YAML, a line for each setting such as 'trials: 40' ({detail})"
        ) from None
    if not isinstance(values, dict):
        got = "nothing" if values is None else repr(values)
        raise ConfigError(f"{path}: expected a mapping of settings, such as 'data: digits', got {got}")
    merged = {**values, **overrides}
    if isinstance(values.get("options"), dict) and "options" in overrides:
        merged["options"] = {**values["options"], **overrides["options"]}
    return make_config(merged, str(path))
