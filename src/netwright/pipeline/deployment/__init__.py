"""From a finished search to a file that a microcontroller runs, for ``netwright deploy``."""

from netwright.pipeline.deployment.job import deploy
from netwright.pipeline.deployment.summary import Deployment

__all__ = ["Deployment", "deploy"]
