"""What makes two searches the same search: the settings that a study keeps and insists on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from netwright.errors import ConfigError, StudyError
from netwright.trial import Metric, Objectives

FORMAT = 1
"""Version of what this package writes into an Optuna study; raised when older code could misread it."""

SEVERAL = 2
"""The same of a study with several objectives, which the first versions could not read."""


@dataclass(frozen=True, slots=True)
class StudySettings:
    """Everything that the history of a search depends on.

    The number of trials, the time, the number of workers are not among them: they may change from call to
    call.

    Attributes:
        space: id of the search space.
        objective: the metric that is optimised; of several, the one that a single best trial is told by.
        strategy: name of the strategy.
        seed: seed of the search; every random draw derives from it.
        lag: proposal k is made from the results of proposals 0 to k - lag, so up to ``lag`` trials can run at
            once and any number of workers up to it gives the same study.
        budget: upper limits on costs, inclusive, by name.
        options: options of the strategy, as JSON values.
        estimator: whatever of the estimator changes its results (epochs, batch size ...), as JSON values.
        data: fingerprint of the data, or None where there are none.
        further: the other objectives, in case there are several: metrics of the estimator, or costs.
    """

    space: str
    objective: Metric
    strategy: str
    seed: int
    lag: int = 4
    budget: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    estimator: Mapping[str, Any] = field(default_factory=dict)
    data: str | None = None
    further: Objectives = ()

    def __post_init__(self) -> None:
        names = [objective.name for objective in self.objectives]
        if len(set(names)) < len(names):
            raise ConfigError(f"objectives: expected each once, got {', '.join(names)}")
        if self.lag < 1:
            raise ConfigError(f"lag: expected 1 or more, got {self.lag}")

    @property
    def objectives(self) -> Objectives:
        """All objectives, the one that a single best trial is told by first."""
        return (self.objective, *self.further)

    def to_dict(self) -> dict[str, Any]:
        """Give the settings as plain JSON values.

        Raises:
            ConfigError: if an option cannot be written as JSON.
        """
        data = {
            "format": SEVERAL if self.further else FORMAT,
            "space": self.space,
            "objective": _plain(self.objective),
            # With one objective everything is as it was before there could be several.
            **({"further": [_plain(objective) for objective in self.further]} if self.further else {}),
            "strategy": self.strategy,
            "seed": self.seed,
            "lag": self.lag,
            "budget": dict(self.budget),
            "options": dict(self.options),
            "estimator": dict(self.estimator),
            "data": self.data,
        }
        try:
            plain: dict[str, Any] = json.loads(json.dumps(data))
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"study settings: expected numbers, words, lists and mappings, got {data} ({error})"
            ) from None
        return plain

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> StudySettings:
        """Read what ``to_dict`` gave.

        Raises:
            StudyError: if it was written by a later version of netwright.
        """
        require_format(data)
        fields = {
            name: value for name, value in data.items() if name not in ("format", "objective", "further")
        }
        further = tuple(Metric(**metric) for metric in data.get("further", ()))
        return StudySettings(objective=Metric(**data["objective"]), further=further, **fields)


def _plain(metric: Metric) -> dict[str, str]:
    return {"name": metric.name, "unit": metric.unit, "direction": metric.direction}


def require_format(data: Mapping[str, Any]) -> None:
    """Refuse settings that another version of this package has written.

    Raises:
        StudyError: if the format is not the one of this version.
    """
    if data.get("format") not in (FORMAT, SEVERAL):
        raise StudyError(
            f"study: expected format {FORMAT} or {SEVERAL}, got {data.get('format')!r}; it was written by "
            "another version of netwright: use that version, or start a new run directory"
        )


def differences(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Name every setting that differs, with both values; the format follows from the others.

    Args:
        stored: settings of the study, as ``to_dict`` gives them.
        wanted: settings of this call.

    >>> differences({"seed": 0, "budget": {"macs": 10}}, {"seed": 1, "budget": {}})
    ['budget.macs: the study has 10, this call has nothing', 'seed: the study has 0, this call has 1']
    """
    left, right = _flat(stored), _flat(wanted)
    return [
        f"{name}: the study has {_word(left, name)}, this call has {_word(right, name)}"
        for name in sorted((left.keys() | right.keys()) - {"format"})
        if left.get(name, _MISSING) != right.get(name, _MISSING)
    ]


_MISSING = object()


def _word(values: Mapping[str, Any], name: str) -> str:
    return json.dumps(values[name]) if name in values else "nothing"


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat
