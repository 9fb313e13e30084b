// The state of a view: it comes whole with the model, and as numbered deltas afterwards (state.py).

// Keep the state of one model for all its views, whatever was lost or came twice. `merge` takes what has come into a state.
function follow(model, { empty, merge }) {
  const views = new Set();
  let state;
  const publish = () => views.forEach((show) => show(state));
  const takeWhole = () => {
    state = empty();
    merge(state, structuredClone(model.get("state")));
    publish();
  };
  model.on("change:state", takeWhole);
  model.on("msg:custom", (delta) => {
    if (delta.seq <= state.seq) return;
    if (delta.seq > state.seq + 1) model.send({ cmd: "sync" });
    merge(state, delta);
    publish();
  });
  takeWhole();
  return { watch: (show) => (views.add(show), show(state)), leave: (show) => views.delete(show) };
}
