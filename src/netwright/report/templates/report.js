"use strict";
// Draws the figures: their data stand beside them as JSON. Colours follow the page, light or dark, on paper light.
(function () {
  const darkColours = {{ dark | tojson }};
  const darkPage = window.matchMedia("(prefers-color-scheme: dark)");
  const touch = window.matchMedia("(hover: none)").matches;
  const config = {
    displaylogo: false,
    displayModeBar: touch ? false : "hover",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
    showTips: false,
  };
  const canvases = Array.from(document.querySelectorAll(".canvas"));

  // An async function, so that a figure which cannot be drawn is reported and does not hold up the others.
  async function draw(canvas, dark) {
    let text = document.getElementById(canvas.dataset.spec).textContent;
    if (dark) {
      for (const [light, other] of Object.entries(darkColours)) text = text.replaceAll(light, other);
    }
    const spec = JSON.parse(text);
    // On a touch screen a drag over a figure must scroll the page.
    if (touch) spec.layout.dragmode = false;
    spec.layout.width = canvas.clientWidth;
    await Plotly.react(canvas, spec.data, spec.layout, config);
  }

  const drawAll = (dark) => Promise.all(canvases.map((canvas) => draw(canvas, dark)));
  const fit = (canvas) => {
    const width = canvas.clientWidth;
    if (canvas.layout && width > 0 && canvas.layout.width !== width) Plotly.relayout(canvas, { width });
  };
  const observer = new ResizeObserver((entries) => entries.forEach((entry) => fit(entry.target)));
  drawAll(darkPage.matches).then(() => canvases.forEach((canvas) => observer.observe(canvas)));
  darkPage.addEventListener("change", () => drawAll(darkPage.matches));

  // Paper is light and narrow, and the observer would only be called after the page is on it.
  function print(starts) {
    document.body.classList.toggle("print", starts);
    drawAll(!starts && darkPage.matches);
  }
  window.addEventListener("beforeprint", () => print(true));
  window.addEventListener("afterprint", () => print(false));
})();
