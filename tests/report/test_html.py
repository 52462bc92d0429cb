from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from netwright.devices import budget_for, format_cost
from netwright.report import ReportContent, render_report, tables, write_report
from tests.report.sample import (
    CLASSES,
    HOSTILE,
    hostile_content,
    lonely_content,
    pixel_content,
    sample_content,
)


class _Page(HTMLParser):
    """What a browser would see of a page: elements, texts outside of scripts, and scripts."""

    _VOID = ("meta", "br", "img", "link", "input", "path", "circle")

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self._VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in self._VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).replace("\u00a0", " ").split())

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def content() -> ReportContent:
    return sample_content()


@pytest.fixture(scope="module")
def page(content: ReportContent) -> _Page:
    return _Page(render_report(content))


def test_everything_is_closed_and_ids_are_unique(page: _Page) -> None:
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [attributes["href"] for attributes in page.attributes("a")]
    assert all(target is not None and target[1:] in ids for target in targets)


def test_it_needs_no_other_file(page: _Page) -> None:
    loads = [(tag, a) for tag, a in page.elements if "src" in a or tag in ("link", "iframe", "object")]

    assert loads == []
    policy = next(a["content"] for a in page.attributes("meta") if "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_plotly_is_there_once(page: _Page) -> None:
    assert sum("plotly.js v" in script for script in page.scripts) == 1


def test_every_figure_has_its_data_and_a_description(page: _Page) -> None:
    canvases = [a for a in page.attributes("div") if a.get("class") == "canvas"]
    scripts = dict(zip((a.get("id") for a in page.attributes("script")), page.scripts, strict=True))

    assert [canvas["id"] for canvas in canvases] == [
        "plot-over-macs",
        "plot-over-params",
        "plot-over-arena_bytes",
        "plot-over-flash_bytes",
        "plot-progress",
        "plot-curves",
        "plot-memory",
        "plot-confusion",
    ]
    for canvas in canvases:
        spec = json.loads(scripts[canvas["data-spec"]])
        assert spec["data"]
        assert spec["layout"]["xaxis"]["title"]["text"]
        assert canvas["role"] == "img"
        assert canvas["aria-label"]


def test_tables_have_captions_and_scoped_headings(page: _Page) -> None:
    assert page.count("table") == page.count("caption") >= 8
    assert all("scope" in attributes for attributes in page.attributes("th"))


@pytest.mark.parametrize(
    ("further", "heads"),
    [
        ({}, ["MACs", "Parameters", "Weights", "Peak memory"]),
        ({"latency_ns": 5}, ["MACs", "Parameters", "Weights", "Peak memory", "Latency"]),
        (None, ["MACs", "Parameters", "Arena", "File"]),
    ],
)
def test_the_best_trials_have_a_heading_for_each_cost(
    content: ReportContent, further: dict[str, int] | None, heads: list[str]
) -> None:
    if further is not None:
        trials = tuple(replace(trial, costs={**trial.costs, **further}) for trial in content.trials)
        content = replace(content, trials=trials, further_costs=further)
    table = render_report(content).partition("The best 10 trials")[2].partition("</table>")[0]
    rows = [re.sub(r"<[^>]+>", "|", row).split("|") for row in re.findall(r"<tr.*?</tr>", table)]
    head, first = ([cell for cell in row if cell.strip()] for row in rows[:2])
    assert head == ["Trial", "Architecture", "Validation", *heads, "Time"]
    best = tables.best_trials(content, 1)[0]
    costs = {trial.number: trial.costs for trial in content.trials}[best.number]
    shown = [format_cost(name, costs[name], exact=False) for name in content.cost_names]
    assert first[-1 - len(heads) : -1] == list(best.costs) == shown


def test_the_verdict_comes_first(page: _Page) -> None:
    text = page.text

    assert text.index("92.31 %") < text.index("fits nrf52840") < text.index("Accuracy over cost One dot")
    assert "test accuracy 91.77 to 92.82 % : 95 % interval, 10,000 images" in text
    assert "fits: 50.2 % of the limit, 5.98M to spare" in text
    assert "SRAM 256 KB - 16 KB kept for the program = 240 KB for the tensor arena (nrf52840)" in text
    assert "269,105,556,096 architectures; between 259,985,159,567 and 259,985,565,051 of them fit" in text


def test_what_does_not_fit_says_so(content: ReportContent) -> None:
    tight = budget_for(max_macs="1M").check(content.cost.totals())

    text = _Page(render_report(replace(content, verdict=tight))).text

    assert "✕ does not fit nrf52840" in text
    assert "does not fit: 5.02M over the limit" in text


def test_how_to_repeat_it(page: _Page, content: ReportContent) -> None:
    text = page.text

    assert content.command in text
    assert content.data_fingerprint in text
    for name, version in content.versions.items():
        assert f"{name} {version}" in text
    assert "Search, wall time 21 min 24 s" in text
    assert "Trials failed 2" in text
    assert 'netwright.load("runs/fashion/export")' in text


def test_names_are_never_markup(page: _Page) -> None:
    hostile = _Page(render_report(hostile_content()))

    assert hostile.open == []
    assert hostile.count("img") == 0
    assert hostile.count("script") == page.count("script")
    assert hostile.text.count(HOSTILE) >= 8
    # The end of a script element is the only thing in it that a name could forge.
    specs = [script for script in hostile.scripts if script.startswith("{")]
    assert len(specs) == 8
    assert all("<" not in spec for spec in specs)


def test_the_least_there_can_be() -> None:
    text = _Page(render_report(lonely_content())).text

    assert "no limits" in text
    assert "The only complete trial" in text
    assert "Class by class" not in text
    assert "Full training of the finalists" not in text


def test_no_complete_trial(content: ReportContent) -> None:
    failed = _Page(render_report(replace(content, trials=content.failed)))
    none = _Page(render_report(replace(content, trials=(), candidates=())))

    assert "No trial was completed." in failed.text
    assert "2 trials failed; the search went on" in failed.text
    assert "No trial was completed." in none.text


@pytest.mark.parametrize(
    ("low", "high", "size", "text"),
    [
        (10, 10, 10, "has 10 architectures; all of them fit."),
        (3, 3, 10, "3 of them fit (30.0 %)."),
        (0, 0, 10, "0 of them fit (none)."),
        (5, 5, 10**7, "5 of them fit (one in 2.00 × 10^6)."),
        (2, 4, 10**4, "between 2 and 4 of them fit (one in 5,000 to one in 2,500)."),
        (1, 1, 1, "has 1 architecture; all of them fit."),
    ],
)
def test_how_many_fit(content: ReportContent, low: int, high: int, size: int, text: str) -> None:
    counted = replace(content, space_size=size, fitting_lower=low, fitting_upper=high)

    assert text in _Page(render_report(counted)).text


def test_long_tables_scroll_and_short_ones_do_not() -> None:
    assert re.search(r'class="scroll tall" tabindex="0"', render_report(hostile_content()))
    assert not re.search(r'class="scroll tall"', render_report(sample_content()))


def test_writing_replaces_the_file_and_leaves_nothing_else(tmp_path: Path, content: ReportContent) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")

    write_report(target, content)

    assert target.read_text(encoding="utf-8") == render_report(content)
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, content: ReportContent) -> None:
    target = tmp_path / "report.html"
    target.mkdir()

    with pytest.raises(OSError, match=r"report\.html"):
        write_report(target, content)

    assert list(tmp_path.iterdir()) == [target]


