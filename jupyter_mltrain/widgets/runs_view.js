// The runs: a page of those that are looked for, actions on those that are chosen, and below what was asked to be seen of
// them. Its state is that of runs_state.py.

const STARTED = [["", "any time"], ["1h", "last hour"], ["1d", "last day"], ["7d", "last 7 days"], ["30d", "last 30 days"]];
const SECONDS_BETWEEN_LOOKS = { alive: 2, quiet: 3 };
const PATIENCE = 0.3; // seconds until it is said that the kernel is busy

class RunsView {
  constructor(el, send, cells) {
    this.send = send;
    this.chosen = new Map(); // id to name
    this.root = add(el, "section", { class: "mlt mlt-controls mlt-records mlt-runs", "aria-label": "runs" });
    const head = add(this.root, "div", { class: "mlt-row mlt-head" });
    add(head, "strong", { class: "mlt-name" }, "Runs");
    this.addTools();
    this.said = addSaid(this.root, cells);
    this.body = addTable(this.root, "runs", []);
    this.head = this.body.previousSibling.rows[0];
    this.nothing = add(this.root, "p");
    this.actions = add(this.root, "div", { class: "mlt-tools", role: "group", "aria-label": "chosen runs" });
    this.form = add(this.root, "div");
    this.detail = add(this.root, "div", { class: "mlt-detail" });
    this.redraw = [];
    this.drawn = {};
  }

  addTools() {
    const tools = add(this.root, "div", { class: "mlt-tools" });
    this.search = addControl(tools, "input", { type: "search", placeholder: "Search", "aria-label": "Search the runs" });
    this.search.addEventListener("input", () => this.look({ contains: this.search.value }));
    this.status = addSelect(tools, "Status ", [["", "any"]], (status) => this.look({ status }));
    this.since = addSelect(tools, "Started ", STARTED, (since) => this.look({ since }));
    const menu = add(tools, "details", { class: "mlt-menu" });
    addControl(menu, "summary", {}, "Columns");
    this.menu = add(menu, "div", { role: "group", "aria-label": "columns" });
    this.back = addButton(tools, "‹", () => this.turn(-1), { "aria-label": "Previous page" });
    this.forth = addButton(tools, "›", () => this.turn(1), { "aria-label": "Next page" });
    this.range = add(tools, "span", { class: "mlt-soft", role: "status" });
  }

  // Look again, at something else if a wish is told. While the answer to a wish is awaited the newest one waits, so that typing
  // never queues up in the kernel.
  look(wish) {
    if (wish) this.patience ??= setTimeout(() => this.sayWait(), 1000 * PATIENCE);
    if (this.isWaiting && !(wish && this.isIdleLook)) {
      this.wish = { ...this.wish, ...wish };
      return;
    }
    this.isIdleLook = !wish;
    this.ask({ cmd: "look", ...wish });
  }

  ask(command) {
    this.isWaiting = true;
    sendTo(this.send, command, this.said);
  }

  sayWait() {
    this.drawn.said = null;
    this.said.wait();
  }

  act(command) {
    this.form.replaceChildren();
    this.said.focus();
    this.patience ??= setTimeout(() => this.sayWait(), 1000 * PATIENCE);
    this.ask(command);
  }

  turn(step) {
    this.look({ page: this.state.look.page + step });
  }

  sortBy(id) {
    const { sort, descending } = this.state.look;
    if (sort !== id) this.look({ sort: id, descending: false });
    else if (!descending) this.look({ sort: id, descending: true });
    else this.look({ sort: "", descending: false });
  }

  show(state) {
    this.state = state;
    this.isWaiting = false;
    clearTimeout(this.patience);
    this.patience = null;
    const { wish } = this;
    this.wish = undefined;
    if (wish) this.look(wish);
    this.showLook();
    this.redo("said", state.said, () => this.said.say(state.said));
    this.redo("menu", state.choices, () => this.showMenu());
    this.redo("head", [state.columns, state.look.sort, state.look.descending], () => this.showHead());
    this.redo("rows", [state.columns, state.rows], () => this.showRows());
    this.redo("detail", state.detail, () => this.showDetail());
    this.showActions();
    this.lookAgainLater();
  }

