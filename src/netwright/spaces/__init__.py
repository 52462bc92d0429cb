"""Search spaces that come with netwright."""

from netwright.spaces.mobilenet import mobilenet_tiny

__all__ = ["mobilenet_tiny"]
