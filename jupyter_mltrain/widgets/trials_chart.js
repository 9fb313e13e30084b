// The chart of a search: the score of each trial as a point by how it ended, and the best so far as a line.

const KINDS = ["completed", "pruned", "failed"]; // a trial that was stopped counts as a completed one

function formatScore(value) {
  const size = Math.abs(value);
  if (Number.isInteger(value)) return String(value);
  return size >= 1e-3 && size < 1e4 ? value.toPrecision(4) : formatValue(value);
}

// From one best trial to the next the line goes level, then at once to the better score.
function stepsThrough(bests, end, x, y) {
  const [first, ...others] = bests.map(([number, score]) => [x(number).toFixed(1), y(score).toFixed(1)]);
  return first ? `M${first[0]} ${first[1]}${others.map(([a, b]) => `H${a}V${b}`).join("")}H${x(end).toFixed(1)}` : "";
}

function drawMark(parent, kind, x, y) {
  if (kind === "failed") {
    return add(parent, "path", { class: "mlt-mark mlt-failed", d: `M${x - 3} ${y - 3}l6 6m0 -6l-6 6` });
  }
  return add(parent, "circle", { class: `mlt-mark mlt-${kind === "pruned" ? "pruned" : "completed"}`, cx: x, cy: y, r: 3 });
}

function addMarksLegend(parent) {
  const legend = add(parent, "div", { class: "mlt-legend" });
  for (const kind of KINDS) {
    drawMark(add(add(legend, "span"), "svg", { width: 9, height: 9 }), kind, 4.5, 4.5);
    add(legend.lastChild, "span", {}, kind);
  }
  add(add(legend, "span"), "i", { class: "mlt-best-mark" });
  add(legend.lastChild, "span", {}, "best so far");
}

function makeTrialsChart(parent) {
  const figure = add(parent, "figure", { class: "mlt-panel" });
  const head = add(figure, "div");
  const title = add(head, "div", { class: "mlt-title" });
  addMarksLegend(head);
  const svg = add(figure, "svg", { height: HEIGHT, role: "img", "aria-label": "score by trial" });

  function show(trials, { objective, best, numTrials }) {
    if (svg.clientWidth === 0) return; // not on the page yet, or hidden
    const [metric, direction] = objective ?? ["score", "max"];
    const width = svg.clientWidth;
    const ended = trials.filter(({ status }) => status !== "running");
    const scored = ended.filter(({ scores }) => scores?.[metric] != null);
    const scale = valueScale(scored.map(({ scores }) => scores[metric]), direction === "min");
    const newest = Math.max(1, ...trials.map(({ number }) => number));
    const last = Math.max(newest, axisEnd(newest, numTrials));
    const x = (number) => MARGIN.left + (number / last) * (width - MARGIN.left - MARGIN.right);
    const y = (score) => HEIGHT - MARGIN.bottom - scale.place(score) * (HEIGHT - MARGIN.top - MARGIN.bottom);
    setText(title, `${shorten(metric)} by trial${scale.isLog ? " (log)" : ""}`);
    svg.replaceChildren();
    drawAxes(svg, width, scale, last, x, y, "trial");
    const bests = scored.filter((trial) => trial.best).map(({ number, scores }) => [number, scores[metric]]);
    add(svg, "path", { class: "mlt-best-line", d: stepsThrough(bests, newest, x, y) });
    for (const { number, status, scores } of ended) {
      const score = scores?.[metric];
      if (score == null && status !== "failed") continue;
      const mark = drawMark(svg, status, x(number), score == null ? HEIGHT - MARGIN.bottom : y(score));
      mark.classList.toggle("mlt-is-best", number === best);
      add(mark, "title", {}, `trial ${number}, ${status}${score == null ? "" : `: ${formatScore(score)}`}`);
    }
  }

  return { figure, svg, show };
}
