"""``netwright space``: exact answers about a whole search space, before any training."""

from netwright.cli.space.verbs import app

__all__ = ["app"]
