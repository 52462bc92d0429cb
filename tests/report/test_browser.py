"""The page as a browser draws it: figures, no complaints, no overflow on a narrow screen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from netwright.report import ReportContent, render_report
from tests.report.sample import front_content, hostile_content, lonely_content, pixel_content, sample_content

pytestmark = [pytest.mark.browser, pytest.mark.slow]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    # Time of the page runs until nothing is left to do, so a busy machine changes nothing.
    "--virtual-time-budget=10000",
)

# A script in the page and not around it: pages from files may not look into each other.
_PROBE = """<script>setTimeout(() => parent.postMessage({
  overflow: document.documentElement.scrollWidth - window.innerWidth,
  images: document.querySelectorAll("img").length,
  figures: Object.fromEntries(Array.from(document.querySelectorAll(".canvas"), (canvas) => [canvas.id, {
    drawings: canvas.querySelectorAll("svg.main-svg").length,
    points: canvas.querySelectorAll(".scatterlayer .point").length,
    bars: canvas.querySelectorAll(".barlayer .point").length,
    cells: canvas.querySelectorAll(".hm image").length,
    texts: Array.from(canvas.querySelectorAll("text"), (text) => text.textContent),
    surplus: canvas.querySelector("svg.main-svg").getBoundingClientRect().width - canvas.clientWidth,
  }])),
}, "*"), 2000)</script>"""

_FRAME = """<!DOCTYPE html><title>frame</title>
<iframe src="page.html" style="width: {width}px; height: 800px; border: 0"></iframe><pre></pre>
<script>addEventListener("message", (event) => {{
  document.querySelector("pre").textContent = JSON.stringify(event.data);
}})</script>"""


@pytest.fixture(scope="module")
def chromium() -> str:
    for name in _NAMES:
        path = shutil.which(name)
        if path is not None:
            return path
    message = f"expected one of {', '.join(_NAMES)} on the path; install Chromium (apt-get install chromium)"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def _browse(chromium: str, page: Path, *options: str) -> str:
    """Open a page in a fresh profile and give what was written; fails if the page complains."""
    profile = page.parent / "profile"
    shutil.rmtree(profile, ignore_errors=True)
    profile.mkdir()
    done = subprocess.run(
        [chromium, *_FLAGS, f"--user-data-dir={profile}", *options, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    complaints = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    assert complaints == []
    return done.stdout


def _probe(chromium: str, folder: Path, content: ReportContent, width: int) -> dict[str, Any]:
    """What the page looks like in a frame of a given width."""
    page = render_report(content)
    (folder / "page.html").write_text(page.replace("</body>", f"{_PROBE}</body>"), encoding="utf-8")
    (folder / "frame.html").write_text(_FRAME.format(width=width), encoding="utf-8")
    document = _browse(chromium, folder / "frame.html", "--dump-dom", "--window-size=1300,900")
    found: dict[str, Any] = json.loads(unescape(document.partition("<pre>")[2].partition("</pre>")[0]))
    return found


def test_figures_are_drawn(chromium: str, tmp_path: Path) -> None:
    content = sample_content()

    found = _probe(chromium, tmp_path, content, 1200)

    figures = found["figures"]
    assert len(figures) == 8
    assert all(figure["drawings"] >= 1 for figure in figures.values())
    for metric in ("macs", "params", "arena_bytes", "flash_bytes"):
        assert figures[f"plot-over-{metric}"]["points"] > len(content.complete) + 1
    # Each trial, the three finalists' rings, and the two that failed.
    assert figures["plot-progress"]["points"] == 28 + 3 + 2
    assert figures["plot-curves"]["points"] == sum(len(one.curve) for one in content.candidates)
    steps = sum(row.memory is not None for row in content.cost.nodes)
    assert figures["plot-memory"]["bars"] == 3 * steps
    assert any("peak 30.6 KB at" in text for text in figures["plot-memory"]["texts"])
    assert figures["plot-confusion"]["cells"] == 1
    assert "906" in figures["plot-confusion"]["texts"]
    assert "limit 12M" in figures["plot-over-macs"]["texts"]


@pytest.mark.parametrize("width", [1200, 400])
def test_nothing_is_wider_than_the_screen(chromium: str, tmp_path: Path, width: int) -> None:
    for content in (sample_content(), hostile_content()):
        found = _probe(chromium, tmp_path, content, width)

        assert found["overflow"] <= 0
        assert all(abs(figure["surplus"]) < 1 for figure in found["figures"].values())


def test_names_are_shown_and_not_run(chromium: str, tmp_path: Path) -> None:
    found = _probe(chromium, tmp_path, hostile_content(), 1200)

    assert found["images"] == 0
    assert all(figure["drawings"] >= 1 for figure in found["figures"].values())
    assert any(
        "<img src=x" in text or "<img s" in text for text in found["figures"]["plot-confusion"]["texts"]
    )


def test_examples_are_shown(chromium: str, tmp_path: Path) -> None:
    content = pixel_content()
    for width in (1200, 400):
        found = _probe(chromium, tmp_path, content, width)

        assert found["images"] == 3 * len(content.examples)
        assert found["overflow"] <= 0
        assert len(found["figures"]) == 8


@pytest.mark.parametrize("width", [1200, 400])
def test_a_front_of_several_objectives_is_drawn(chromium: str, tmp_path: Path, width: int) -> None:
    content = front_content("macs", "params", "peak_activation_bytes")
    found = _probe(chromium, tmp_path, content, width)

    figures = found["figures"]
    assert content.front is not None
    for metric in ("macs", "params", "peak_activation_bytes"):
        # Every trial, the rings of two that were trained in full, and the winner.
        assert figures[f"plot-front-{metric}"]["points"] == len(content.complete) + 2 + 1
    assert "Parameters" in figures["plot-front-macs"]["texts"]  # the bar of colours
    assert figures["plot-hypervolume"]["drawings"] >= 1
    assert found["overflow"] <= 0
    assert all(abs(figure["surplus"]) < 1 for figure in figures.values())


def test_the_least_there_can_be_is_drawn(chromium: str, tmp_path: Path) -> None:
    found = _probe(chromium, tmp_path, lonely_content(), 1200)

    assert len(found["figures"]) == 6
    assert all(figure["drawings"] >= 1 for figure in found["figures"].values())


@pytest.mark.parametrize(("scheme", "background"), [(1, (255, 255, 255)), (0, (22, 25, 29))])
def test_screenshot_has_the_colours_of_the_figures(
    chromium: str, tmp_path: Path, scheme: int, background: tuple[int, int, int]
) -> None:
    (tmp_path / "page.html").write_text(render_report(sample_content()), encoding="utf-8")
    picture = tmp_path / "page.png"

    _browse(
        chromium,
        tmp_path / "page.html",
        f"--screenshot={picture}",
        "--window-size=1200,3600",
        "--hide-scrollbars",
        f"--blink-settings=preferredColorScheme={scheme}",
    )

    with Image.open(picture) as image:
        pixels = image.convert("RGB")
    assert pixels.getpixel((2, 2)) == background
    counts = {colour: count for count, colour in pixels.getcolors(maxcolors=2**24) or ()}
    sky = (86, 180, 233) if scheme else (134, 205, 242)
    # The bars of what a step reads, the star of the winner, tensors that are kept.
    assert counts.get(sky, 0) > 3000
    assert counts.get((230, 159, 0), 0) > 300
    assert counts.get((204, 121, 167), 0) > 300
