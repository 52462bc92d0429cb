"""Tables of measured latency, from files.

Two forms are read, both JSON with times in milliseconds:

* our own, which ``write_latency`` writes::

    {"format": 1, "name": "board, 1 thread", "batch": 1, "source": "my notes",
     "entries": [{"operations": ["linear 64 to 10"], "ms": 0.021}]}

* the published tables of ProxylessNAS [Cai et al. 2019, arXiv:1812.00332] and Once-for-All [Cai et al. 2020,
  arXiv:1908.09791], whose keys name whole blocks of MobileNets: the block that a key names is built, so
  that it is known by what it does, wherever it stands.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from netwright import blocks as B
from netwright.blocks.block import Block
from netwright.errors import ConfigError, GraphError
from netwright.files import write_whole
from netwright.ir.graph import GraphBuilder
from netwright.ir.latency import LatencyTable, operations
from netwright.ir.ops import Activation, Conv, Flatten, Function, GlobalPool, Linear

FORMAT = 1
NANOSECONDS = 1_000_000
"""In a millisecond."""

_KEY = re.compile(
    r"(?P<kind>\w+)-input:(?P<height>\d+)x(?P<width>\d+)x(?P<channels>\d+)"
    r"-output:(?:(?P<rows>\d+)x(?P<columns>\d+)x)?(?P<out>\d+)"
    r"(?:-expand:(?P<expand>\d+)-kernel:(?P<kernel>\d+)-stride:(?P<stride>\d+)-idskip:(?P<skip>[01])"
    r"(?:-se:(?P<se>[01])-hs:(?P<hs>[01]))?)?"
)

_Entries = dict[tuple[str, ...], int]


def load_latency(*paths: Path | str) -> LatencyTable:
    """Read one table, or several of one device (for several resolutions, say) as one.

    Args:
        *paths: JSON files; what several of them have gets the mean of their times.

    Returns:
        The table; times in nanoseconds.

    Raises:
        ConfigError: if a file cannot be read or is not such a table; the message names the file and entry.
    """
    if not paths:
        raise ConfigError("latency table: expected at least one file, got none")
    tables = [_read(Path(path)) for path in paths]
    batches = {table.batch for table in tables}
    if len(batches) > 1:
        raise ConfigError(
            f"latency table: expected files for one batch size, got {sorted(batches)}; "
            "times for several batch sizes cannot be added up"
        )
    times: dict[tuple[str, ...], list[int]] = {}
    for table in tables:
        for parts, nanoseconds in table.entries.items():
            times.setdefault(parts, []).append(nanoseconds)
    entries = {parts: round(sum(found) / len(found)) for parts, found in times.items()}
    names = dict.fromkeys(table.name for table in tables)
    return LatencyTable(", ".join(names), entries, batches.pop(), tables[0].source)


def write_latency(table: LatencyTable, path: Path | str) -> None:
    """Write a table in our own form, which ``load_latency`` reads."""
    times = ((parts, nanoseconds / NANOSECONDS) for parts, nanoseconds in table.entries.items())
    write_whole(Path(path), _written(table.name, table.batch, table.source, times))


def template(name: str, wanted: Iterable[str]) -> str:
    """The text of a table in our own form without times, to be filled in.

    Args:
        name: what it is about.
        wanted: operations, see ``ExpressionSpace.operations``.
    """
    return _written(name, 1, "", (((part,), None) for part in wanted))


def _written(
    name: str, batch: int, source: str, times: Iterable[tuple[tuple[str, ...], float | None]]
) -> str:
    entries = [{"operations": list(parts), "ms": time} for parts, time in times]
    data = {"format": FORMAT, "name": name, "batch": batch, "source": source, "entries": entries}
    return json.dumps(data, indent=1) + "\n"


def _read(path: Path) -> LatencyTable:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: expected a latency table that can be read ({error.strerror})") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a latency table as JSON ({error})") from None
    if not isinstance(data, dict) or not data:
        raise ConfigError(f"{path}: expected a latency table, a JSON object with entries, got {data!r:.60}")
    if "format" in data:
        return _own(path, data)
    return LatencyTable(path.stem, _published(path, data), 1, str(path.name))


def _own(path: Path, data: Mapping[str, Any]) -> LatencyTable:
    if data["format"] != FORMAT:
        raise ConfigError(
            f"{path}: expected format {FORMAT}, got {data['format']!r}; "
            "it was written by another version of netwright"
        )
    entries: _Entries = {}
    listed = data.get("entries")
    if not isinstance(listed, list):
        raise ConfigError(f"{path}: expected 'entries', a list, got {listed!r:.60}")
    for number, item in enumerate(listed):
        where = f"{path}: entry {number}"
        parts = item.get("operations") if isinstance(item, dict) else None
        if not isinstance(parts, list) or not parts or not all(isinstance(part, str) for part in parts):
            raise ConfigError(f"{where}: expected 'operations', a list of texts, and 'ms', got {item!r:.80}")
        if tuple(parts) in entries:
            raise ConfigError(f"{where}: {parts[0]!r} has an entry already; leave one of the two")
        entries[tuple(parts)] = _nanoseconds(f"{where}: {parts[0]}", item.get("ms"))
    batch = data.get("batch", 1)
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise ConfigError(f"{path}: expected 'batch', a number of images of at least 1, got {batch!r}")
    return LatencyTable(str(data.get("name", path.stem)), entries, batch, str(data.get("source", "")))


def _nanoseconds(where: str, milliseconds: Any) -> int:
    number = isinstance(milliseconds, int | float) and not isinstance(milliseconds, bool)
    if not number or not math.isfinite(milliseconds) or milliseconds < 0:
        got = "nothing; measure it and write it there" if milliseconds is None else repr(milliseconds)
        raise ConfigError(f"{where}: expected milliseconds of at least 0, got {got}")
    return round(float(milliseconds) * NANOSECONDS)


def _published(path: Path, data: Mapping[str, Any]) -> _Entries:
    newer = any("-hs:" in key for key in data)
    entries: _Entries = {}
    for key, value in data.items():
        where = f"{path}: {key}"
        match = _KEY.fullmatch(key)
        if match is None or not isinstance(value, dict):
            raise ConfigError(
                f"{where}: expected the key of a published table, such as 'Conv-input:224x224x3-output:"
                "112x112x16' with a 'mean', or our own form with a 'format'"
            )
        try:
            parts = _parts(match, newer)
        except GraphError as error:
            raise ConfigError(f"{where}: expected a block of a MobileNet ({error})") from None
        entries[parts] = _nanoseconds(where, value.get("mean"))
    return entries


def _parts(match: re.Match[str], newer: bool) -> tuple[str, ...]:
    """What the block of a key does."""
    shape = tuple(int(match[name]) for name in ("channels", "height", "width"))
    out, kind = int(match["out"]), match["kind"]
    activation: Function = "hardswish" if newer else "relu6"
    build = GraphBuilder()
    x = build.input(shape)
    if kind == "expanded_conv":
        x = _inverted_residual(match, newer)(build, x)
    elif kind == "Conv":
        stride = -(-shape[1] // int(match["rows"]))
        x = B.conv_bn_act(out=out, kernel=3, stride=stride, activation=activation)(build, x)
    elif kind == "Conv_1":
        x = B.conv_bn_act(out=out, kernel=1, activation=activation)(build, x)
    elif kind == "Conv_2":
        x = build.apply("act", Activation(activation), build.apply("conv", Conv(out), x))
    elif kind == "AvgPool2D":
        x = build.apply("pool", GlobalPool("average"), x)
    elif kind == "Logits":
        if shape[1:] != (1, 1):
            x = build.apply("pool", GlobalPool("average"), x)
        x = build.apply("linear", Linear(out), build.apply("flatten", Flatten(), x))
    else:
        raise GraphError(f"a part of kind {kind!r} is not known")
    expected = (out,) if match["rows"] is None else (out, int(match["rows"]), int(match["columns"]))
    if x.shape != expected:
        raise GraphError(f"its output is {x.shape}, the key says {expected}")
    return operations(build.finish(x))


def _inverted_residual(match: re.Match[str], newer: bool) -> Block:
    if match["expand"] is None:
        raise GraphError("expand, kernel, stride and idskip are missing")
    channels, expand, stride = (int(match[name]) for name in ("channels", "expand", "stride"))
    if (match["skip"] == "1") != (stride == 1 and channels == int(match["out"])):
        raise GraphError(f"idskip {match['skip']} does not go with its stride and channels")
    activation: Function = "relu6" if not newer else "hardswish" if match["hs"] == "1" else "relu"
    return B.inverted_residual(
        out=int(match["out"]),
        kernel=int(match["kernel"]),
        stride=stride,
        # Once-for-All's tables give the channels after expansion, ProxylessNAS' the factor.
        hidden=expand if newer else channels * expand,
        se=0.25 if match["se"] == "1" else 0.0,
        activation=activation,
    )


def read_latency(paths: Sequence[Path | str] | Path | str | None) -> LatencyTable | None:
    """The table that a setting names: None, a file, or several files of one device."""
    if paths is None or paths == []:
        return None
    return load_latency(paths) if isinstance(paths, Path | str) else load_latency(*paths)
