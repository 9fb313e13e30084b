// One panel of curves: a table of the newest values, which is its legend, over an SVG chart.

const HEIGHT = 180;
const MARGIN = { top: 18, right: 12, bottom: 20, left: 44 };

function shorten(name) {
  return name.length > 60 ? `${name.slice(0, 59)}…` : name;
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

// The least number, one of `factors` times a power of ten, that is not below `value`.
function roundUp(value, factors = [1, 2, 5, 10]) {
  const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
  return power * factors.find((factor) => factor * power >= value * 0.999999);
}

function multiples(low, high, step) {
  const first = Math.ceil(low / step - 1e-6);
  const count = Math.floor(high / step + 1e-6) - first + 1;
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

// The ends snap to ticks, so that an axis moves seldom while a training goes on.
function linearScale(low, high) {
  const step = roundUp((high - low || Math.abs(high) || 1) / 5, [1, 2, 2.5, 5, 10]);
  const bottom = Math.floor(low / step + 1e-6) * step;
  const top = Math.max(Math.ceil(high / step - 1e-6) * step, bottom + step);
  return { ticks: multiples(bottom, top, step), place: (value) => (value - bottom) / (top - bottom) };
}

function logScale(low, high) {
  const bottom = 1 / roundUp(1 / low);
  const decades = Math.log10(roundUp(high) / bottom);
  const factors = decades > 2 ? [1] : [1, 2, 5];
  const powers = multiples(Math.floor(Math.log10(bottom)), Math.log10(bottom) + decades, Math.ceil(decades / 5));
  const ticks = powers.flatMap((power) => factors.map((factor) => factor * 10 ** power));
  const place = (value) => Math.log10(value / bottom) / decades;
  return { ticks: ticks.filter((tick) => place(tick) > -1e-6 && place(tick) < 1 + 1e-6), place, isLog: true };
}

// A curve that falls by more than 20 times would be a flat line on a linear axis. The ratio of all values so far only grows,
// so the axis changes its kind at most once.
function valueScale(values, mayBeLog) {
  if (values.length === 0) return { ...linearScale(0, 1), isEmpty: true };
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

function drawAxes(svg, width, scale, last, x, y, unit) {
  for (const tick of scale.ticks) {
    add(svg, "line", { class: "mlt-grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick) });
    if (!scale.isEmpty) add(svg, "text", { x: MARGIN.left - 6, y: y(tick) + 3.5, "text-anchor": "end" }, formatTick(tick));
  }
  for (const tick of multiples(1, last, Math.max(1, roundUp((last * 50) / width)))) {
    add(svg, "text", { x: x(tick), y: HEIGHT - 5, "text-anchor": "middle" }, String(tick));
  }
  add(svg, "text", { x: MARGIN.left - 6, y: HEIGHT - 5, "text-anchor": "end" }, unit);
}

function drawBest(svg, best, x) {
  add(svg, "line", { class: "mlt-best", x1: x(best), x2: x(best), y1: MARGIN.top - 4, y2: HEIGHT - MARGIN.bottom });
  add(svg, "text", { x: x(best), y: MARGIN.top - 7, "text-anchor": "middle" }, "best");
}

function drawCurve(svg, curve, x, y) {
  const group = add(svg, "g", { style: `color: ${curve.colour}` });
  const last = curve.training.at(-1);
  add(group, "path", { class: "mlt-curve mlt-trail", d: pathThrough(last ? [last, ...curve.trail] : curve.trail, x, y) });
  add(group, "path", { class: "mlt-curve mlt-validation", d: pathThrough(curve.validation, x, y) });
  add(group, "path", { class: "mlt-curve mlt-training", d: pathThrough(curve.training, x, y) });
  for (const [epoch, value] of [curve.trail.at(-1) ?? last, curve.validation.at(-1)].filter((point) => point?.[1] != null)) {
    add(group, "circle", { cx: x(epoch), cy: y(value), r: 2.5 });
  }
}

function drawChart(svg, curves, { lastEpoch, best, mayBeLog }) {
  const width = svg.clientWidth;
  const points = curves.flatMap((curve) => [...curve.training, ...curve.validation, ...curve.trail]);
  const scale = valueScale(points.map(([, value]) => value).filter((value) => value != null), mayBeLog);
  const x = (epoch) => MARGIN.left + (epoch / lastEpoch) * (width - MARGIN.left - MARGIN.right);
  const y = (value) => HEIGHT - MARGIN.bottom - scale.place(value) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  svg.replaceChildren();
  drawAxes(svg, width, scale, lastEpoch, x, y, "epoch");
  if (best) drawBest(svg, best, x);
  for (const curve of curves) drawCurve(svg, curve, x, y);
  return scale;
}

function layOutLegend(table, title, curves, columns) {
  table.replaceChildren();
  const head = add(table, "tr");
  add(head, "th", { scope: "col" }, title);
  for (const column of columns) {
    const cell = add(head, "th", { scope: "col" });
    add(cell, "i", { class: `mlt-${column}-line` });
    add(cell, "span", {}, column);
  }
  for (const { name, colour } of curves) {
    const row = add(table, "tr");
    const cell = add(row, "th", { scope: "row", title: name });
    add(cell, "i", { class: "mlt-chip", style: `color: ${colour}` });
    add(cell, "span", {}, name);
    for (const _ of columns) add(row, "td");
  }
}

// Make a panel of curves. `show` takes them as objects of a name, a CSS colour, points `[epoch, value]` in `training`,
// `validation` and `trail` (inside the running epoch), and the `newest` values; `lastEpoch` is where the axis ends, `best` an
// epoch or null.
function makePanel(parent, title, { mayBeLog }) {
  const figure = add(parent, "figure", { class: "mlt-panel" });
  const table = add(figure, "table");
  const svg = add(figure, "svg", { height: HEIGHT, role: "img", "aria-label": `${title} by epoch` });
  let laidOut;
  let hasValidation = false; // once there, its column stays: that of a search's next trial will come too

  function show(curves, { lastEpoch, best }) {
    if (svg.clientWidth === 0) return; // not on the page yet, or hidden
    hasValidation ||= curves.some(({ validation }) => validation.length > 0);
    const columns = hasValidation ? ["training", "validation"] : ["training"];
    const layout = JSON.stringify([columns, curves.map(({ name, colour }) => [name, colour])]);
    if (layout !== laidOut) layOutLegend(table, title, curves, columns);
    laidOut = layout;
    curves.forEach(({ newest }, i) => {
      columns.forEach((column, j) => setText(table.rows[i + 1].cells[j + 1], formatValue(newest[column])));
    });
    const scale = drawChart(svg, curves, { lastEpoch, best, mayBeLog });
    setText(table.rows[0].cells[0], scale.isLog ? `${title} (log)` : title);
  }

  return { figure, svg, show };
}
