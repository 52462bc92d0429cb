"""The budget options, the same for every verb that has them.

A verb takes one parameter for each option, annotated with the types below, and hands all of them to
``budget_from``; or ``budget_parameters`` are put into its signature, and it gets them by name::

    def search(..., device: Device = None, max_sram: MaxSram = None, ...) -> None:
        budget = budget_from(device, max_sram, max_flash, ...)
"""

from __future__ import annotations

import re
from inspect import Parameter
from typing import Annotated, Any

import typer

from netwright.devices import Budget, Quantity, budget_for
from netwright.errors import BudgetError

_PARAMETER = re.compile(r"\b(max_sram|max_flash|max_macs|max_params|max_latency|sram_margin|flash_margin)\b")
"""Names that ``budget_for`` uses in its errors."""

Device = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="NAME", help="Take SRAM and flash of a device; `netwright devices` lists them."
    ),
]
MaxSram = Annotated[
    str | None,
    typer.Option(
        "--max-sram", metavar="SIZE", help="SRAM, such as 64KB (1 KB = 1024 bytes), runtime included."
    ),
]
MaxFlash = Annotated[
    str | None,
    typer.Option("--max-flash", metavar="SIZE", help="Flash, such as 256KB, program and runtime included."),
]
MaxMacs = Annotated[
    str | None,
    typer.Option("--max-macs", metavar="COUNT", help="Multiply-accumulates, such as 2M (1 M = 1000000)."),
]
MaxParams = Annotated[
    str | None, typer.Option("--max-params", metavar="COUNT", help="Parameters, such as 60k (1 k = 1000).")
]
MaxLatency = Annotated[
    str | None,
    typer.Option(
        "--max-latency", metavar="TIME", help="Time of one pass, such as 20ms, by the latency table."
    ),
]
LatencyFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--latency-table",
        metavar="FILE",
        help="Measured times of ops or blocks; may be repeated, for several resolutions, say.",
    ),
]
SramMargin = Annotated[
    float | None,
    typer.Option(
        "--sram-margin",
        metavar="SHARE",
        help="Share of the SRAM kept for the runtime, from 0 to below 1, in place of the built-in rule.",
    ),
]
FlashMargin = Annotated[
    float | None,
    typer.Option("--flash-margin", metavar="SHARE", help="The same for flash."),
]


def budget_from(
    device: str | None,
    max_sram: Quantity | None,
    max_flash: Quantity | None,
    max_macs: Quantity | None,
    max_params: Quantity | None,
    sram_margin: float | None = None,
    flash_margin: float | None = None,
    max_latency: Quantity | None = None,
) -> Budget:
    """Make the budget that the options ask for; errors name the option as it is typed.

    Raises:
        BudgetError: if a limit cannot be read, is zero, or leaves nothing beside the margin.
        ConfigError: if the device is unknown.
    """
    try:
        return budget_for(
            device,
            max_sram=max_sram,
            max_flash=max_flash,
            max_macs=max_macs,
            max_params=max_params,
            sram_margin=sram_margin,
            flash_margin=flash_margin,
            max_latency=max_latency,
        )
    except BudgetError as error:
        raise BudgetError(_PARAMETER.sub(_as_option, str(error))) from None


def budget_parameters() -> list[Parameter]:
    """One keyword of ``budget_from`` for each option, with its type, for the signature of a verb."""
    types: dict[str, Any] = {
        "device": Device,
        "max_sram": MaxSram,
        "max_flash": MaxFlash,
        "max_macs": MaxMacs,
        "max_params": MaxParams,
        "sram_margin": SramMargin,
        "flash_margin": FlashMargin,
        "max_latency": MaxLatency,
    }
    return [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in types.items()
    ]


def _as_option(parameter: re.Match[str]) -> str:
    return "--" + parameter[0].replace("_", "-")
