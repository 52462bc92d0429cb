"""``netwright search``: the main job, with its progress on standard error."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from netwright.cli.budget_options import (
    Device,
    FlashMargin,
    MaxFlash,
    MaxMacs,
    MaxParams,
    MaxSram,
    SramMargin,
)
from netwright.cli.output import Json, print_json, print_line
from netwright.errors import ConfigError

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def search(
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="DATA",
            help="digits, fashion-mnist, npz:PATH, or folder:PATH (a sub-folder a class).",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Run directory.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="YAML file with these options; options given here win."
        ),
    ] = None,
    device: Device = None,
    max_sram: MaxSram = None,
    max_flash: MaxFlash = None,
    max_macs: MaxMacs = None,
    max_params: MaxParams = None,
    sram_margin: SramMargin = None,
    flash_margin: FlashMargin = None,
    space: Annotated[str | None, typer.Option(metavar="NAME", help="Search space [mobilenet-tiny].")] = None,
    strategy: Annotated[str | None, typer.Option(metavar="NAME", help="Search strategy [evolution].")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="An option of the strategy; may be repeated."),
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Number of trials [24].")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Time for the search; final trainings come on top.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Trials at a time [cores, at most the lag].")] = None,
    lag: Annotated[int | None, typer.Option(help="Results that a proposal does not wait for [4].")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything [0].")] = None,
    fidelity: Annotated[
        float | None, typer.Option(help="Share of the full training that a trial gets [by data].")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of a full training [by data].")] = None,
    top: Annotated[int | None, typer.Option(help="Architectures that are trained in full [3].")] = None,
    validation: Annotated[
        float | None, typer.Option(help="Share of the training images that validates [by data].")
    ] = None,
    augmentation: Annotated[str | None, typer.Option(metavar="NAME", help="Augmentation [by data].")] = None,
    class_weights: Annotated[
        bool | None, typer.Option("--class-weights", help="Let rare classes weigh more in the loss.")
    ] = None,
    accelerator: Annotated[
        str | None, typer.Option(metavar="NAME", help="cpu, cuda, mps or auto [auto].")
    ] = None,
    memory_limit: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Memory that one trial may use, such as 4GB.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="Minutes after which a trial is ended.")] = None,
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="Database in place of study.db, e.g. postgresql://...")
    ] = None,
    json: Json = False,
) -> None:
    """Find, train, test and export the best network that fits.

    The same command again continues a search that was stopped, and does nothing when it is finished.
    """
    given: dict[str, Any] = {
        name: value
        for name, value in locals().items()
        if name not in ("config", "option", "json") and value is not None
    }
    if option:
        given["options"] = dict(_read_option(text) for text in option)
    from netwright.cli.progress import Watcher
    from netwright.pipeline import make_config, read_config, run

    if config is None:
        for name in ("data", "out"):
            if name not in given:
                raise ConfigError(f"search: --{name} is missing; give it, or --config FILE")
        settings = make_config(given)
    else:
        settings = read_config(config, given)
    with Watcher() as watcher:
        outcome = run(settings, on_progress=watcher)
    if outcome.result is None:
        print_line("stopped; the same command continues where it stopped")
        raise typer.Exit(130)
    if json:
        print_json(outcome.result)
        return
    if outcome.already:
        print_line(f"this search is finished; {settings.out} has its results")
    _print_result(outcome.result, settings.out)


def _read_option(text: str) -> tuple[str, Any]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise ConfigError(f"--option: expected NAME=VALUE, such as population=20, got {text!r}")
    return name, yaml.safe_load(value)


def _print_result(result: Any, out: Path) -> None:
    from netwright.devices import Budget

    verdict = Budget.from_dict(result["budget"]).check(
        {name: value for name, value in result["costs"].items() if isinstance(value, int)}
    )
    print_line(
        f"test accuracy {result['test_accuracy']:.2%} ± {result['test_standard_error']:.2%} "
        f"(validation {result['validation_accuracy']:.2%}), {result['trials']} trials in "
        f"{result['search_seconds']:.0f} s and {result['final_seconds']:.0f} s of final training"
    )
    for line in verdict.explain():
        print_line(f"  {line}")
    print_line(f"report   {out / 'report.html'}")
    print_line(f"network  {out / 'export'} (card.md says how to use it)")