def test_the_report_needs_neither_torch_nor_optuna() -> None:
    code = "import sys, netwright.report; print({'torch', 'optuna', 'sklearn'} & set(sys.modules))"

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "set()"


# -- labels of pixels


def test_pixels_bear_the_labels() -> None:
    page = _Page(render_report(pixel_content()))
    text = page.text

    assert page.open == []
    assert text.index("test mean IoU 91.77 to") < text.index("Mean IoU over cost One dot")
    assert "test pixel accuracy 94.00 %" in text
    assert "The best 10 trials by validation mean IoU" in text
    assert "Best validation mean IoU so far" in text
    assert "IoU on the test pixels of each class" in text
    assert "Confusion matrix on the test pixels, in % of the row" in text
    assert "accuracy" not in text.lower().replace("test pixel accuracy", "")
    figures = [a["aria-label"] for a in page.attributes("div") if a.get("class") == "canvas"]
    assert not any("accuracy" in (label or "") for label in figures)


def test_examples_are_pictures_with_words() -> None:
    page = _Page(render_report(pixel_content()))
    pictures = page.attributes("img")

    assert len(pictures) == 3 * 7
    assert all((one["src"] or "").startswith("data:image/png;base64,") for one in pictures)
    assert [one["alt"] for one in pictures[3:6]] == ["image", "true: Trouser", "predicted: T-shirt/top"]
    assert "100.0 % T-shirt/top 90.0 % Trouser → T-shirt/top 80.0" in page.text
    assert "Some images of the test set" in page.text


def test_names_of_pixels_are_escaped() -> None:
    page = render_report(pixel_content(("background", HOSTILE, *CLASSES[1:])))
    assert HOSTILE not in page
    assert _Page(page).open == []