  // Draw a part only if what it shows has changed: what somebody reads or has the focus on stays.
  redo(part, shown, draw) {
    const key = JSON.stringify(shown);
    if (this.drawn[part] === key) return;
    this.drawn[part] = key;
    draw();
  }

  lookAgainLater() {
    clearTimeout(this.timer);
    const seconds = this.state.is_alive ? SECONDS_BETWEEN_LOOKS.alive : SECONDS_BETWEEN_LOOKS.quiet;
    this.timer = setTimeout(() => {
      const isSeen = document.visibilityState === "visible" && this.root.offsetParent;
      if (isSeen && !this.isWaiting) this.look();
      else if (!this.isWaiting) this.lookAgainLater();
    }, 1000 * seconds);
  }

  leave() {
    clearTimeout(this.timer);
    clearTimeout(this.patience);
  }

  showLook() {
    const { look, found, total, rows, statuses, page_size: size } = this.state;
    this.redo("statuses", statuses, () => statuses.forEach((each) => add(this.status, "option", { value: each }, each)));
    if (document.activeElement !== this.search) this.search.value = look.contains;
    this.status.value = look.status;
    this.since.value = look.since;
    const first = look.page * size;
    const format = (number) => number.toLocaleString("en");
    const all = found < total ? ` of ${format(total)}` : "";
    setText(this.range, found ? `${format(first + 1)}–${format(first + rows.length)} of ${format(found)} runs${all}` : "no run");
    this.back.disabled = look.page === 0;
    this.forth.disabled = first + rows.length >= found;
    this.nothing.hidden = found > 0;
    setText(this.nothing, total ? `None of ${format(total)} runs fits: look for something else above.` : this.state.empty);
    this.body.closest(".mlt-scroll").hidden = found === 0;
  }

  showMenu() {
    const focused = this.menu.contains(document.activeElement) ? document.activeElement.value : null;
    this.menu.replaceChildren();
    for (const [id, name, isShown] of this.state.choices) {
      const label = add(this.menu, "label");
      const box = addControl(label, "input", { type: "checkbox", value: id });
      box.checked = isShown;
      add(label, "span", {}, name);
      box.addEventListener("change", () => {
        const columns = [...this.menu.querySelectorAll("input:checked")].map(({ value }) => value);
        this.look({ columns, page: this.state.look.page });
      });
      if (id === focused) box.focus();
    }
  }

  showHead() {
    const { columns, look } = this.state;
    const focused = this.head.contains(document.activeElement) ? document.activeElement.value : null;
    this.head.replaceChildren();
    columns.forEach(({ id, name, is_number: isNumber }, i) => {
      const cell = add(this.head, "th", { scope: "col", class: isNumber ? "mlt-number" : "" });
      if (look.sort === id) cell.ariaSort = look.descending ? "descending" : "ascending";
      const button = addButton(cell, name, () => this.sortBy(id), { value: id });
      if (id === focused) button.focus();
      if (i === 0) add(this.head, "th", { scope: "col" }, "loss");
    });
  }

  showRows() {
    const focused = this.body.contains(document.activeElement) ? document.activeElement.value : null;
    this.body.replaceChildren();
    for (const run of this.state.rows) {
      const box = this.addRow(run);
      if (run.id === focused) box.focus();
    }
  }

