"""``netwright search``: the main job, with its progress on standard error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from netwright.cli.budget_options import (
    BUDGET_OPTIONS,
    Device,
    FlashMargin,
    LatencyFiles,
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
from netwright.cli.output import Json, print_json, print_line
from netwright.cli.result import duration, fit_lines, front_lines, sure_line, trials_of
from netwright.errors import ConfigError

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def search(
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="DATA",
            help="digits, fashion-mnist, fashion-mnist-pixels, npz:PATH, audio:PATH, or folder:PATH (a "
            "sub-folder a class).",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Run directory.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="YAML file with these options; options given here win."
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="classification, or segmentation (labels of pixels) [classification]."
        ),
    ] = None,
    device: Device = None,
    max_sram: MaxSram = None,
    max_flash: MaxFlash = None,
    max_macs: MaxMacs = None,
    max_params: MaxParams = None,
    max_latency: MaxLatency = None,
    latency_table: LatencyFiles = None,
    sram_margin: SramMargin = None,
    flash_margin: FlashMargin = None,
    max_head: MaxHead = None,
    max_arena: MaxArena = None,
    max_file: MaxFile = None,
    space: Annotated[
        str | None, typer.Option(metavar="NAME", help="Search space, or its file [by the task].")
    ] = None,
    objectives: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="accuracy, and perhaps some of macs, params, flash, sram, latency, with commas: a Pareto "
            "front [accuracy].",
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Search strategy [auto; nsga2 for several objectives]."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="An option of the strategy; may be repeated."),
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Number of trials [16].")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Time for the search; final trainings come on top.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Trials at a time [cores / threads, at most the lag].")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads of each training [1].")] = None,
    lag: Annotated[int | None, typer.Option(help="Results that a proposal does not wait for [4].")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything [0].")] = None,
    fidelity: Annotated[
        float | None,
        typer.Option(
            help="Share of the full training that a trial gets, or the best of a schedule [by data]."
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of a full training [by data].")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step [by data].")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak of the schedule [by data].")] = None,
    top: Annotated[int | None, typer.Option(help="Architectures that are trained in full [3].")] = None,
    validation: Annotated[
        float | None, typer.Option(help="Share of the training rows that validates [by data].")
    ] = None,
    augmentation: Annotated[str | None, typer.Option(metavar="NAME", help="Augmentation [by data].")] = None,
    label_smoothing: Annotated[
        float | None, typer.Option(help="Share of the target spread over all classes [by data].")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(metavar="NAME", help="float32, or bfloat16: mixed precision [float32].")
    ] = None,
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
    if config is None:
        for name in ("data", "out"):
            if name not in given:
                raise ConfigError(f"search: --{name} is missing; give it, or --config FILE")
        # Said at once, and about the options as they are typed.
        budget_from(**{name: given.get(name) for name in BUDGET_OPTIONS})
    from netwright.cli.progress import Watcher
    from netwright.pipeline import make_config, read_config, run

    settings = make_config(given) if config is None else read_config(config, given)
    try:
        with Watcher() as watcher:
            outcome = run(settings, on_progress=watcher)
    except KeyboardInterrupt:  # outside the trainings, which end in good order themselves
        outcome = None
    if outcome is None or outcome.result is None:
        typer.echo("stopped; the same command goes on from here", err=True)
        raise typer.Exit(130)
    if json:
        print_json(outcome.result)
        return
    if outcome.already:
        print_line(f"this search is finished, nothing was done; {settings.out} has its results")
    _print_result(outcome.result, settings.out)


def _read_option(text: str) -> tuple[str, Any]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise ConfigError(f"--option: expected NAME=VALUE, such as population=20, got {text!r}")
    return name, yaml.safe_load(value)


def _print_result(result: Mapping[str, Any], out: Path) -> None:
    print_line(sure_line(result))
    for line in [*fit_lines(result), *front_lines(result)]:
        print_line(line)
    failed = f", {result['failed_trials']} failed" if result["failed_trials"] else ""
    print_line(
        f"{trials_of(result['trials'])}{failed} in {duration(result['search_seconds'])}, "
        f"final training {duration(result['final_seconds'])}"
    )
    print_line(f"report   {out / 'report.html'}")
    print_line(f"network  {out / 'export'} (card.md says how to use it)")
