from __future__ import annotations

from itertools import combinations, pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from netwright import blocks as B
from netwright.report.space_drawings import draw, path_words, picture_of, steps_of
from netwright.space import ExpressionSpace, place, sample, sequential
from netwright.space.cell_grammar import CellNode, cell, choose, each, five_steps
from netwright.space.cell_stack import cells
from netwright.space.compile import compile_space
from netwright.spaces.catalog import make_space

_SVG = "{http://www.w3.org/2000/svg}"
_NEAR = 0.01  # pixels; coordinates are rounded
_OPERATIONS = {name: B.cell_operation(name) for name in ("sep_conv_3x3", "avg_pool_3x3", "skip_connect")}


def cell_space(*nodes: CellNode, inputs: int = 2) -> ExpressionSpace:
    body = cell("normal", *nodes, output="loose" if inputs == 2 else "last")
    parts = (place("stem", B.conv_bn_act(out=8)), cells("cells", body, width=8, inputs=inputs))
    return compile_space(sequential(*parts, B.classifier(classes=3), input=(3, 8, 8)), "cells")


FIVE = cell_space(*[five_steps(_OPERATIONS)] * 5)
PAIRS = cell_space(*[choose(2, _OPERATIONS)] * 4)
EACH = cell_space(*[each(_OPERATIONS)] * 3, inputs=1)


@pytest.mark.parametrize("space", [FIVE, PAIRS, EACH], ids=["five", "pairs", "each"])
@pytest.mark.parametrize("seed", range(8))
def test_no_line_crosses_a_box_and_no_boxes_overlap(space: ExpressionSpace, seed: int) -> None:
    picture = picture_of(space, sample(space, np.random.default_rng(seed)))
    root = ElementTree.fromstring(draw(picture))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    boxes = []
    for element in root.iter(f"{_SVG}rect"):
        if element.attrib["width"] != "100%":
            x, y, w, h = (float(element.attrib[key]) for key in ("x", "y", "width", "height"))
            boxes.append((x + _NEAR, y + _NEAR, x + w - _NEAR, y + h - _NEAR))
            assert x + w < width
            assert y + h < height
    for (a, b, c, d), (e, f, g, h) in combinations(boxes, 2):
        assert c <= e or g <= a or d <= f or h <= b
    for element in root.iter(f"{_SVG}polyline"):
        points = [tuple(map(float, point.split(","))) for point in element.attrib["points"].split()]
        for (x0, y0), (x1, y1) in pairwise(points):
            for left, top, right, bottom in boxes:
                outside = (
                    max(x0, x1) <= left or min(x0, x1) >= right or max(y0, y1) <= top or min(y0, y1) >= bottom
                )
                assert outside


def test_five_steps_in_words() -> None:
    choices: dict[str, object] = {}
    for block in range(1, 6):
        choices |= {
            f"normal.{block}.input1": 0,
            f"normal.{block}.input2": block,
            f"normal.{block}.op1": "sep_conv_3x3",
            f"normal.{block}.op2": "avg_pool_3x3",
            f"normal.{block}.combine": "add",
        }
    (found,) = picture_of(FIVE, FIVE.architecture(choices)).cells
    lines = steps_of(found)
    assert lines[0] == (
        "block 1: take c_{k-2}, take c_{k-1}, "
        "apply sep conv 3x3 to the first, avg pool 3x3 to the second, add"
    )
    assert lines[4].startswith("block 5: take c_{k-2}, take block 4, ")
    assert lines[5] == "output: block 5"


def test_every_block_has_its_line() -> None:
    for space in (PAIRS, EACH):
        (found,) = picture_of(space, sample(space, np.random.default_rng(0))).cells
        lines = steps_of(found)
        assert [line.split(":")[0] for line in lines[:-1]] == [
            f"block {n}" for n in range(1, len(found.nodes) + 1)
        ]


def test_path_of_a_trellis() -> None:
    space = make_space("auto-deeplab-tiny")
    architecture = sample(space, np.random.default_rng(3))
    picture = picture_of(space, architecture)
    (path,) = picture.paths
    assert path.path[1:] == tuple(value for name, value in architecture if name.endswith(".level"))
    assert path_words(path).startswith(f"{path.name}: levels 0 ")
    root = ElementTree.fromstring(draw(picture))
    filled = [
        one for one in root.iter(f"{_SVG}circle") if one.attrib["r"] == "8" and one.attrib["stroke"] == "none"
    ]
    assert len(filled) == len(path.path)


def test_layers_of_a_chain_are_those_of_the_graph() -> None:
    space = make_space("ofa-mobilenet-v3", parameters={"resolution": 128})
    architecture = sample(space, np.random.default_rng(0))
    layers = {layer.place: layer for layer in picture_of(space, architecture).layers}
    graph = space.to_graph(architecture)
    assert layers["classifier"].channels == graph.nodes[-1].shape[0] == 1000
    kernels = {
        name.removesuffix(".kernel"): value for name, value in architecture if name.endswith(".kernel")
    }
    assert {place: layers[place].kernel for place in kernels} == kernels
    for layer in layers.values():
        inside = [node for node in graph.nodes if node.name.startswith(f"{layer.place}.")]
        if inside and len(inside[-1].shape) == 3:
            assert (layer.channels, layer.size) == inside[-1].shape[:2]


def test_same_architecture_same_drawing() -> None:
    architecture = sample(FIVE, np.random.default_rng(0))
    assert draw(picture_of(FIVE, architecture)) == draw(picture_of(FIVE, architecture))


def test_windows_are_drawn_by_their_length() -> None:
    """A map of height 1 is no vector: its channels and its samples are shown."""
    space = make_space("conv1d-tiny", (6, 1, 128), 4)
    picture = picture_of(space, sample(space, np.random.default_rng(0)))
    layers = {layer.place: layer for layer in picture.layers}
    assert (layers["stem"].size, layers["stem"].map) == (64, "1x64")
    assert (layers["classifier"].size, layers["classifier"].map) == (1, "1")
    assert "1x64" in draw(picture)
