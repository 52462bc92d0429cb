"""``netwright deploy``: the int8 file of a search, and what it takes and does on a microcontroller."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from netwright.cli.budget_options import (
    BUDGET_OPTIONS,
    Device,
    FlashMargin,
    MaxArena,
    MaxFile,
    MaxFlash,
    MaxHead,
    MaxLatency,
    MaxMacs,
    MaxParams,
    MaxSram,
    SramMargin,
    budget_from,
)
from netwright.cli.output import Column, Json, print_json, print_line, print_table
from netwright.errors import ConfigError

app = typer.Typer(rich_markup_mode=None, add_completion=False)

DOES_NOT_FIT = 3
"""The exit code where a measured figure is above its limit."""

_NPU_OPTIONS = {"npu": "--npu", "system_config": "--system-config", "memory_mode": "--memory-mode"}
_ROWS = {
    "head_bytes": "head",
    "tail_bytes": "tail (64-bit)",
    "arena_bytes": "arena",
    "flash_bytes": "file",
}


@app.command()
def deploy(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory of a finished search.")],
    device: Device = None,
    max_sram: MaxSram = None,
    max_flash: MaxFlash = None,
    max_macs: MaxMacs = None,
    max_params: MaxParams = None,
    sram_margin: SramMargin = None,
    flash_margin: FlashMargin = None,
    max_latency: MaxLatency = None,
    max_head: MaxHead = None,
    max_arena: MaxArena = None,
    max_file: MaxFile = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder of the files [RUN/deploy].")
    ] = None,
    calibration: Annotated[
        int, typer.Option(metavar="N", help="Training images that the ranges of int8 are taken from.", min=1)
    ] = 500,
    fine_tune: Annotated[
        str,
        typer.Option(
            metavar="WHEN",
            help="Train on with int8's rounding: auto, where int8 loses more than 0.5 points of validation "
            "accuracy; always; never.",
        ),
    ] = "auto",
    npu: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Estimate an Ethos-U, such as ethos-u55-128, by vela [that of the device].",
        ),
    ] = None,
    system_config: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its system, such as Ethos_U55_High_End_Embedded.")
    ] = None,
    memory_mode: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its memory mode, such as Shared_Sram.")
    ] = None,
    vela_config: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The file of both, as vela finds it [Arm/vela.ini]."),
    ] = None,
    json: Json = False,
) -> None:
    """Make the int8 file of a search and measure it.

    The real interpreter runs the whole test set. The budget is that of the options, or else that of the
    search. Exit code 3 says that the file does not fit; it is written all the same. Needs the extra edge.
    """
    given = locals()
    options = {name: given[name] for name in BUDGET_OPTIONS if given[name] is not None}
    budget = budget_from(**options) if options else None
    names = {name: given[name] for name in (*_NPU_OPTIONS, "vela_config")}
    target = _npu(names)
    from netwright.export import tflite
    from netwright.pipeline import deploy as deploy_run

    done = deploy_run(
        run,
        budget=budget,
        out=out,
        calibration=calibration,
        npu=None if target is None else tflite.NpuTarget(*target),
        fine_tune=fine_tune,
        on_step=_say if sys.stderr.isatty() else None,
    )
    if json:
        print_json(done.facts)
    else:
        _print(done.facts, done.verdict.explain(), done.out)
    if not done.fits:
        raise typer.Exit(DOES_NOT_FIT)


def _npu(given: Mapping[str, str | None]) -> tuple[str, ...] | None:
    """What makes a target of the options; all of it is explicit, since vela's own defaults differ."""
    if all(value is None for value in given.values()):
        return None
    missing = [option for name, option in _NPU_OPTIONS.items() if given[name] is None]
    if missing:
        raise ConfigError(
            f"deploy: expected {', '.join(_NPU_OPTIONS.values())} together, got no "
            f"{' and no '.join(missing)}; such as --npu ethos-u55-128 --system-config "
            "Ethos_U55_High_End_Embedded --memory-mode Shared_Sram"
        )
    values = [given[name] for name in _NPU_OPTIONS]
    return tuple(value for value in (*values, given["vela_config"]) if value is not None)


def _say(step: str) -> None:
    typer.echo(step, err=True)


def _print(facts: Mapping[str, Any], verdict: list[str], out: Path) -> None:
    from netwright.nn.kind import find_kind

    predicted, measured, shares = facts["predicted"], facts["measured"], facts["accuracy"]
    items = find_kind(facts["input"]["kind"]).items
    print_table(
        (Column("bytes"), Column("predicted", right=True), Column("measured", right=True)),
        [(title, f"{predicted[name]:,}", f"{measured[name]:,}") for name, title in _ROWS.items()],
    )
    print_line()
    print_line(
        f"modelled for a 32-bit microcontroller: tail {predicted['tail_bytes_mcu32']:,}, "
        f"arena {predicted['arena_bytes_mcu32']:,}"
    )
    print_line(
        f"accuracy on {facts['test_images']:,} test {items}: float {shares['float']:.2%}, int8 "
        f"{shares['int8_tflm']:.2%} by TensorFlow Lite Micro, {shares['int8_litert']:.2%} by LiteRT; the two "
        f"agree on {facts['agreement']:.2%}"
    )
    tuned = facts["fine_tuning"]
    if tuned is not None and tuned["after"] is not None:
        kept = "kept" if tuned["kept"] else "no better, not kept"
        print_line(
            f"fine-tuned with int8's rounding: validation {tuned['before']:.2%} before, {tuned['after']:.2%} "
            f"after, float {tuned['float_accuracy']:.2%}; {kept}"
        )
    if facts["npu"] is not None:
        found = facts["npu"]
        print_line(
            f"{found['target']['accelerator']} by vela's estimate: {found['milliseconds']:.3f} ms, "
            f"{found['cycles']:,} cycles, {found['sram_bytes']:,} bytes of SRAM, "
            f"{len(found['cpu_operators'])} operators left to the CPU"
        )
    if not facts["verdict"]["rows"]:
        print_line("no budget was given")
    else:
        print_line("fits the budget" if facts["fits"] else "DOES NOT FIT the budget")
        for line in verdict:
            print_line(f"  {line}")
    print_line(f"files    {out} (deploy.md says how to use them)")
