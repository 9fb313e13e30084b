// Runs over each other: their curves of one metric, and a line each over the axes of what differs.

const RUN_COLOURS = 6;
const COORDINATES_HEIGHT = 230;
const UNSET = -0.12; // the place of a run that has no value on an axis

const colourOf = (i) => `var(--mlt-curve-${(i % RUN_COLOURS) + 1})`;

// Points without the noise: a mean in which every point weighs `weight` times the next, divided by the sum of the weights.
function smooth(points, weight) {
  let sum = 0;
  let total = 0;
  return points.map(([epoch, value]) => {
    if (value == null) return [epoch, value];
    sum = weight * sum + value;
    total = weight * total + 1;
    return [epoch, sum / total];
  });
}

function overlayScale(values, isLog) {
  const shown = values.filter((value) => value != null && (!isLog || value > 0));
  if (shown.length === 0) return { ...linearScale(0, 1), isEmpty: true };
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  return isLog && high > low ? logScale(low, high) : linearScale(low, high);
}

function drawOverlay(svg, curves, { isLog, weight }) {
  const width = svg.clientWidth;
  const lines = curves.flatMap(({ training, validation }, i) => [
    { i, kind: "training", points: training },
    { i, kind: "validation", points: validation },
  ]);
  const all = lines.flatMap(({ points }) => points);
  const scale = overlayScale(all.map(([, value]) => value), isLog);
  const last = Math.max(2, ...all.map(([epoch]) => epoch));
  const x = (epoch) => MARGIN.left + ((epoch - 1) / (last - 1)) * (width - MARGIN.left - MARGIN.right);
  const y = (value) => HEIGHT - MARGIN.bottom - scale.place(value) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const visible = (points) => points.map(([epoch, value]) => [epoch, scale.isLog && value <= 0 ? null : value]);
  svg.replaceChildren();
  drawAxes(svg, width, scale, last, x, y, "epoch");
  for (const { i, kind, points } of lines) {
    const group = add(svg, "g", { style: `color: ${colourOf(i)}` });
    if (weight > 0) add(group, "path", { class: `mlt-curve mlt-${kind} mlt-trail`, d: pathThrough(visible(points), x, y) });
    add(group, "path", { class: `mlt-curve mlt-${kind}`, d: pathThrough(visible(smooth(points, weight)), x, y) });
  }
}

function addLegend(parent, refs) {
  const legend = add(parent, "div", { class: "mlt-legend" });
  refs.forEach((ref, i) => {
    const entry = add(legend, "span");
    add(entry, "i", { class: "mlt-chip", style: `color: ${colourOf(i)}` });
    add(entry, "span", {}, ref);
  });
  for (const kind of ["training", "validation"]) {
    const entry = add(legend, "span");
    add(entry, "i", { class: `mlt-${kind}-line` });
    add(entry, "span", {}, kind);
  }
}

// Return what draws again, for when the width has changed.
function addOverlay(parent, { metrics, curves }) {
  if (metrics.length === 0) return () => {};
  const how = { metric: metrics[0], isLog: false, weight: 0 };
  const tools = add(parent, "div", { class: "mlt-tools", role: "group", "aria-label": "curves" });
  const figure = add(parent, "figure", { class: "mlt-panel mlt-overlay" });
  addLegend(figure, curves.map(({ ref }) => ref));
  const svg = add(figure, "svg", { height: HEIGHT, role: "img" });
  const draw = () => {
    if (svg.clientWidth === 0) return; // not on the page yet, or hidden
    svg.setAttribute("aria-label", `${how.metric} by epoch of ${curves.map(({ ref }) => ref).join(", ")}`);
    const shown = curves.map((curve) => ({
      training: curve.metrics[how.metric] ?? [],
      validation: curve.metrics[`val_${how.metric}`] ?? [],
    }));
    drawOverlay(svg, shown, how);
  };
  const set = (change) => {
    Object.assign(how, change);
    draw();
  };
  addSelect(tools, "Metric ", metrics.map((name) => [name, name]), (metric) => set({ metric }));
  addSelect(tools, "Axis ", [["linear", "linear"], ["log", "log"]], (kind) => set({ isLog: kind === "log" }));
  const label = add(tools, "label", {}, "Smoothing ");
  const range = addControl(label, "input", { type: "range", min: 0, max: 0.95, step: 0.05, value: 0 });
  range.addEventListener("input", () => set({ weight: Number(range.value) }));
  return draw;
}

function drawCoordinates(svg, { axes, lines }) {
  const width = svg.clientWidth;
  const [top, bottom] = [26, 30];
  const [left, right] = [84, 84];
  const x = (i) => left + (i / (axes.length - 1)) * (width - left - right);
  const y = (place) => COORDINATES_HEIGHT - bottom - (place ?? UNSET) * (COORDINATES_HEIGHT - top - bottom);
  svg.replaceChildren();
  lines.forEach((places, i) => {
    const points = places.map((place, axis) => `${x(axis).toFixed(1)} ${y(place).toFixed(1)}`);
    const group = add(svg, "g", { style: `color: ${colourOf(i)}` });
    add(group, "path", { class: "mlt-curve", d: `M${points.join("L")}` });
  });
  axes.forEach(({ name, ticks }, i) => {
    add(svg, "line", { class: "mlt-axis", x1: x(i), x2: x(i), y1: y(0), y2: y(1) });
    add(svg, "text", { class: "mlt-axis-name", x: x(i), y: 14, "text-anchor": "middle" }, name);
    const unset = lines.some((places) => places[i] == null) ? [[null, "not set"]] : [];
    const [aside, anchor] = i === axes.length - 1 ? [5, "start"] : [-5, "end"]; // where no lines are, at both ends
    for (const [place, text] of [...ticks, ...unset]) {
      add(svg, "text", { x: x(i) + aside, y: y(place) + 3.5, "text-anchor": anchor }, text);
    }
  });
}

function addCoordinates(parent, coordinates, refs) {
  if (coordinates.axes.length < 2) return () => {};
  const figure = add(parent, "figure", { class: "mlt-panel mlt-overlay mlt-coordinates" });
  const names = coordinates.axes.map(({ name }) => name).join(", ");
  const label = `${refs.join(", ")} over ${names}; the values are in the tables below`;
  const svg = add(figure, "svg", { height: COORDINATES_HEIGHT, role: "img", "aria-label": label });
  return () => svg.clientWidth > 0 && drawCoordinates(svg, coordinates);
}

// A curve in the height of a line: training, and dashed validation.
function addSparkline(parent, [training, validation]) {
  const values = [...training, ...validation].map(([, value]) => value).filter((value) => value != null);
  if (values.length < 2) return;
  const [width, height] = [84, 20];
  const scale = valueScale(values, true);
  const last = Math.max(...training.map(([epoch]) => epoch), ...validation.map(([epoch]) => epoch), 2);
  const x = (epoch) => 1 + ((epoch - 1) / (last - 1)) * (width - 2);
  const y = (value) => height - 2 - scale.place(value) * (height - 4);
  const svg = add(parent, "svg", { class: "mlt-spark", width, height, "aria-hidden": "true" });
  add(svg, "path", { class: "mlt-curve mlt-validation", d: pathThrough(validation, x, y) });
  add(svg, "path", { class: "mlt-curve", d: pathThrough(training, x, y) });
}
