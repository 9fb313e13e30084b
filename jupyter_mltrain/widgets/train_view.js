// The live view of a training: its state is that of live_state.py.

function describeTimeLeft(state) {
  if (state.doing || state.stopping || state.paused || state.left == null) return "";
  const isWorthIt = state.epoch_left != null && state.epoch_seconds > 3 && state.epoch < state.last_epoch;
  const inEpoch = isWorthIt ? ` · ${formatDuration(state.epoch_left)} in this epoch` : "";
  return `about ${formatDuration(state.left)} left${inEpoch}`;
}

function buildView(el, ask) {
  const view = addHead(el, "training", ask);
  view.pause = addButton(view, "Pause", () => ask(view.isPaused ? "continue" : "pause"));
  view.notify = addButton(view, "Notify me", async () => {
    view.isToNotify = !view.isToNotify && (await Notification.requestPermission()) === "granted";
    view.notify.setAttribute("aria-pressed", String(view.isToNotify));
  });
  view.notify.setAttribute("aria-pressed", "false");
  view.buttons.prepend(view.notify, view.pause);
  Object.assign(view, addCurvePanels(add(view.root, "div", { class: "mlt-panels" })));
  view.speed = add(view.root, "div", { class: "mlt-soft mlt-speed" });
  view.reason = add(view.root, "div", { class: "mlt-soft mlt-reason" });
  view.output = add(view.root, "pre", { class: "mlt-output" });
  return Object.assign(view, addNotices(view.root), { sized: view.loss.svg });
}

// By the browser, which tells it in whatever window is in front.
function notifyOfTheEnd(view, state) {
  view.notify.hidden = state.ended || !("Notification" in window);
  if (!state.ended || !view.isToNotify) return;
  view.isToNotify = false;
  new Notification(`${state.name}: ${state.doing}`);
}

function show(view, state) {
  showHead(view, state, { place: describeEpoch(state), left: describeTimeLeft(state), whole: state.whole ?? 0 });
  notifyOfTheEnd(view, state);
  view.isPaused = state.paused;
  view.pause.hidden = state.ended || state.stopping || Boolean(state.doing);
  setText(view.pause, state.paused ? "Continue" : "Pause");
  setText(view.speed, describeSpeed(state));
  setText(view.reason, [state.reason, state.plan].filter(Boolean).join(" "));
  showNotices(view, state);
  view.output.hidden = !state.output;
  setText(view.output, state.output);
  showCurves(view, state, curvesOf(state));
  announce(view, state, describeEpoch(state).split(" · step")[0]);
}

export default liveModule({ empty: emptyTraining, merge: mergeTraining, build: buildView, show });
