"""Another strategy's proposals at a lower fidelity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from netwright.errors import ConfigError
from netwright.trial import Objectives, Proposal, Strategy, Trial


@dataclass(frozen=True, slots=True)
class AtFidelity:
    """Proposes what another strategy proposes, where what it takes for the full training is a share of it.

    Strategies that know nothing of fidelities stay free of them; one that chooses them itself has its highest
    at this share, and the others in proportion. The state is that of the other strategy.

    Attributes:
        strategy: whose proposals.
        fidelity: share of the full training, in (0, 1].

    >>> from netwright.strategies import make_strategy
    >>> AtFidelity(make_strategy("random"), 0.2).name
    'random'
    """

    strategy: Strategy
    fidelity: float

    def __post_init__(self) -> None:
        """Check the fidelity.

        Raises:
            ConfigError: if it is not in (0, 1].
        """
        if not 0 < self.fidelity <= 1:
            raise ConfigError(f"fidelity: expected more than 0, at most 1, got {self.fidelity}")

    @property
    def name(self) -> str:
        """The name of the other strategy."""
        return self.strategy.name

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> Any:
        """Start as the other strategy does."""
        return self.strategy.init(space, budget, objectives, seed)

    def update(self, state: Any, trial: Trial) -> Any:
        """Learn as the other strategy does."""
        return self.strategy.update(state, trial)

    def propose(self, state: Any, rng: np.random.Generator, number: int) -> Proposal | None:
        """Give the other strategy's proposal, at this fidelity."""
        proposal = self.strategy.propose(state, rng, number)
        return None if proposal is None else replace(proposal, fidelity=proposal.fidelity * self.fidelity)
