// The live view of a training. Its state comes whole with the model and as numbered deltas afterwards (live_state.py).

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

function describePlace(state) {
  if (state.doing) return state.doing;
  const parts = [`Epoch ${state.epoch} of ${state.last_epoch}`];
  if (state.phase > 1) parts.unshift(`Phase ${state.phase}`);
  if (state.validating) parts.push("validating");
  else if (state.step != null) parts.push(state.num_steps ? `step ${state.step} of ${state.num_steps}` : `step ${state.step}`);
  return parts.join(" · ");
}

function describeTimeLeft(state) {
  if (state.doing || state.stopping || state.left == null) return "";
  const isWorthIt = state.epoch_left != null && state.epoch_seconds > 3 && state.epoch < state.last_epoch;
  const inEpoch = isWorthIt ? ` · ${formatDuration(state.epoch_left)} in this epoch` : "";
  return `about ${formatDuration(state.left)} left${inEpoch}`;
}

function describeSpeed(state) {
  const facts = [];
  if (state.rate) facts.push(state.rate >= 1 ? `${state.rate} steps/s` : `${formatTiming(1 / state.rate)} a step`);
  if (state.epoch_seconds) facts.push(`${formatTiming(state.epoch_seconds)} an epoch`);
  if (state.memory) facts.push(`${(state.memory / 1e9).toFixed(2)} GB memory`);
  if (state.best) facts.push(`best epoch ${state.best}`);
  return facts.join(" · ");
}

// Keep the state of one model for all its views, whatever was lost or came twice.
function follow(model) {
  const views = new Set();
  let state;
  const publish = () => views.forEach((show) => show(state));
  const takeWhole = () => {
    state = { trail: [], ...structuredClone(model.get("state")) };
    publish();
  };
  model.on("change:state", takeWhole);
  model.on("msg:custom", (delta) => {
    if (delta.seq <= state.seq) return;
    if (delta.seq > state.seq + 1) model.send({ cmd: "sync" });
    const { epochs = [], ...fields } = delta;
    const last = state.epochs.at(-1)?.[0] ?? 0;
    state.epochs.push(...epochs.filter(([epoch]) => epoch > last));
    Object.assign(state, fields);
    keepTrail(state);
    publish();
  });
  takeWhole();
  return { watch: (show) => (views.add(show), show(state)), leave: (show) => views.delete(show) };
}

// What an epoch has shown so far, for those that take long enough to be looked at.
function keepTrail(state) {
  const ended = state.epochs.at(-1)?.[0] ?? 0;
  const x = state.epoch - 1 + state.part;
  state.trail = state.trail.filter(([place]) => place > ended);
  const isWorthIt = state.epochs.length === 0 || state.epoch_seconds > 3;
  if (isWorthIt && !state.validating && x - (state.trail.at(-1)?.[0] ?? ended) >= 0.01) state.trail.push([x, state.metrics]);
}

// The loss first, whatever the order of the metrics: the place decides the colour.
function namesOf(metrics) {
  const names = new Set(Object.keys(metrics).map((name) => name.replace(/^val_/, "")));
  ["learning_rate", "lr"].forEach((name) => names.delete(name));
  return [...names].sort((one, other) => (other === "loss") - (one === "loss") || (one < other ? -1 : 1));
}

function curvesOf(state) {
  const stride = Math.ceil(state.epochs.length / MOST_POINTS);
  const rows = state.epochs.filter((_, i) => i % stride === 0 || i === state.epochs.length - 1);
  const [ended, last] = rows.at(-1) ?? [0, {}];
  const running = state.epoch > ended ? state.metrics : {};
  const points = (all, name) => all.filter(([, metrics]) => name in metrics).map(([epoch, metrics]) => [epoch, metrics[name]]);
  return namesOf({ ...last, ...state.metrics }).map((name, i) => ({
    name,
    colour: `var(--mlt-curve-${(i % COLOURS) + 1})`,
    training: points(rows, name),
    validation: points(rows, `val_${name}`),
    trail: points(state.trail, name),
    newest: { training: running?.[name] ?? last[name], validation: last[`val_${name}`] },
  }));
}

// The end of the axis of epochs: the whole phase, or less as long as that would squeeze the curves to the left.
function axisEnd(state) {
  return Math.min(state.last_epoch ?? 5, roundUp(Math.max(state.epoch ?? 1, 5)));
}

