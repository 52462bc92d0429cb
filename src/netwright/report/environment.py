"""Where the pages' templates come from, and what they may say."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from netwright.report import labels


def templates() -> Environment:
    """The templates; what is inserted is escaped, and a name that is not given is an error."""
    environment = Environment(
        loader=PackageLoader("netwright.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=labels.percent, duration=labels.duration, integer=labels.integer)
    return environment
