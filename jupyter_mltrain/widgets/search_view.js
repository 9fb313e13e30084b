// The live view of a search: its state is that of search_state.py.

const emptySearch = () => ({ trials: new Map(), trial: null, version: 0 });

// A trial comes when it begins and again when it has ended; `trial`, the training that is shown, comes whole, with a `seq`, when
// it is another.
function mergeSearch(search, { trials = [], trial, ...fields }) {
  for (const row of trials) search.trials.set(row.number, row);
  if (trials.length > 0) search.version += 1;
  if (trial && ("seq" in trial || trial.number !== search.trial?.number)) search.trial = emptyTraining();
  if (trial) mergeTraining(search.trial, trial);
  Object.assign(search, fields);
}

function describeSearch(search, trials) {
  if (search.doing) return search.doing;
  const numWith = (wanted) => trials.filter(({ status }) => status === wanted).length;
  const [numRunning, of] = [numWith("running"), search.num_trials == null ? "" : ` of ${search.num_trials}`];
  const numEnded = trials.length - numRunning;
  const newest = search.trial?.number ?? numEnded;
  const parts = numRunning > 1 ? [`${numEnded}${of} trials done`, `${numRunning} running`] : [`Trial ${newest}${of}`];
  for (const status of ["pruned", "failed"]) if (numWith(status) > 0) parts.push(`${numWith(status)} ${status}`);
  return parts.join(" · ");
}

function describeSearchTime(search) {
  const isOver = search.doing || search.stopping;
  const left = isOver || search.left == null ? [] : [`about ${formatDuration(search.left)} left`];
  return [...left, ...(search.saved ? [`pruning saved ${formatDuration(search.saved)}`] : [])].join(" · ");
}

function describeBest(search, best) {
  if (!best) return "no trial has a score yet";
  const scores = search.objectives.map(([metric]) => `${shorten(metric)} ${formatScore(best.scores[metric])}`);
  return `trial ${best.number}, ${scores.join(", ")}`;
}

function describeValues(values) {
  return Object.entries(values ?? {}).map(([name, value]) => `${shorten(name)} ${formatSetting(value)}`).join(" · ");
}

// Never gets lower again, so that what is below stays in its place.
function setGrowing(node, text) {
  if (node.textContent === text) return;
  node.textContent = text;
  node.style.minHeight = `${node.offsetHeight}px`;
}

function buildSearch(el, ask) {
  const view = addHead(el, "search", ask);
  const best = add(view.root, "div", { class: "mlt-best-trial" });
  add(best, "strong", {}, "Best so far: ");
  view.best = add(best, "span");
  view.bestValues = add(best, "div", { class: "mlt-soft mlt-values" });
  const panels = add(view.root, "div", { class: "mlt-panels mlt-search-panels" });
  view.chart = makeTrialsChart(panels);
  Object.assign(view, addCurvePanels(panels));
  const running = add(view.root, "div", { class: "mlt-row mlt-running" });
  view.running = add(running, "span");
  view.speed = add(running, "span", { class: "mlt-soft" });
  view.values = add(view.root, "div", { class: "mlt-soft mlt-values" });
  view.table = makeTrialsTable(view.root);
  view.algorithm = add(view.root, "div", { class: "mlt-soft mlt-reason" });
  view.failure = add(view.root, "div", { class: "mlt-failure", hidden: "" });
  return { ...view, ...addNotices(view.root), sized: view.chart.svg };
}

function showTrials(view, search, trials) {
  const best = search.trials.get(search.best);
  setText(view.best, describeBest(search, best));
  setGrowing(view.bestValues, describeValues(best?.values));
  const about = { objectives: search.objectives, objective: search.objectives[0], best: search.best, numTrials: search.num_trials };
  view.chart.show(trials, about);
  view.table.show(trials, about);
}

// Until a trial has a metric the places of the last one's curves stay, so that nothing jumps.
function showRunning(view, search) {
  const training = search.trial ?? emptyTraining();
  const curves = curvesOf(training);
  if (curves.length > 0) view.curves = curves;
  const places = view.curves?.map((curve) => ({ ...curve, training: [], validation: [], trail: [], newest: {} }));
  showCurves(view, training, curves.length > 0 ? curves : places ?? []);
  if (!search.trial) return;
  setText(view.running, `Trial ${training.number} · ${describeEpoch(training)}`);
  setText(view.speed, describeSpeed(training));
  setGrowing(view.values, describeValues(search.trials.get(training.number)?.values));
}

function showSearch(view, search) {
  const trials = [...search.trials.values()];
  const numEnded = trials.filter(({ status }) => status !== "running").length;
  const place = describeSearch(search, trials);
  const whole = search.num_trials ? Math.min(1, numEnded / search.num_trials) : null;
  showHead(view, search, { place, left: describeSearchTime(search), whole });
  const drawn = [search.version, search.best, search.num_trials, view.sized.clientWidth].join();
  if (drawn !== view.drawn) showTrials(view, search, trials);
  view.drawn = drawn;
  showRunning(view, search);
  setText(view.algorithm, search.algorithm);
  setText(view.failure, search.failure);
  view.failure.hidden = !search.failure;
  showNotices(view, search);
  announce(view, search, [place, search.best == null ? "" : `best so far: ${view.best.textContent}`].filter(Boolean).join(", "));
}

export default liveModule({ empty: emptySearch, merge: mergeSearch, build: buildSearch, show: showSearch });
