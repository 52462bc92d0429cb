"""One member of a search space, as a value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from netwright.errors import SpaceError

Value = int | float | str | bool
"""What one option of a decision may be: a number or a word."""

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Architecture:
    """The active decisions of one network, in the order of its space; equality is identity.

    Attributes:
        space: id of the search space, ``name-hash``.
        choices: ``(decision, value)`` pairs of the *active* decisions only, in space order.
    """

    space: str
    choices: tuple[tuple[str, Value], ...]

    def __getitem__(self, decision: str) -> Value:
        for name, value in self.choices:
            if name == decision:
                return value
        raise KeyError(f"{decision} is not an active decision of this architecture")

    def __contains__(self, decision: object) -> bool:
        return any(name == decision for name, _ in self.choices)

    def __iter__(self) -> Iterator[tuple[str, Value]]:
        return iter(self.choices)

    @property
    def key(self) -> str:
        """Short sha256 of the canonical JSON: stable across processes and versions."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Give the architecture as plain JSON values."""
        return {"format": FORMAT, "space": self.space, "choices": dict(self.choices)}

    def to_json(self) -> str:
        """Write the canonical JSON: choices in space order, no white space."""
        return json.dumps(self.to_dict(), separators=(",", ":"), ensure_ascii=True)

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Architecture:
        """Read what ``to_dict`` gave.

        Raises:
            SpaceError: if the format is unknown or a key is missing.
        """
        if data.get("format") != FORMAT:
            raise SpaceError(
                f"architecture: expected format {FORMAT}, got {data.get('format')!r}; "
                "it was written by another version of netwright"
            )
        if "space" not in data or not isinstance(data.get("choices"), dict):
            raise SpaceError(f"architecture: expected keys 'space' and 'choices', got {sorted(data)}")
        return Architecture(str(data["space"]), tuple(data["choices"].items()))

    @staticmethod
    def from_json(text: str) -> Architecture:
        """Read what ``to_json`` wrote.

        Raises:
            SpaceError: if the text is not such JSON.
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise SpaceError(f"architecture: expected JSON, got {text[:60]!r} ({error})") from None
        if not isinstance(data, dict):
            raise SpaceError(f"architecture: expected a JSON object, got {text[:60]!r}")
        return Architecture.from_dict(data)