function buildView(el, stop) {
  const root = add(el, "section", { class: "mlt", "aria-label": "training", "data-lm-suppress-shortcuts": "true" });
  const head = add(root, "div", { class: "mlt-row mlt-head" });
  const view = { name: add(head, "strong", { class: "mlt-name" }) };
  view.stop = add(head, "button", { type: "button", class: "mlt-stop" }, "Stop");
  const bar = { role: "progressbar", "aria-label": "training", "aria-valuemin": 0, "aria-valuemax": 100 };
  view.bar = add(root, "div", { class: "mlt-bar", ...bar });
  add(view.bar, "div");
  const place = add(root, "div", { class: "mlt-row mlt-place" });
  view.place = add(place, "span");
  view.left = add(place, "span", { class: "mlt-soft" });
  const panels = add(root, "div", { class: "mlt-panels" });
  view.loss = makePanel(panels, "Loss", { mayBeLog: true });
  view.metrics = makePanel(panels, "Metrics", { mayBeLog: false });
  view.speed = add(root, "div", { class: "mlt-soft mlt-speed" });
  view.reason = add(root, "div", { class: "mlt-soft mlt-reason" });
  view.notices = add(root, "ul", { class: "mlt-notices" });
  view.announcement = add(root, "div", { class: "mlt-unseen", role: "status", "aria-live": "polite" });
  view.stop.addEventListener("click", stop);
  return view;
}

function showHead(view, state) {
  setText(view.name, state.name);
  setText(view.stop, state.stopping ? "Stopping after this step…" : "Stop");
  view.stop.disabled = state.stopping;
  view.stop.hidden = state.ended;
  setText(view.place, describePlace(state));
  setText(view.left, describeTimeLeft(state));
  const isUnknown = Boolean(state.doing) && !state.ended;
  view.bar.classList.toggle("mlt-unknown", isUnknown);
  view.bar.style.setProperty("--mlt-whole", state.whole ?? 0);
  if (isUnknown) view.bar.removeAttribute("aria-valuenow");
  else view.bar.setAttribute("aria-valuenow", Math.floor(100 * (state.whole ?? 0)));
}

function showNotes(view, state) {
  setText(view.speed, describeSpeed(state));
  setText(view.reason, [state.reason, state.plan].filter(Boolean).join(" "));
  for (const text of state.notices.slice(view.notices.children.length)) add(view.notices, "li", {}, text);
}

function showCurves(view, state) {
  const curves = curvesOf(state);
  const isLoss = ({ name }) => name.endsWith("loss");
  const metrics = curves.filter((curve) => !isLoss(curve));
  view.metrics.figure.hidden = curves.length > 0 && metrics.length === 0;
  const axis = { lastEpoch: axisEnd(state), best: state.best };
  view.loss.show(curves.filter(isLoss), axis);
  view.metrics.show(metrics, axis);
}

function announce(view, state) {
  const now = performance.now() / 1000;
  const isNews = state.doing || state.stopping;
  if (!isNews && now - (view.announced ?? -Infinity) < SECONDS_BETWEEN_ANNOUNCEMENTS) return;
  view.announced = now;
  setText(view.announcement, state.stopping && !state.ended ? view.stop.textContent : describePlace(state).split(" · step")[0]);
}

export default () => {
  let training;
  return {
    initialize({ model }) {
      training = follow(model);
    },
    render({ model, el }) {
      let state;
      let frame = null;
      let isStopAsked = false; // the kernel may say so only after the step
      const view = buildView(el, () => {
        model.send({ cmd: "stop" });
        isStopAsked = true;
        schedule(state);
      });
      const draw = () => {
        frame = null;
        showHead(view, state);
        showNotes(view, state);
        showCurves(view, state);
        announce(view, state);
      };
      const schedule = (next) => {
        state = { ...next, stopping: next.stopping || isStopAsked };
        frame ??= requestAnimationFrame(draw);
      };
      const sizes = new ResizeObserver(() => schedule(state));
      training.watch(schedule);
      sizes.observe(view.loss.svg);
      return () => {
        training.leave(schedule);
        sizes.disconnect();
        cancelAnimationFrame(frame);
      };
    },
  };
};
