"use strict";
// Every chart is whole without this script; it adds the value under the pointer, and zooming along x.
const SVG = "http://www.w3.org/2000/svg";
const element = (name, attributes, text) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
};
const shown = (value) => value === null ? "not finite" : String(Number(value.toPrecision(4)));

class Chart {
  constructor(figure) {
    this.figure = figure;
    this.svg = figure.querySelector("svg");
    Object.assign(this, JSON.parse(figure.dataset.chart));
    [this.left, this.right, this.top, this.bottom] = this.box;
    const all = this.series.flatMap((one) => one.x).filter((x) => x !== null);
    this.whole = [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))];
    if (this.whole[0] === this.whole[1]) this.whole = [this.whole[0] - 0.5, this.whole[1] + 0.5];
    this.range = this.whole;
    this.readout = document.createElement("output");
    this.readout.hidden = true;
    this.back = document.createElement("button");
    this.back.textContent = "show all";
    this.back.hidden = true;
    this.back.addEventListener("click", () => this.zoom(this.whole));
    figure.append(this.readout);
    figure.querySelector("figcaption").append(this.back);
    this.over = element("g", {});
    const on = (name, action) => this.svg.addEventListener(name, action);
    on("pointerdown", (event) => { this.from = this.x(event); this.svg.setPointerCapture(event.pointerId); });
    on("pointermove", (event) => this.point(event));
    on("pointerup", (event) => this.release(event));
    on("pointerleave", () => this.clear());
    on("dblclick", () => this.zoom(this.whole));
  }
  x(event) {
    const box = this.svg.getBoundingClientRect();
    const at = (event.clientX - box.left) / box.width * this.svg.viewBox.baseVal.width;
    const share = (Math.min(Math.max(at, this.left), this.right) - this.left) / (this.right - this.left);
    return this.range[0] + share * (this.range[1] - this.range[0]);
  }
  px(x) {
    return this.left + (x - this.range[0]) / (this.range[1] - this.range[0]) * (this.right - this.left);
  }
  py(y) {
    const along = this.log ? Math.log10(y) : y;
    return this.bottom - (along - this.low) / (this.high - this.low) * (this.bottom - this.top);
  }
  seen(one, index) {
    return one.x[index] !== null && one.y[index] !== null && (!this.log || one.y[index] > 0);
  }
  scale() {
    let low = Infinity, high = -Infinity;
    for (const one of this.series) one.x.forEach((x, index) => {
      if (!this.seen(one, index) || x < this.range[0] || x > this.range[1]) return;
      const along = this.log ? Math.log10(one.y[index]) : one.y[index];
      low = Math.min(low, along);
      high = Math.max(high, along);
    });
    if (low > high) return false;
    const half = low === high ? Math.abs(low) / 2 || 0.5 : 0;
    [this.low, this.high] = [low - half, high + half];
    return true;
  }
  zoom(range) {
    const before = this.range;
    this.range = range;
    if (!this.scale()) { this.range = before; this.scale(); return; }
    this.back.hidden = range === this.whole;
    this.draw();
  }
  draw() {
    const parts = [];
    for (let tick = 0; tick < 5; tick++) {
      const share = tick / 4, along = this.low + share * (this.high - this.low);
      const y = this.bottom - share * (this.bottom - this.top);
      const x = this.left + share * (this.right - this.left);
      parts.push(element("line", {class: "grid", x1: this.left, x2: this.right, y1: y, y2: y}));
      parts.push(element("text", {x: this.left - 6, y: y + 4, "text-anchor": "end"},
        shown(this.log ? 10 ** along : along)));
      parts.push(element("text", {x, y: this.bottom + 16, "text-anchor": tick === 4 ? "end" : "middle"},
        shown(this.range[0] + share * (this.range[1] - this.range[0]))));
    }
    parts.push(element("text", {x: (this.left + this.right) / 2, y: this.bottom + 32, "text-anchor": "middle"}, this.x_label));
    this.marks.forEach((mark, row) => {
      if (mark.x < this.range[0] || mark.x > this.range[1]) return;
      const x = this.px(mark.x), end = x > this.right * 0.7;
      parts.push(element("line", {class: "mark", x1: x, x2: x, y1: this.top, y2: this.bottom}));
      parts.push(element("text", {class: "mark", x: x + (end ? -3 : 3), y: this.top + 10 + 14 * row,
        "text-anchor": end ? "end" : "start"}, mark.name));
    });
    this.series.forEach((one, index) => parts.push(element("path", {class: `curve c${index}`, d: this.path(one)})));
    this.svg.replaceChildren(...parts);
  }
  path(one) {
    let drawn = "", down = false;
    one.x.forEach((x, index) => {
      const inside = this.seen(one, index) && x >= this.range[0] && x <= this.range[1];
      if (inside) drawn += `${down ? "L" : "M"}${this.px(x).toFixed(1)} ${this.py(one.y[index]).toFixed(1)}`;
      down = inside;
    });
    return drawn && !drawn.includes("L") ? `${drawn} h0` : drawn;
  }
  nearest(one, x) {
    let best = -1;
    one.x.forEach((at, index) => {
      if (at === null || at < this.range[0] || at > this.range[1]) return;
      if (best < 0 || Math.abs(at - x) < Math.abs(one.x[best] - x)) best = index;
    });
    return best;
  }
  point(event) {
    if (this.low === undefined) this.scale();
    const at = this.x(event), parts = [], told = [];
    this.series.forEach((one, index) => {
      const near = this.nearest(one, at);
      if (near < 0) return;
      told.push(`${one.name} ${shown(one.y[near])}  (${this.x_label} ${shown(one.x[near])})`);
      if (this.seen(one, near)) parts.push(element("circle",
        {class: `dot c${index}`, r: 4, cx: this.px(one.x[near]), cy: this.py(one.y[near])}));
    });
    const x = this.px(at);
    parts.push(element("line", {class: "hair", x1: x, x2: x, y1: this.top, y2: this.bottom}));
    if (this.from !== undefined) {
      const begin = this.px(this.from);
      parts.push(element("rect", {class: "zone", x: Math.min(begin, x), width: Math.abs(x - begin),
        y: this.top, height: this.bottom - this.top}));
    }
    this.over.replaceChildren(...parts);
    this.svg.append(this.over);
    this.readout.textContent = told.join("\n");
    this.readout.hidden = !told.length;
    const late = x > (this.left + this.right) / 2;
    this.readout.style.left = late ? "5rem" : "auto";
    this.readout.style.right = late ? "auto" : "1rem";
  }
  release(event) {
    const to = this.x(event), from = this.from;
    this.from = undefined;
    if (from !== undefined && Math.abs(this.px(to) - this.px(from)) > 5)
      this.zoom([Math.min(from, to), Math.max(from, to)]);
    this.clear();
  }
  clear() {
    this.over.remove();
    this.readout.hidden = true;
    this.from = undefined;
  }
}
for (const figure of document.querySelectorAll("figure[data-chart]")) new Chart(figure);
