"""``netwright cost``: what a published network, or a graph in a file, costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer

from netwright.cli.output import (
    Column,
    Json,
    print_json,
    print_line,
    print_table,
    short_bytes,
    short_count,
)
from netwright.errors import ConfigError
from netwright.ir.convention import CONVENTIONS, count_operations
from netwright.ir.cost import Cost, NodeCost
from netwright.ir.cost import cost as cost_of
from netwright.ir.dtype import DTYPES
from netwright.ir.graph import Graph
from netwright.ir.memory import MemoryModel
from netwright.models.catalog import MODELS, Model, build_model, find_model

app = typer.Typer(rich_markup_mode=None, add_completion=False)

COUNTED: Mapping[str, str] = {
    "native": "the MACs of convolution and linear ops, and nothing else",
    "nasbench201": "MACs and the bias of linear ops",
    "thop": "MACs, 2 per batch-norm element, 1 per output of average pooling, and per output of global "
    "average pooling 1 for each input pixel and 1 for the division",
    "ptflops": "MACs, the bias of convolution and linear ops, 2 per batch-norm element, 1 per element of "
    "relu and relu6, and 1 per input element of every pooling",
}
"""What each convention of ``netwright.ir.convention`` counts."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """The network that is asked about.

    Attributes:
        graph: the network.
        title: how the text output begins.
        origin: how the JSON output says what it is.
    """

    graph: Graph
    title: str
    origin: Mapping[str, Any]


@app.command()
def cost(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL", help="A published network; --list shows all of them.", show_default=False
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the model; may be repeated."),
    ] = None,
    graph: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A graph in JSON, such as an export's graph.json, in place of MODEL."
        ),
    ] = None,
    dtype: Annotated[
        str,
        typer.Option(
            metavar="|".join(DTYPES), help="Number format of weights and activations.", show_default=True
        ),
    ] = "int8",
    memory_model: Annotated[
        str,
        typer.Option(
            metavar="|".join(get_args(MemoryModel)),
            help="Whether a depthwise convolution may overwrite its input (TinyEngine's does).",
            show_default=True,
        ),
    ] = "standard",
    convention: Annotated[
        str | None,
        typer.Option(metavar="|".join(CONVENTIONS), help="Count operations as another tool does, too."),
    ] = None,
    layers: Annotated[bool, typer.Option("--layers", help="Show every node's share.")] = False,
    listing: Annotated[
        bool, typer.Option("--list", help="List the models, or the settings of MODEL, and do nothing else.")
    ] = False,
    json: Json = False,
) -> None:
    """Count a network's parameters, MACs, weights and memory.

    MACs are those of convolution and linear ops; FLOPs are twice the MACs. Peak activation memory is the
    largest sum of tensors that are in memory at once, with batch norm and activation fused into the op
    before them.
    """
    if listing:
        _list_models(None if model is None else find_model(model), json)
        return
    subject = _subject(model, setting or [], graph)
    counted = cost_of(subject.graph, dtype=dtype, memory_model=cast(MemoryModel, memory_model))
    operations = None if convention is None else count_operations(subject.graph, convention)
    if json:
        print_json(_as_json(subject, counted, convention, operations, layers))
        return
    print_line(f"{subject.title}; {dtype}, {memory_model} memory model")
    print_line()
    _print_totals(counted, convention, operations)
    if layers:
        print_line()
        _print_layers(counted.nodes)


def _subject(model: str | None, settings: Sequence[str], file: Path | None) -> _Subject:
    if (model is None) == (file is None):
        got = "neither" if model is None else "both"
        raise ConfigError(
            f"cost: expected a MODEL or --graph FILE, got {got}; `netwright cost --list` lists the models"
        )
    if file is not None:
        if settings:
            raise ConfigError("--set: a graph in a file has no settings; give a MODEL to change its settings")
        return _Subject(_read_graph(file), str(file), {"model": None, "graph": str(file), "settings": {}})
    name = find_model(str(model)).name
    given = _parse_settings(settings)
    built = build_model(name, given)
    values = _values(MODELS[name], given)
    shown = ", ".join(f"{key}={value}" for key, value in values.items() if value is not None)
    return _Subject(built, f"{name} ({shown})", {"model": name, "settings": values})


def _read_graph(file: Path) -> Graph:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"--graph: expected a file that can be read, got {file} ({error.strerror}); "
            "give the graph.json of an export"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(
            f"--graph: expected JSON text, got other data in {file}; give the graph.json of an export"
        ) from None
    return Graph.from_json(text)


def _parse_settings(settings: Sequence[str]) -> dict[str, str]:
    parsed: dict[str, str] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise ConfigError(f"--set: expected KEY=VALUE, got {text!r}; write for example --set width=0.5")
        if key in parsed:
            raise ConfigError(f"--set {key}: expected one value, got {parsed[key]!r} and {value!r}")
        parsed[key] = value
    return parsed


def _values(model: Model, given: Mapping[str, str]) -> dict[str, int | float | str | None]:
    """All settings with their values, None where the value follows from the others."""
    return {
        parameter.name: parameter.parse(model.name, given[parameter.name])
        if parameter.name in given
        else parameter.default
        for parameter in model.parameters
    }


def _as_json(
    subject: _Subject, counted: Cost, convention: str | None, operations: int | None, layers: bool
) -> dict[str, Any]:
    value = {**subject.origin, **counted.to_dict()}
    if convention is not None:
        value |= {"convention": convention, "operations": operations}
    if layers:
        value["layers"] = [
            {
                "name": node.name,
                "op": node.kind,
                "shape": list(node.shape),
                "params": node.params,
                "macs": node.macs,
                "weight_bytes": node.weight_bytes,
                "memory_bytes": node.memory.bytes if node.memory else None,
                "alive": dict(node.memory.alive) if node.memory else {},
            }
            for node in counted.nodes
        ]
    return value


def _print_totals(counted: Cost, convention: str | None, operations: int | None) -> None:
    rows = [
        ("parameters", f"{counted.params:,}", short_count(counted.params)),
        ("  without batch norm", f"{counted.params_without_bn:,}", short_count(counted.params_without_bn)),
        ("MACs", f"{counted.macs:,}", short_count(counted.macs)),
        ("FLOPs (2 x MACs)", f"{counted.flops:,}", short_count(counted.flops)),
        ("weight bytes", f"{counted.weight_bytes:,}", short_bytes(counted.weight_bytes)),
        (
            "peak activation bytes",
            f"{counted.peak_activation_bytes:,}",
            short_bytes(counted.peak_activation_bytes),
        ),
    ]
    if operations is not None:
        rows.insert(4, (f"operations, {convention}", f"{operations:,}", short_count(operations)))
    print_table((Column(""), Column("", right=True), Column("", right=True)), rows)
    print_line()
    if convention is not None:
        print_line(f"{convention} counts {COUNTED[convention]}.")
        print_line()
    _print_peak(counted)


def _print_peak(counted: Cost) -> None:
    moment = next(node.memory for node in counted.nodes if node.memory and node.name == counted.peak_node)
    print_line(f"The peak is at {counted.peak_node}, with these tensors in memory:")
    rows = [(f"  {name}", f"{size:,}", short_bytes(size)) for name, size in moment.alive]
    saved = sum(size for _, size in moment.alive) - moment.bytes
    if saved:
        rows.append(("  of which overwritten in place", f"-{saved:,}", f"-{short_bytes(saved)}"))
    print_table((Column(""), Column("", right=True), Column("", right=True)), rows)


def _print_layers(nodes: Sequence[NodeCost]) -> None:
    columns = (
        Column("node"),
        Column("op"),
        Column("shape", right=True),
        Column("params", right=True),
        Column("MACs", right=True),
        Column("weight bytes", right=True),
        Column("bytes in memory", right=True),
    )
    rows = [
        (
            node.name,
            node.kind,
            "x".join(map(str, node.shape)),
            f"{node.params:,}",
            f"{node.macs:,}",
            f"{node.weight_bytes:,}",
            f"{node.memory.bytes:,}" if node.memory else "fused",
        )
        for node in nodes
    ]
    print_table(columns, rows)


def _list_models(model: Model | None, json: bool) -> None:
    if json:
        models = MODELS.values() if model is None else [model]
        print_json({"models": [_model_as_json(each) for each in models]})
    elif model is None:
        rows = [
            (each.name, each.description, ", ".join(parameter.name for parameter in each.parameters))
            for each in MODELS.values()
        ]
        print_table((Column("model"), Column("description"), Column("settings")), rows)
        print_line()
        print_line("`netwright cost MODEL --list` shows the values of its settings.")
    else:
        print_line(f"{model.name}: {model.description} [{model.paper}]")
        print_line()
        rows = [
            (
                parameter.name,
                "" if parameter.default is None else str(parameter.default),
                parameter.description,
            )
            for parameter in model.parameters
        ]
        print_table((Column("setting"), Column("default"), Column("meaning")), rows)


def _model_as_json(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "description": model.description,
        "paper": model.paper,
        "settings": [
            {
                "name": parameter.name,
                "type": parameter.kind.__name__,
                "default": parameter.default,
                "options": list(parameter.options),
                "description": parameter.description,
            }
            for parameter in model.parameters
        ],
    }
