// What the live views of work share: the words and curves of a training, and the frame with the Stop button. Such a view's
// module is follow.js, curves.js, this and its own file.

const COLOURS = 6;
const MOST_POINTS = 400;
const SECONDS_BETWEEN_ANNOUNCEMENTS = 10;

function formatDuration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 172800) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} days ${Math.floor((whole % 86400) / 3600)} h`;
}

function formatTiming(seconds) {
  return seconds < 10 ? `${Number(seconds.toPrecision(2))} s` : formatDuration(seconds);
}

function describeEpoch(training) {
  if (training.doing) return training.doing;
  const parts = [`Epoch ${training.epoch} of ${training.last_epoch}`];
  if (training.paused) parts.unshift("Paused");
  if (training.phase > 1) parts.unshift(`Phase ${training.phase}`);
  if (training.validating) parts.push("validating");
  else if (training.step != null) {
    parts.push(training.num_steps ? `step ${training.step} of ${training.num_steps}` : `step ${training.step}`);
  }
  return parts.join(" · ");
}

function describeSpeed(training) {
  const facts = [];
  if (training.rate) facts.push(training.rate >= 1 ? `${training.rate} steps/s` : `${formatTiming(1 / training.rate)} a step`);
  if (training.epoch_seconds) facts.push(`${formatTiming(training.epoch_seconds)} an epoch`);
  if (training.memory) facts.push(`${(training.memory / 1e9).toFixed(2)} GB memory`);
  if (training.best) facts.push(`best epoch ${training.best}`);
  return facts.join(" · ");
}

const emptyTraining = () => ({ epochs: [], trail: [] });

function mergeTraining(training, { epochs = [], ...fields }) {
  const last = training.epochs.at(-1)?.[0] ?? 0;
  training.epochs.push(...epochs.filter(([epoch]) => epoch > last));
  Object.assign(training, fields);
  keepTrail(training);
}

// What an epoch has shown so far, for those that take long enough to be looked at.
function keepTrail(training) {
  const ended = training.epochs.at(-1)?.[0] ?? 0;
  const x = training.epoch - 1 + training.part;
  training.trail = training.trail.filter(([place]) => place > ended);
  const isWorthIt = training.epochs.length === 0 || training.epoch_seconds > 3;
  const isAhead = x - (training.trail.at(-1)?.[0] ?? ended) >= 0.01;
  if (isWorthIt && !training.validating && isAhead) training.trail.push([x, training.metrics]);
}

// The loss first, whatever the order of the metrics: the place decides the colour.
function namesOf(metrics) {
  const names = new Set(Object.keys(metrics).map((name) => name.replace(/^val_/, "")));
  ["learning_rate", "lr"].forEach((name) => names.delete(name));
  return [...names].sort((one, other) => (other === "loss") - (one === "loss") || (one < other ? -1 : 1));
}

function curvesOf(training) {
  const stride = Math.ceil(training.epochs.length / MOST_POINTS);
  const rows = training.epochs.filter((_, i) => i % stride === 0 || i === training.epochs.length - 1);
  const [ended, last] = rows.at(-1) ?? [0, {}];
  const running = training.epoch > ended ? training.metrics : {};
  const points = (all, name) => all.filter(([, metrics]) => name in metrics).map(([epoch, metrics]) => [epoch, metrics[name]]);
  return namesOf({ ...last, ...training.metrics }).map((name, i) => ({
    name,
    colour: `var(--mlt-curve-${(i % COLOURS) + 1})`,
    training: points(rows, name),
    validation: points(rows, `val_${name}`),
    trail: points(training.trail, name),
    newest: { training: running?.[name] ?? last[name], validation: last[`val_${name}`] },
  }));
}

// The end of an axis that counts to `last`: there, or before as long as that would squeeze what there is to the left.
function axisEnd(reached, last) {
  return Math.min(last ?? 5, roundUp(Math.max(reached ?? 1, 5)));
}

function addCurvePanels(parent) {
  return {
    loss: makePanel(parent, "Loss", { mayBeLog: true }),
    metrics: makePanel(parent, "Metrics", { mayBeLog: false }),
  };
}

function showCurves(view, training, curves) {
  const isLoss = ({ name }) => name.endsWith("loss");
  const metrics = curves.filter((curve) => !isLoss(curve));
  view.metrics.figure.hidden = curves.length > 0 && metrics.length === 0;
  const axis = { lastEpoch: axisEnd(training.epoch, training.last_epoch), best: training.best };
  view.loss.show(curves.filter(isLoss), axis);
  view.metrics.show(metrics, axis);
}

function addHead(el, what, ask) {
  const root = add(el, "section", { class: "mlt", "aria-label": what, "data-lm-suppress-shortcuts": "true" });
  const head = add(root, "div", { class: "mlt-row mlt-head" });
  const view = { root, name: add(head, "strong", { class: "mlt-name" }) };
  view.buttons = add(head, "div", { class: "mlt-buttons" });
  view.stop = addButton(view, "Stop", () => ask("stop"));
  const bar = { role: "progressbar", "aria-label": what, "aria-valuemin": 0, "aria-valuemax": 100 };
  view.bar = add(root, "div", { class: "mlt-bar", ...bar });
  add(view.bar, "div");
  const place = add(root, "div", { class: "mlt-row mlt-place" });
  view.place = add(place, "span");
  view.left = add(place, "span", { class: "mlt-soft" });
  return view;
}

function addButton(view, text, press) {
  const button = add(view.buttons, "button", { type: "button", class: "mlt-stop" }, text);
  button.addEventListener("click", press);
  return button;
}

// `whole` is the part of all work that is done, 0 to 1, null while it cannot be told.
function showHead(view, state, { place, left, whole }) {
  setText(view.name, state.name);
  setText(view.stop, state.stopping ? "Stopping after this step…" : "Stop");
  view.stop.disabled = state.stopping;
  view.stop.hidden = state.ended;
  setText(view.place, place);
  setText(view.left, left);
  const isUnknown = !state.ended && (Boolean(state.doing) || whole == null);
  view.bar.classList.toggle("mlt-unknown", isUnknown);
  view.bar.style.setProperty("--mlt-whole", whole ?? 0);
  if (isUnknown) view.bar.removeAttribute("aria-valuenow");
  else view.bar.setAttribute("aria-valuenow", Math.floor(100 * (whole ?? 0)));
}

function addNotices(root) {
  return {
    notices: add(root, "ul", { class: "mlt-notices" }),
    announcement: add(root, "div", { class: "mlt-unseen", role: "status", "aria-live": "polite" }),
  };
}

function showNotices(view, state) {
  for (const text of state.notices.slice(view.notices.children.length)) add(view.notices, "li", {}, text);
}

function announce(view, state, text) {
  const now = performance.now() / 1000;
  const isNews = state.doing || state.stopping;
  if (!isNews && now - (view.announced ?? -Infinity) < SECONDS_BETWEEN_ANNOUNCEMENTS) return;
  view.announced = now;
  setText(view.announcement, state.stopping && !state.ended ? view.stop.textContent : text);
}

// Make a live view's module: `build` makes a view whose `sized` is the element by whose width it draws, `show` fills it.
function liveModule({ empty, merge, build, show }) {
  return () => {
    let followed;
    return {
      initialize({ model }) {
        followed = follow(model, { empty, merge });
      },
      render({ model, el }) {
        let state;
        let frame = null;
        let isStopAsked = false; // the kernel may say so only after the step
        const view = build(el, (cmd) => {
          model.send({ cmd });
          isStopAsked ||= cmd === "stop";
          schedule(state);
        });
        const draw = () => {
          frame = null;
          show(view, state);
        };
        const schedule = (next) => {
          state = { ...next, stopping: next.stopping || isStopAsked };
          frame ??= requestAnimationFrame(draw);
        };
        const sizes = new ResizeObserver(() => schedule(state));
        followed.watch(schedule);
        sizes.observe(view.sized);
        return () => {
          followed.leave(schedule);
          sizes.disconnect();
          cancelAnimationFrame(frame);
        };
      },
    };
  };
}
