"""A given list of architectures as a strategy: what the final trainings of a search are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from netwright.space import Architecture
from netwright.trial import Objectives, Proposal, Trial


@dataclass(frozen=True, slots=True)
class Listed:
    """Proposes the architectures of a list, in order, and then nothing.

    Attributes:
        architectures: what to propose.
        fidelity: share of the full training that each gets.
    """

    architectures: tuple[Architecture, ...]
    fidelity: float = 1.0

    name: ClassVar[str] = "listed"

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> None:
        """There is nothing to remember."""

    def update(self, state: None, trial: Trial) -> None:
        """Results change nothing."""

    def propose(self, state: None, rng: np.random.Generator, number: int) -> Proposal | None:
        """The architecture with this number in the list, or None behind its end."""
        if number >= len(self.architectures):
            return None
        return Proposal(number, self.architectures[number], self.fidelity)
