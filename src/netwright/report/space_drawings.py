"""One architecture of a space as a drawing: its cells, its path through a trellis, or its layers.

The layout follows from the architecture alone. Nodes of a cell stand on a staircase: every tensor leaves to
the right, where nothing is in its way, and goes down just before the node that takes it. So no line crosses a
box, however the cell is wired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from netwright.ir.graph import Graph
from netwright.ir.ops import Conv, Pool
from netwright.report import axes
from netwright.space.architecture import Architecture
from netwright.space.cell_grammar import Cell, SettledNode, loose_ends
from netwright.space.cell_stack import CellStack
from netwright.space.compile import ExpressionSpace
from netwright.space.program import Compose, Run
from netwright.space.topology import Trellis

_PALETTE = (axes.BLUE, axes.VERMILLION, axes.GREEN, axes.PURPLE, axes.ORANGE, axes.SKY, axes.INK, axes.MUTED)
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_LETTER = 7.2  # pixels of a character, generously


@dataclass(frozen=True, slots=True)
class CellPicture:
    """A cell with its decisions settled.

    Attributes:
        name: of the cell.
        inputs: what its inputs are called.
        nodes: its nodes.
        ends: indices of the nodes whose outputs leave it.
    """

    name: str
    inputs: tuple[str, ...]
    nodes: tuple[SettledNode, ...]
    ends: tuple[int, ...]

    def source(self, number: int) -> str:
        """What a tensor is called."""
        return self.inputs[number] if number < len(self.inputs) else f"block {number - len(self.inputs) + 1}"


@dataclass(frozen=True, slots=True)
class PathPicture:
    """A path through a trellis.

    Attributes:
        name: of the trellis.
        levels: number of levels.
        path: level of each layer.
    """

    name: str
    levels: int
    path: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """A block of a chain.

    Attributes:
        place: where it is.
        channels: that leave it.
        size: longer side of the map that leaves it; 1 for a vector.
        map: the size in words, with both sides where they differ.
        kernel: largest kernel in it, 0 if it has none.
        stride: largest stride in it.
    """

    place: str
    channels: int
    size: int
    map: str
    kernel: int
    stride: int


@dataclass(frozen=True, slots=True)
class Picture:
    """What there is to draw of an architecture: its cells and paths, or its layers if it has neither."""

    title: str
    cells: tuple[CellPicture, ...]
    paths: tuple[PathPicture, ...]
    layers: tuple[Layer, ...]


def picture_of(space: ExpressionSpace, architecture: Architecture) -> Picture:
    """Find out what there is to draw of an architecture.

    Raises:
        SpaceError: if it is not an architecture of the space.
    """
    settled = space.settle(dict(architecture.choices))
    cells: list[CellPicture] = []
    paths: list[PathPicture] = []
    for instruction in reversed(space.program.instructions):
        if not isinstance(instruction, Compose):
            continue
        part = instruction.composite
        if any(name not in settled for name, _ in part.decisions()):
            continue  # in a branch that was not taken
        if isinstance(part, CellStack):
            cells += [_cell(cell, part.inputs, part.nodes(cell, settled)) for cell in part.kinds]
        elif isinstance(part, Trellis):
            paths.append(PathPicture(part.name, part.levels, part.path(settled)))
            if isinstance(part.body, Cell):
                cells.append(_cell(part.body, 2, part.nodes(settled)))
    layers = () if cells or paths else _layers(space, space.to_graph(architecture))
    return Picture(f"{space.name} {architecture.key}", tuple(cells), tuple(paths), layers)


def _cell(cell: Cell, inputs: int, nodes: tuple[SettledNode, ...]) -> CellPicture:
    names = ("c_{k-2}", "c_{k-1}") if inputs == 2 else ("c_{k-1}",)
    ends = {
        "loose": loose_ends(nodes, inputs),
        "all": tuple(range(len(nodes))),
        "last": (len(nodes) - 1,),
    }[cell.output]
    return CellPicture(cell.name, names, nodes, ends)


def _layers(space: ExpressionSpace, graph: Graph) -> tuple[Layer, ...]:
    places = {step.place for step in space.program.instructions if isinstance(step, Run)}
    groups: dict[str, list[int]] = {}
    for index, node in enumerate(graph.nodes[1:], 1):
        words = node.name.split(".")
        heads = (".".join(words[:count]) for count in range(len(words), 0, -1))
        groups.setdefault(next((head for head in heads if head in places), node.name), []).append(index)
    found = []
    for place, indices in groups.items():
        nodes = [graph.nodes[index] for index in indices]
        spatial = [node.op for node in nodes if isinstance(node.op, Conv | Pool)]
        shape = nodes[-1].shape
        sides = shape[1:] if len(shape) == 3 else (1, 1)
        found.append(
            Layer(
                place,
                shape[0],
                max(sides),
                str(sides[0]) if sides[0] == sides[1] else "x".join(map(str, sides)),
                max((max(op.kernel) for op in spatial), default=0),
                max((max(op.stride) for op in spatial), default=1),
            )
        )
    return tuple(found)


def steps_of(cell: CellPicture) -> list[str]:
    """The steps of each block in words, one line a block, and one for what leaves the cell."""
    lines = []
    for number, node in enumerate(cell.nodes, 1):
        taken = ", ".join(f"take {cell.source(source)}" for source in node.sources)
        applied = ", ".join(
            f"{'apply ' if term == 0 else ''}{_words(label)}"
            + (f" to the {_ordinal(term)}" if len(node.labels) > 1 else "")
            for term, label in enumerate(node.labels)
        )
        combined = f", {node.combine}" if len(node.labels) > 1 else ""
        lines.append(f"block {number}: {taken}, {applied}{combined}")
    ends = [f"block {end + 1}" for end in cell.ends]
    lines.append(f"output: concat {', '.join(ends)}" if len(ends) > 1 else f"output: {ends[0]}")
    return lines


def path_words(path: PathPicture) -> str:
    """The levels of a path in words."""
    arrows = " ".join(str(level) for level in path.path)
    return f"{path.name}: levels {arrows} (each level halves the map)"


def _words(label: str) -> str:
    return label.replace("_", " ")


def _ordinal(term: int) -> str:
    return _ORDINALS[term] if term < len(_ORDINALS) else f"{term + 1}th"


@dataclass
class _Canvas:
    """SVG elements and how far they reach."""

    width: float = 0
    height: float = 0
    elements: list[str] = field(default_factory=list)

    def box(self, x: float, y: float, width: float, height: float, fill: str, line: str = "none") -> None:
        self._reach(x + width, y + height)
        self.elements.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="4" fill="{fill}" '
            f'stroke="{line}"/>'
        )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        anchor: str = "start",
        bold: bool = False,
        fill: str = axes.INK,
    ) -> None:
        wide = _LETTER * len(words)
        self._reach(x + (wide if anchor == "start" else wide / 2 if anchor == "middle" else 0), y + 4)
        weight = ' font-weight="600"' if bold else ""
        self.elements.append(
            f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{fill}"{weight}>{escape(words)}</text>'
        )

    def line(self, points: Sequence[tuple[float, float]], colour: str, thick: float = 1.8) -> None:
        for x, y in points:
            self._reach(x, y)
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        self.elements.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{thick:g}"/>'
        )

    def dot(self, x: float, y: float, radius: float, fill: str, line: str = "none") -> None:
        self._reach(x + radius, y + radius)
        self.elements.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}" stroke="{line}"/>')

    def _reach(self, x: float, y: float) -> None:
        self.width, self.height = max(self.width, x), max(self.height, y)

    def finish(self, title: str) -> str:
        width, height = self.width + 20, self.height + 20
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
            f'viewBox="0 0 {width:g} {height:g}" '
            f'font-family="{escape(axes.FONT)}" font-size="12" role="img">\n'
            f"<title>{escape(title)}</title>\n"
            f'<rect width="100%" height="100%" fill="{axes.PAPER}"/>\n'
            + "\n".join(self.elements)
            + "\n</svg>\n"
        )


def draw(picture: Picture) -> str:
    """Draw an architecture.

    Returns:
        The text of an SVG file.
    """
    canvas = _Canvas()
    canvas.text(20, 26, picture.title, bold=True)
    top = 44.0
    for path in picture.paths:
        top = _draw_path(canvas, path, top)
    for cell in picture.cells:
        top = _draw_cell(canvas, cell, top)
    if picture.layers:
        _draw_layers(canvas, picture.layers, top)
    return canvas.finish(picture.title)


_ROW = 28
_LANE = 9
_OPERATION = 22


def _draw_cell(canvas: _Canvas, cell: CellPicture, top: float) -> float:
    """Draw a cell on its staircase; gives where the next drawing may begin."""
    canvas.text(20, top + 16, f"{cell.name.removesuffix('cell').strip()} cell".strip(), bold=True)
    top += 32
    inputs = len(cell.inputs)
    exits: list[tuple[float, float]] = []
    for name in cell.inputs:
        width = _LETTER * len(name) + 16
        canvas.box(20, top, width, _OPERATION, axes.GRID)
        canvas.text(28, top + 15, name)
        exits.append((20 + width, top + _OPERATION / 2))
        top += _ROW
    left = 20.0 + max(_LETTER * len(name) + 16 for name in cell.inputs)
    for number, node in enumerate(cell.nodes):
        left += 14 + _LANE * len(node.sources)
        top += 8
        wide = max(_LETTER * len(_words(label)) + 14 for label in node.labels)
        combined = f"{number + 1}: {node.combine}"
        mark = _LETTER * len(combined) + 16
        middle = top + (_ROW * len(node.labels) - _ROW + _OPERATION) / 2
        for term, (source, label) in enumerate(zip(node.sources, node.labels, strict=True)):
            y = top + _ROW * term + _OPERATION / 2
            _wire(canvas, exits[source], left - 8 - _LANE * term, (left, y), _colour(source))
            canvas.box(left, y - _OPERATION / 2, wide, _OPERATION, axes.PAPER, _colour(source))
            canvas.text(left + 7, y + 4, _words(label))
            knee = left + wide + 12
            canvas.line([(left + wide, y), (knee, y), (knee, middle), (knee + 12, middle)], axes.MUTED)
        right = left + wide + 24
        canvas.box(right, middle - 12, mark, 24, _colour(inputs + number))
        canvas.text(right + 8, middle + 4, combined, bold=True, fill=axes.PAPER)
        exits.append((right + mark, middle))
        left, top = right + mark, top + _ROW * len(node.labels)
    left += 14 + _LANE * len(cell.ends)
    height = _LANE * 2 * len(cell.ends) + 12
    for place, end in enumerate(cell.ends):
        y = top + 8 + 12 + _LANE * 2 * place
        _wire(canvas, exits[inputs + end], left - 8 - _LANE * place, (left, y), _colour(inputs + end))
    words = "output" if len(cell.ends) == 1 else "output: concat"
    canvas.box(left, top + 8, _LETTER * len(words) + 16, height, axes.GRID)
    canvas.text(left + 8, top + 8 + height / 2 + 4, words)
    return top + height + 36


def _colour(source: int) -> str:
    return _PALETTE[source % len(_PALETTE)]


def _wire(
    canvas: _Canvas, start: tuple[float, float], lane: float, end: tuple[float, float], colour: str
) -> None:
    canvas.dot(lane, start[1], 3, colour)
    canvas.line([start, (lane, start[1]), (lane, end[1]), end], colour)


def _draw_path(canvas: _Canvas, path: PathPicture, top: float) -> float:
    canvas.text(20, top + 16, f"{path.name}: the level of every layer", bold=True)
    step, left = 52, 90
    rows = [top + 46 + step * level for level in range(path.levels)]
    for level, y in enumerate(rows):
        canvas.text(20, y + 4, f"level {level}")
        for layer in range(len(path.path)):
            canvas.dot(left + step * layer, y, 8, axes.PAPER, axes.GRID)
    points = [(left + step * layer, rows[level]) for layer, level in enumerate(path.path)]
    canvas.line(points, axes.BLUE, 3)
    for x, y in points:
        canvas.dot(x, y, 8, axes.BLUE)
    bottom = rows[-1] + 30
    for layer in range(len(path.path)):
        canvas.text(left + step * layer, bottom, str(layer), anchor="middle", fill=axes.MUTED)
    canvas.text(left, bottom + 20, "layer; each level halves the map", fill=axes.MUTED)
    return bottom + 44


def _draw_layers(canvas: _Canvas, layers: Sequence[Layer], top: float) -> None:
    """A row for each layer: its channels and its map as bars of their own scales."""
    left = 30 + max(_LETTER * len(layer.place) for layer in layers)
    reach = 260
    columns: Mapping[str, float] = {
        "channels": left,
        "map": left + reach + 70,
        "kernel": left + 2 * reach + 130,
        "stride": left + 2 * reach + 190,
    }
    for name, x in columns.items():
        canvas.text(x, top + 12, name, fill=axes.MUTED)
    # The classes that leave the classifier are no width: they would dwarf the channels.
    most = max((layer.channels for layer in layers if layer.size > 1), default=1)
    largest = max(layer.size for layer in layers)
    for row, layer in enumerate(layers):
        y = top + 22 + 20 * row
        canvas.text(20, y + 12, layer.place)
        wide = min(reach, reach * layer.channels / most) if layer.size > 1 else 0
        if wide:
            canvas.box(columns["channels"], y, wide, 15, axes.BLUE)
        canvas.text(columns["channels"] + wide + 5, y + 12, str(layer.channels))
        wide = reach * layer.size / largest
        canvas.box(columns["map"], y, wide, 15, axes.ORANGE)
        canvas.text(columns["map"] + wide + 5, y + 12, layer.map)
        canvas.text(columns["kernel"], y + 12, f"{layer.kernel}" if layer.kernel else "-")
        canvas.text(columns["stride"], y + 12, f"{layer.stride}")
