"""The seeded bugs: what is edited wrongly, and which tests must notice."""

from __future__ import annotations

from mutants import composites, deployment, networks, searches, spaces
from mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    *networks.OPS,
    *networks.COST,
    *networks.MEMORY,
    *networks.PRUNE,
    *networks.LATENCY,
    *deployment.TFLM,
    *spaces.SPACE,
    *spaces.TABLES,
    *composites.COMPOSED,
    *composites.VARIATION,
    *searches.TRAINING,
    *searches.SEEDING,
    *searches.STRATEGIES,
    *searches.DEVICES,
    *searches.STUDY,
)
"""All of them, in the order of the layers."""
