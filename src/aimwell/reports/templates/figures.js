"use strict";
// Draws the figures of a page; the page's own script follows in the same element.
const figures = (() => {
const data = JSON.parse(document.getElementById("aimwell-data").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");

// ---- figures: drawn when first seen, in the colours of the reader's theme
const drawn = new Set();
const themed = (value, palette) => {
  if (typeof value === "string") {
    return value.includes("var(--")
      ? value.replace(/var\(--(\w+)\)/g, (whole, role) => palette[role] || whole) : value;
  }
  if (Array.isArray(value)) return value.map((v) => themed(v, palette));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, themed(v, palette)]));
  }
  return value;
};
const given = new Map();
const draw = (place, palette) => {
  const figure = given.get(place) || data.figures[place.dataset.figure];
  if (!figure) return;
  const colours = palette || data.palettes[dark.matches ? "dark" : "light"];
  const made = themed(figure, colours);
  const family = getComputedStyle(document.body).fontFamily;
  Object.assign(made.layout, {
    autosize: true,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family, size: 12.5, color: colours.ink },
    hoverlabel: {
      bgcolor: colours.surface, bordercolor: colours.faint, align: "left",
      font: { family, size: 12.5, color: colours.ink },
    },
    modebar: { color: colours.faint, activecolor: colours.accent, bgcolor: "rgba(0,0,0,0)" },
  });
  Plotly.react(place, made.data, made.layout, {
    displaylogo: false,
    responsive: true,
    scrollZoom: false,
    displayModeBar: figure.layout.dragmode === false ? false : "hover",
    // named one by one: the default set can send the figure to a server
    modeBarButtons: [["toImage", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
    toImageButtonOptions: { format: "svg", filename: place.dataset.figure || "figure" },
  });
  drawn.add(place);
};
const places = [...document.querySelectorAll(".plot")];
const visible = (place) => !place.closest("[hidden]");
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting && !drawn.has(entry.target)) draw(entry.target);
  }
}, { rootMargin: "400px" });
for (const place of places) {
  const figure = data.figures[place.dataset.figure];
  if (figure) place.style.height = `${figure.layout.height}px`;
  watcher.observe(place);
}
const listeners = [];
const palette = () => data.palettes[dark.matches ? "dark" : "light"];
const tell = (colours) => listeners.forEach((listener) => listener(colours));
dark.addEventListener("change", () => {
  drawn.forEach((place) => draw(place));
  tell(palette());
});
window.addEventListener("beforeprint", () => {
  for (const place of places) if (visible(place)) draw(place, data.palettes.light);
  tell(data.palettes.light);
});
window.addEventListener("afterprint", () => {
  drawn.forEach((place) => draw(place));
  tell(palette());
});
// a figure that came later than the page
const drawFigure = (place, figure) => {
  given.set(place, figure);
  draw(place);
};
return { data, draw, drawFigure, drawn, palette, onTheme: (listener) => listeners.push(listener) };
})();
