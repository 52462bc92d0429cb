"""A finished run directory, read again: network, data, split, normalisation and budget."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from netwright.devices import Budget
from netwright.errors import ConfigError, DataError, NetwrightError, StudyError
from netwright.export import load
from netwright.export.card import FACTS_FILE
from netwright.nn.data import Data, Split, load_data, split
from netwright.nn.lower import Network
from netwright.nn.recipe import Recipe
from netwright.nn.task import CLASSIFICATION, find_task
from netwright.pipeline.outcome import EXPORT, RESULT, read_result


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """What a search left behind.

    Attributes:
        folder: the run directory.
        result: the content of ``result.json``.
        facts: the section ``data`` of the card: normalisation, classes and what else users need.
        network: the exported network, in eval mode on the CPU.
        budget: the limits that were searched under.
    """

    folder: Path
    result: Mapping[str, Any]
    facts: Mapping[str, Any]
    network: Network
    budget: Budget

    @property
    def seed(self) -> int:
        """Seed of the search."""
        return int(self.result["seed"])

    @property
    def recipe(self) -> Recipe:
        """How its finalists were trained."""
        settings = self.result["settings"]["estimator"]
        return Recipe(**{field.name: settings[field.name] for field in fields(Recipe)})

    @property
    def validation_share(self) -> float:
        """Share of the training rows that validated."""
        return float(self.result["settings"]["estimator"]["validation_share"])

    @property
    def split_seed(self) -> int:
        """Seed of the split."""
        return int(self.result["settings"]["estimator"]["split_seed"])


def read_run(folder: Path) -> FinishedRun:
    """Read a run directory of ``netwright search``.

    Raises:
        ConfigError: if there is no such directory, or the run labels pixels.
        StudyError: if the search is not finished, or a file of it is damaged.
        ExportError: if the exported network is missing or damaged.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"deploy: {folder}: expected the run directory of a search, found none; give --out of it"
        )
    result = read_result(folder)
    if result is None:
        raise StudyError(
            f"deploy: {folder}: expected a finished search, found no {RESULT}; run its `netwright search` "
            "command to the end first"
        )
    task = find_task(result.get("task", CLASSIFICATION.name))
    if task != CLASSIFICATION:
        raise ConfigError(
            f"deploy: {folder}: expected a search for {CLASSIFICATION.name}, got one for {task.name}, which "
            "this version cannot deploy; netwright.export.tflite.convert makes the file alone"
        )
    path = folder / EXPORT / FACTS_FILE
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))["data"]
        budget = Budget.from_dict(result["budget"])
        run = FinishedRun(folder, result, facts, load(folder / EXPORT), budget)
        _ = run.seed, run.recipe, run.split_seed, run.validation_share
        _ = facts["mean"], facts["std"], facts["classes"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, NetwrightError):
            raise
        raise StudyError(
            f"deploy: {path.parent}: expected the export of a finished search "
            f"({type(error).__name__}: {error}); delete {folder / RESULT} and run the `netwright search` "
            "command again, which writes it anew"
        ) from None
    return run


def load_again(run: FinishedRun, data: Any = None) -> tuple[Data, Split]:
    """The data of a run, and its own split of them.

    Args:
        run: the run.
        data: what ``load_data`` takes; None loads them by the name that the search was given.

    Raises:
        DataError: if they cannot be loaded, or are not those of the run.
    """
    name = run.result["data"]["name"]
    if data is None:
        try:
            found = load_data(name)
        except DataError as error:
            raise DataError(
                f"deploy: {run.folder}: the data {name!r} of this run cannot be loaded again by name "
                f"({error}); pass them: netwright.deploy({str(run.folder)!r}, data=...)"
            ) from None
    else:
        found = load_data(data)
    expected = run.result["data"]["fingerprint"]
    if found.fingerprint != expected:
        raise DataError(
            f"deploy: {found.name}: expected the data that were searched on (fingerprint {expected[:12]}), "
            f"got others ({found.fingerprint[:12]}); pass those: "
            f"netwright.deploy({str(run.folder)!r}, data=...)"
        )
    return found, split(found, run.validation_share, run.split_seed)
