from __future__ import annotations

import pytest

from netwright.ir.cost import cost
from netwright.ir.graph import GraphBuilder
from netwright.ir.memory import MemoryModel, fuse
from netwright.ir.ops import Add, Conv
from netwright.models import mobilenet_v3_large
from netwright.report import ReportContent
from netwright.report.memory import memory_over_time
from tests.report.sample import sample_content


@pytest.fixture(scope="module")
def content() -> ReportContent:
    return sample_content()


@pytest.mark.parametrize("model", ["standard", "inplace-depthwise"])
def test_stacks_sum_to_the_memory_of_each_step(model: MemoryModel) -> None:
    graph = mobilenet_v3_large()
    figures = cost(graph, memory_model=model)

    figure = memory_over_time(graph, figures)

    totals = [sum(parts) for parts in zip(*(trace.y for trace in figure.data), strict=True)]
    assert totals == [row.memory.bytes for row in figures.nodes if row.memory is not None]
    assert max(totals) == figures.peak_activation_bytes
    assert all(size >= 0 for trace in figure.data for size in trace.y)


def test_a_skip_connection_is_kept_for_a_later_step() -> None:
    build = GraphBuilder()
    x = build.input((8, 4, 4))
    wide = build.apply("expand", Conv(48), x)
    narrow = build.apply("project", Conv(8), wide)
    graph = build.finish(build.apply("add", Add(), x, narrow))

    figure = memory_over_time(graph, cost(graph))

    by_name = {trace.name: list(trace.y) for trace in figure.data}
    assert by_name["read by the step"] == [0, 128, 768, 256]
    assert by_name["written by the step"] == [128, 768, 128, 128]
    assert by_name["kept for a later step"] == [0, 0, 128, 0]


def test_peak_is_marked_at_its_step(content: ReportContent) -> None:
    figure = memory_over_time(content.graph, content.cost)

    steps, _ = fuse(content.graph)
    (mark,) = figure.layout.annotations
    assert steps[int(mark.x)].node.name == content.cost.peak_node
    assert mark.y == content.cost.peak_activation_bytes
    assert content.cost.peak_node in mark.text


def test_near_limit_is_a_line_and_a_distant_one_words(content: ReportContent) -> None:
    peak = content.cost.peak_activation_bytes

    near = memory_over_time(content.graph, content.cost, limit=2 * peak)
    distant = memory_over_time(content.graph, content.cost, limit=10 * peak)

    assert any(line.y0 == line.y1 == 2 * peak for line in near.layout.shapes)
    assert near.layout.yaxis.range[1] > 2 * peak
    assert distant.layout.yaxis.range[1] < 2 * peak
    assert any("10 × the peak" in note.text for note in distant.layout.annotations)


def test_box_of_a_step_names_the_largest_tensors(content: ReportContent) -> None:
    figure = memory_over_time(content.graph, content.cost)

    at = [row.name for row in content.cost.nodes if row.memory is not None].index("stage1.0.depthwise.conv")
    text = figure.data[0].text[at]
    assert text.startswith(
        "<b>stage1.0.depthwise.conv</b><br>conv 5×5, depthwise, stride 2: 30.6 KB in memory"
    )
    assert "24.5 KB stage1.0.expand.conv" in text
