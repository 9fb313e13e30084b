// One panel of curves: a table of the newest values, which is its legend, over an SVG chart.
// The live view's module is this file followed by train_view.js.

const HEIGHT = 180;
const MARGIN = { top: 12, right: 12, bottom: 20, left: 44 };
const SVG = "http://www.w3.org/2000/svg";

function add(parent, tag, attributes = {}, text = "") {
  const isSvg = tag === "svg" || parent.namespaceURI === SVG;
  const node = isSvg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  return parent.appendChild(node);
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function formatValue(value) {
  if (value == null) return "–";
  const size = Math.abs(value);
  if (size >= 1e5 || (size > 0 && size < 1e-3)) return value.toExponential(2);
  return value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : 4);
}

function formatTick(value) {
  const size = Math.abs(value);
  return size >= 1e5 || (size > 0 && size < 1e-3) ? value.toExponential(0) : String(Number(value.toPrecision(4)));
}

// The nearest number of the form 1, 2 or 5 times a power of ten, not below `value`, or with `down` not above it.
function roundNumber(value, down = false) {
  const power = 10 ** Math.floor(Math.log10(value));
  const factors = down ? [5, 2, 1] : [1, 2, 5, 10];
  return power * factors.find((factor) => (down ? factor * power <= value * 1.000001 : factor * power >= value * 0.999999));
}

function multiples(low, high, step) {
  const first = Math.ceil(low / step - 1e-6);
  const count = Math.floor(high / step + 1e-6) - first + 1;
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

// The ends snap to ticks, so that an axis moves seldom while a training goes on.
function linearScale(low, high) {
  const step = roundNumber((high - low || Math.abs(high) || 1) / 4);
  const ends = [Math.floor(low / step) * step, Math.ceil(high / step) * step];
  if (ends[0] === ends[1]) ends[1] += step;
  return { ticks: multiples(...ends, step), place: (value) => (value - ends[0]) / (ends[1] - ends[0]) };
}

function logScale(low, high) {
  const ends = [roundNumber(low, true), roundNumber(high)];
  const decades = Math.log10(ends[1] / ends[0]);
  const powers = multiples(Math.log10(ends[0]), Math.log10(ends[1]), Math.ceil(decades / 4)).map((power) => 10 ** power);
  return { ticks: powers, place: (value) => Math.log10(value / ends[0]) / decades, isLog: true };
}

// A curve that falls by more than 20 times would be a flat line on a linear axis. The ratio of all values so far only grows,
// so the axis changes its kind at most once.
function valueScale(values, mayBeLog) {
  if (values.length === 0) return linearScale(0, 1);
  const low = Math.min(...values);
  const high = Math.max(...values);
  return mayBeLog && low > 0 && high / low > 20 ? logScale(low, high) : linearScale(low, high);
}

function pathThrough(points, x, y) {
  let pen = "M";
  let path = "";
  for (const [epoch, value] of points) {
    if (value != null) path += `${pen}${x(epoch).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = value == null ? "M" : "L";
  }
  return path;
}

function drawAxes(svg, width, scale, lastEpoch, x, y) {
  for (const tick of scale.ticks) {
    add(svg, "line", { class: "mlt-grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick) });
    add(svg, "text", { x: MARGIN.left - 6, y: y(tick) + 3.5, "text-anchor": "end" }, formatTick(tick));
  }
  for (const tick of multiples(1, lastEpoch, Math.max(1, roundNumber(lastEpoch / 6)))) {
    add(svg, "text", { x: x(tick), y: HEIGHT - 5, "text-anchor": "middle" }, String(tick));
  }
  add(svg, "text", { x: MARGIN.left - 6, y: HEIGHT - 5, "text-anchor": "end" }, "epoch");
}

function drawBest(svg, best, x) {
  const isLate = x(best) > svg.clientWidth - 60;
  add(svg, "line", { class: "mlt-best", x1: x(best), x2: x(best), y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom });
  add(svg, "text", { x: x(best) + (isLate ? -4 : 4), y: MARGIN.top + 9, "text-anchor": isLate ? "end" : "start" }, `best ${best}`);
}

function drawCurve(svg, curve, x, y) {
  const group = add(svg, "g", { style: `color: var(--mlt-curve-${curve.colour})` });
  const last = curve.training.at(-1);
  add(group, "path", { class: "mlt-curve mlt-trail", d: pathThrough(last ? [last, ...curve.trail] : curve.trail, x, y) });
  add(group, "path", { class: "mlt-curve mlt-validation", d: pathThrough(curve.validation, x, y) });
  add(group, "path", { class: "mlt-curve mlt-training", d: pathThrough(curve.training, x, y) });
  for (const [epoch, value] of [curve.trail.at(-1) ?? last, curve.validation.at(-1)].filter((point) => point?.[1] != null)) {
    add(group, "circle", { cx: x(epoch), cy: y(value), r: 2.5 });
  }
}

// `curves` are objects of name, colour (1 to 6), points `[epoch, value]` for training, validation and trail (inside the running
// epoch), and the newest values; `lastEpoch` is the end of the axis, `best` the best epoch or null.
function makePanel(parent, title, { mayBeLog }) {
  const figure = add(parent, "figure", { class: "mlt-panel" });
  const table = add(figure, "table");
  const svg = add(figure, "svg", { height: HEIGHT, role: "img", "aria-label": `${title} by epoch` });

  function showValues(curves) {
    const isValidated = curves.some((curve) => curve.validation.length > 0);
    const cells = [[title, "training", ...(isValidated ? ["validation"] : [])]];
    for (const { name, newest } of curves) {
      cells.push([name, formatValue(newest.training), ...(isValidated ? [formatValue(newest.validation)] : [])]);
    }
    if (table.rows.length !== cells.length || table.rows[0].cells.length !== cells[0].length) layOut(cells, curves);
    cells.forEach((row, i) => row.forEach((text, j) => setText(table.rows[i].cells[j].lastChild, text)));
  }

  function layOut(cells, curves) {
    table.replaceChildren();
    cells.forEach((texts, i) => {
      const row = add(table, "tr", i ? { style: `color: var(--mlt-curve-${curves[i - 1].colour})` } : {});
      texts.forEach((text, j) => {
        const cell = add(row, i && j ? "td" : "th", { scope: i ? "row" : "col", title: i && !j ? text : "" });
        if (!i !== !j) add(cell, "i", { class: ["mlt-chip", "mlt-solid", "mlt-dashed"][j] });
        add(cell, "span");
      });
    });
  }

  function draw(curves, lastEpoch, best) {
    const width = svg.clientWidth;
    const values = curves.flatMap((curve) => [curve.training, curve.validation, curve.trail].flat().map(([, value]) => value));
    const scale = valueScale(values.filter((value) => value != null), mayBeLog);
    const x = (epoch) => MARGIN.left + (epoch / lastEpoch) * (width - MARGIN.left - MARGIN.right);
    const y = (value) => HEIGHT - MARGIN.bottom - scale.place(value) * (HEIGHT - MARGIN.top - MARGIN.bottom);
    svg.replaceChildren();
    drawAxes(svg, width, scale, lastEpoch, x, y);
    if (scale.isLog) add(svg, "text", { x: width - MARGIN.right, y: HEIGHT - 5, "text-anchor": "end" }, "log scale");
    if (best) drawBest(svg, best, x);
    for (const curve of curves) drawCurve(svg, curve, x, y);
  }

  return { figure, svg, show: (curves, lastEpoch, best) => (showValues(curves), draw(curves, lastEpoch, best)) };
}