  addRow({ id, ref, is_running: isRunning, cells, curve }) {
    const row = add(this.body, "tr");
    const label = add(add(row, "th", { scope: "row" }), "label");
    const box = addControl(label, "input", { type: "checkbox", value: id });
    add(label, "span", {}, ref);
    const mark = () => row.classList.toggle("mlt-is-chosen", box.checked);
    box.checked = this.chosen.has(id);
    mark();
    box.addEventListener("change", () => {
      if (box.checked) this.chosen.set(id, ref);
      else this.chosen.delete(id);
      mark();
      this.form.replaceChildren();
      this.showActions();
    });
    row.addEventListener("click", ({ target }) => target.closest("label") ?? box.click());
    row.classList.toggle("mlt-is-running", isRunning);
    addSparkline(add(row, "td"), curve);
    cells.forEach((text, i) => {
      const { is_number: isNumber } = this.state.columns[i + 1];
      add(row, "td", { class: isNumber ? "mlt-number" : "" }, text);
    });
    return box;
  }

  showActions() {
    const chosen = [...this.chosen];
    const ids = chosen.map(([id]) => id);
    const refs = chosen.map(([, ref]) => ref);
    this.redo("actions", chosen, () => {
      this.actions.replaceChildren();
      if (this.state.found === 0 && chosen.length === 0) return;
      if (chosen.length === 0) return void add(this.actions, "span", { class: "mlt-soft" }, "Choose runs to act on them.");
      add(this.actions, "strong", {}, chosen.length > 3 ? `${chosen.length} runs` : refs.join(", "));
      if (chosen.length === 1) this.addActionsOfOne(ids[0], refs[0]);
      else addButton(this.actions, "Compare", () => this.act({ cmd: "compare", runs: ids }));
      addButton(this.actions, "Remove…", () => this.askToRemove(ids, refs));
      addButton(this.actions, "Choose none", () => this.chooseNone());
    });
  }

  addActionsOfOne(id, ref) {
    addButton(this.actions, "Open", () => this.act({ cmd: "open", run: id }));
    addButton(this.actions, "Cell", () => this.act({ cmd: "cell", run: id }));
    addButton(this.actions, "Register…", () => this.askForName(id, ref));
  }

  chooseNone() {
    this.chosen.clear();
    this.form.replaceChildren();
    this.body.querySelectorAll("input:checked").forEach((box) => (box.checked = false));
    this.body.querySelectorAll(".mlt-is-chosen").forEach((row) => row.classList.remove("mlt-is-chosen"));
    this.showActions();
  }

  askForName(id, ref) {
    const register = ({ name }) => this.act({ cmd: "register", run: id, name });
    const form = addForm(this.form, `Register the best model of ${ref}`, "Register", register);
    addField(form, "name", "Name of the model", { required: "" }).focus();
  }

  askToRemove(ids, refs) {
    const what = refs.length > 3 ? `${refs.length} runs` : refs.join(", ");
    const form = addForm(this.form, `Remove ${what} with all files? What they registered stays.`, "Remove", () => {
      this.chooseNone();
      this.act({ cmd: "remove", runs: ids });
    });
    form.submit.focus();
  }

  showDetail() {
    const { detail } = this.state;
    this.redraw = [];
    const pictures = addDetail(this.detail, detail, () => this.act({ cmd: "close" }));
    if (!pictures) return;
    const refs = detail.curves.map(({ ref }) => ref);
    this.redraw = [addOverlay(pictures, detail), addCoordinates(pictures, detail.coordinates, refs)];
    this.resize();
  }

  resize() {
    for (const draw of this.redraw) draw();
  }
}

export default () => {
  let followed;
  return {
    initialize({ model }) {
      followed = follow(model, { empty: () => ({}), merge: Object.assign });
    },
    render({ model, el }) {
      const view = new RunsView(el, (command) => model.send(command), cellsOf(model));
      const show = (state) => view.show(state);
      const sizes = new ResizeObserver(() => view.resize());
      followed.watch(show);
      sizes.observe(view.root);
      view.look(); // so far it has the first page
      return () => {
        followed.leave(show);
        sizes.disconnect();
        view.leave();
      };
    },
  };
};
