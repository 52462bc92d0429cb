"""The verbs of ``netwright space``, in the order of its help."""

from __future__ import annotations

import typer

from netwright.cli.space.answers import count_fitting, extremes_of, list_spaces, sample_fitting, size_of
from netwright.cli.space.design import design_spaces
from netwright.cli.space.distribution import distribution_of
from netwright.cli.space.draw import draw_architecture
from netwright.cli.space.operations import list_operations
from netwright.cli.space.vary import vary_dimension

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Ask about a whole search space: size, what fits, extremes.",
)

app.command("list")(list_spaces)
app.command("size")(size_of)
app.command("count")(count_fitting)
app.command("sample")(sample_fitting)
app.command("extremes")(extremes_of)
app.command("distribution")(distribution_of)
app.command("draw")(draw_architecture)
app.command("vary")(vary_dimension)
app.command("operations")(list_operations)
app.command("design")(design_spaces)
