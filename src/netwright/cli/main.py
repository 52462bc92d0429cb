"""The entry point ``netwright``: finds the verb, and turns errors into one line and an exit code.

Exit codes: 0 done; 2 the command or its input is wrong; 3 done, but what was deployed does not fit its
budget; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from netwright.errors import ConfigError, NetwrightError

VERBS: Mapping[str, str] = MappingProxyType(
    {
        "search": "netwright.cli.search",
        "show": "netwright.cli.show",
        "deploy": "netwright.cli.deploy",
        "cost": "netwright.cli.cost",
        "space": "netwright.cli.space",
        "devices": "netwright.cli.devices",
        "benchmark": "netwright.cli.benchmark",
    }
)
"""Every verb and the module that has it, in the order of ``netwright --help``."""


class _Verbs(TyperGroup):
    """The verbs, each imported when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in VERBS:
            close = get_close_matches(cmd_name, VERBS, n=1)
            hint = f"; did you mean {close[0]}?" if close else "; see netwright --help"
            raise ConfigError(f"netwright: expected a verb of {', '.join(VERBS)}, got {cmd_name!r}{hint}")
        command = typer.main.get_command(importlib.import_module(VERBS[cmd_name]).app)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=_Verbs,
    no_args_is_help=True,
    add_completion=False,
    # Plain help: readable in a pipe, and shown in half the time of boxes and colours.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"netwright {version('netwright')}")
        raise typer.Exit


@app.callback()
def netwright(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Neural architecture search for PyTorch: the best network that provably fits a device's budget."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    What is wrong with the input is said in one line on standard error. ``NETWRIGHT_DEBUG=1`` in the
    environment shows the traceback instead.

    Args:
        arguments: what follows the program's name; None for those of this process.

    Returns:
        The exit code.
    """
    command = typer.main.get_command(app)
    try:
        command.main(args=None if arguments is None else list(arguments), prog_name="netwright")
    except SystemExit as end:  # raised by typer, always with a number
        return int(end.code or 0)
    except KeyboardInterrupt:
        return 130
    except NetwrightError as error:
        if os.environ.get("NETWRIGHT_DEBUG", "0") not in ("", "0"):
            traceback.print_exc()
        else:
            print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
