"use strict";
// The page is whole without this script, its numbers stand in tables; it draws the charts with Vega-Lite, adds the values
// under the pointer, and zooms charts of one group together.
const LOOK = {
  background: null,
  font: "system-ui, sans-serif",
  view: {stroke: null},
  axis: {labelColor: "var(--soft)", titleColor: "var(--soft)", titleFontWeight: "normal", domainColor: "var(--line)",
    tickColor: "var(--line)", gridColor: "var(--line)", labelFontSize: 11, titleFontSize: 11, labelLimit: 150},
  legend: {labelColor: "var(--soft)", titleColor: "var(--soft)", titleFontWeight: "normal", labelFontSize: 11,
    titleFontSize: 11, orient: "top", direction: "horizontal", gradientThickness: 8, gradientLength: 180, offset: 2},
  text: {color: "var(--fg)", fontSize: 11},
  rule: {color: "var(--soft)"},
};
const shown = (value) => value === null ? "not finite" : String(Number(value.toPrecision(4)));

const rows = (columns) => {
  const names = Object.keys(columns), made = [];
  for (let at = 0; names.length && at < columns[names[0]].length; at++) {
    made.push(Object.fromEntries(names.map((name) => [name, columns[name][at]])));
  }
  return made;
};

class Curves {
  constructor(figure, points, keys, xLabel) {
    Object.assign(this, {figure, points, xLabel});
    const places = new Map();
    for (const point of points) {
      if (!places.has(point.x)) places.set(point.x, []);
      places.get(point.x).push(`${keys[Number(point.s)]} ${shown(point.y)}`);
    }
    const told = (x, words) => [`${xLabel} ${shown(x)}`, ...words].join("\n");
    this.at = [...places].map(([x, words]) => ({x, told: told(x, words)})).sort((a, b) => a.x - b.x);
    const ends = this.at.map((one) => one.x);
    this.whole = [ends[0], ends[ends.length - 1]];
    this.range = this.whole;
    this.cursor = -1;
  }
  // Values decide how high the chart is: those of the part that is seen.
  fit(view) {
    const seen = this.points.filter((one) => one.y !== null && one.x >= this.range[0] && one.x <= this.range[1]);
    if (!seen.length) return;
    let low = Infinity, high = -Infinity;
    for (const {y} of seen) { low = Math.min(low, y); high = Math.max(high, y); }
    if (this.range === this.whole) [low, high] = this.ends;
    else if (this.log) { const room = Math.max((high / low) ** 0.05, 1.001); low /= room; high *= room; }
    else { const room = 0.05 * (high - low) || Math.abs(low) / 2 || 0.5; low -= room; high += room; }
    view.signal("low", low).signal("high", high);
  }
  async show(range) {
    this.range = range;
    const whole = range === this.whole;
    this.quiet = true;
    this.fit(this.view);
    await this.view.signal("zoom_x", whole ? null : range).runAsync();
    this.quiet = false;
    this.back.hidden = whole;
  }
  attach(view, peers) {
    this.view = view;
    this.ends = [view.signal("low"), view.signal("high")];
    this.log = view.scale("y").type === "log";
    const all = (range) => peers().forEach((one) => one.show(range === null ? one.whole : range));
    view.addSignalListener("zoom_x", (_, range) => {
      if (this.quiet) return;
      clearTimeout(this.later);
      this.later = setTimeout(() => all(range && range.length ? [...range] : null), 80);
    });
    const scaled = (factor, shift = 0) => {
      const [low, high] = this.range, middle = (low + high) / 2 + shift * (high - low);
      const half = (high - low) / 2 * factor;
      const wide = half >= (this.whole[1] - this.whole[0]) / 2;
      all(wide ? null : [middle - half, middle + half]);
    };
    const bar = document.createElement("span");
    bar.className = "buttons";
    const button = (words, label, action) => {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = words;
      made.setAttribute("aria-label", label);
      made.addEventListener("click", action);
      bar.append(made);
      return made;
    };
    button("+", "zoom in", () => scaled(0.5));
    button("−", "zoom out", () => scaled(2));
    this.back = button("whole", "show the whole run", () => all(null));
    this.back.hidden = true;
    this.figure.querySelector("figcaption").append(bar);
    this.readout = document.createElement("output");
    this.readout.className = "readout";
    this.figure.append(this.readout);
    const keys = {"+": () => scaled(0.5), "=": () => scaled(0.5), "-": () => scaled(2), "0": () => all(null),
      ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1), Home: () => this.step(-Infinity),
      End: () => this.step(Infinity), PageUp: () => scaled(1, -0.5), PageDown: () => scaled(1, 0.5)};
    this.figure.querySelector(".vega").addEventListener("keydown", (event) => {
      const action = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    });
  }
  step(by) {
    const last = this.at.length - 1;
    this.cursor = Math.min(Math.max(this.cursor + by, 0), last);
    this.readout.textContent = this.at[this.cursor].told;
  }
}

const groups = new Map();

const draw = async (figure) => {
  const {spec, data} = JSON.parse(figure.querySelector("script").textContent);
  spec.datasets = Object.fromEntries(Object.entries(data).map(([name, columns]) => [name, rows(columns)]));
  let curves;
  if (figure.dataset.zoom) {
    const [xLabel, ...names] = JSON.parse(figure.dataset.zoom);
    curves = new Curves(figure, spec.datasets.points, names, xLabel);
    spec.datasets.at = curves.at;
  }
  const words = (value, safe) => (value.told === undefined ? Object.values(value) : [value.told]).filter((one) => one !== null && one !== "")
    .map((one) => `<p>${safe(String(one))}</p>`).join("");
  const options = {renderer: "svg", ast: true, actions: false, logLevel: 1, defaultStyle: false, config: LOOK,
    tooltip: {disableDefaultStyle: true, formatTooltip: words}};
  const place = figure.querySelector(".vega");
  const {view} = await vegaEmbed(place, spec, options);
  figure.view = view;
  place.querySelector("svg").setAttribute("aria-hidden", "true"); // the figure itself says what it shows
  if (!curves) return;
  const group = groups.get(figure.dataset.group) ?? [];
  groups.set(figure.dataset.group, [...group, curves]);
  figure.curves = curves;
  curves.attach(view, () => groups.get(figure.dataset.group));
};

(async () => {
  // In the order of the page, each in a turn of its own, so that the first ones are seen at once.
  for (const figure of document.querySelectorAll("figure.chart")) {
    await draw(figure).catch((error) => console.error(error));
    await new Promise((done) => setTimeout(done, 0));
  }
  document.documentElement.classList.add("drawn");
})();
for (const part of document.querySelectorAll("details")) {
  part.addEventListener("toggle", () => window.dispatchEvent(new Event("resize"))); // a chart in it had no width before
}
let shut = [];
addEventListener("beforeprint", () => {
  shut = [...document.querySelectorAll("details.print:not([open])")];
  for (const part of shut) part.open = true;
});
addEventListener("afterprint", () => { for (const part of shut) part.open = false; });
