// The live view of a training: its state is that of live_state.py.

function describeTimeLeft(state) {
  if (state.doing || state.stopping || state.left == null) return "";
  const isWorthIt = state.epoch_left != null && state.epoch_seconds > 3 && state.epoch < state.last_epoch;
  const inEpoch = isWorthIt ? ` · ${formatDuration(state.epoch_left)} in this epoch` : "";
  return `about ${formatDuration(state.left)} left${inEpoch}`;
}

function buildView(el, stop) {
  const view = addHead(el, "training", stop);
  Object.assign(view, addCurvePanels(add(view.root, "div", { class: "mlt-panels" })));
  view.speed = add(view.root, "div", { class: "mlt-soft mlt-speed" });
  view.reason = add(view.root, "div", { class: "mlt-soft mlt-reason" });
  return { ...view, ...addNotices(view.root), sized: view.loss.svg };
}

function show(view, state) {
  showHead(view, state, { place: describeEpoch(state), left: describeTimeLeft(state), whole: state.whole ?? 0 });
  setText(view.speed, describeSpeed(state));
  setText(view.reason, [state.reason, state.plan].filter(Boolean).join(" "));
  showNotices(view, state);
  showCurves(view, state, curvesOf(state));
  announce(view, state, describeEpoch(state).split(" · step")[0]);
}

export default liveModule({ empty: emptyTraining, merge: mergeTraining, build: buildView, show });
