// A form for a cell: its fields, the cell that they make and what is wrong with them; its state is that of form_state.py.

const MILLISECONDS_TO_ANSWER = 1000;

function setOptions(list, options) {
  const texts = JSON.stringify(options);
  if (list.dataset.options === texts) return;
  list.dataset.options = texts;
  list.replaceChildren();
  for (const [value, text] of options) add(list, "option", { value }, text);
}

class FormView {
  constructor(el, { send, page, cells }) {
    Object.assign(this, { send, page, cells, sent: 0, boxes: {}, controls: {}, known: {}, faults: {} });
    this.id = `mlt-${Math.random().toString(36).slice(2)}`;
    this.root = add(el, "section", { class: "mlt mlt-controls mlt-form" });
    this.title = add(this.root, "strong", { class: "mlt-name" });
    this.form = add(this.root, "form");
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.hint = add(this.root, "div", { class: "mlt-soft mlt-hint" });
    this.cell = addControl(this.root, "pre", { tabindex: 0, role: "region", "aria-label": "the cell" });
    const tools = add(this.root, "div", { class: "mlt-tools" });
    this.train = addButton(tools, "", () => this.start());
    this.copy = addButton(tools, "Copy", () => this.copyCell());
    this.insert = addButton(tools, "Insert cell", () => this.insertCell());
    this.said = add(this.root, "div", { class: "mlt-said", role: "status" });
    this.followNotebook();
  }

  // Cells may have run since the form was looked at last.
  followNotebook() {
    const look = () => this.state.is_running || this.send({ cmd: "look" });
    this.root.addEventListener("pointerenter", look);
    this.root.addEventListener("focusin", ({ relatedTarget }) => this.root.contains(relatedTarget) || look());
  }

  show(state) {
    if (state.num_commands < this.sent) return; // there is newer text in the fields
    clearTimeout(this.waiting);
    if (!this.state) this.build(state);
    this.state = state;
    this.sent = state.num_commands;
    for (const field of state.fields) this.showField(field);
    setText(this.cell, state.shown);
    for (const node of [this.form, this.cell, this.cell.nextSibling]) node.hidden = Boolean(state.lacks);
    this.showSaid();
  }

  showSaid() {
    const { lacks, trouble, said, faults, is_running: isRunning, page } = this.state;
    const isElsewhere = Boolean(page) && page !== this.page;
    this.train.setAttribute("aria-disabled", isRunning || isElsewhere);
    this.insert.hidden = !this.cells.canInsert();
    const elsewhere = isElsewhere ? "This page was loaded after the form: run its cell again to train below it." : "";
    const running = isRunning ? "It runs: see below." : "";
    const counted = Object.keys(faults).length ? "See the marked fields." : "";
    this.say(lacks || running || trouble || counted || elsewhere || said.text, Boolean(trouble) || said.is_error);
  }

  say(text, isError = false) {
    this.said.classList.toggle("mlt-is-error", isError);
    setText(this.said, text);
  }

  build({ magic, fields, offered }) {
    const isSearch = magic === "%%tune";
    this.root.setAttribute("aria-label", `form for ${magic}`);
    setText(this.title, isSearch ? "Search" : "Training");
    setText(this.train, isSearch ? "Search" : "Train");
    const groups = {};
    for (const field of fields) {
      groups[field.group] ??= this.addGroup(field.group);
      this.addField(groups[field.group], { ...field, is_known: field.name in offered });
    }
  }

  addGroup(name) {
    const group = add(this.form, "fieldset");
    add(group, "legend", {}, name);
    return group;
  }

  addField(group, field) {
    const box = add(group, "div", { class: "mlt-field" });
    this.boxes[field.name] = box;
    const head = add(box, "div", { class: "mlt-row" });
    add(head, "label", { for: `${this.id}-${field.name}` }, field.label);
    this.addInput(box, field.name, field);
    if (field.tuning.length) this.addTuning(box, head, field);
    const showHint = () => setText(this.hint, field.hint);
    box.addEventListener("focusin", showHint);
    box.addEventListener("pointerenter", showHint);
  }

  addInput(box, name, { is_listed: isListed, is_known: isKnown, hint }) {
    const id = `${this.id}-${name}`;
    const attributes = { id, "aria-describedby": `${id}-fault`, "aria-description": hint };
    const typed = { type: "text", autocomplete: "off", spellcheck: "false", ...(isKnown && { list: `${id}-known` }) };
    const control = addControl(box, isListed ? "select" : "input", isListed ? attributes : { ...attributes, ...typed });
    if (isListed) this.known[name] = control;
    else if (isKnown) this.known[name] = add(box, "datalist", { id: `${id}-known` });
    this.faults[name] = add(box, "div", { id: `${id}-fault`, class: "mlt-fault" });
    this.controls[name] = control;
    control.addEventListener("input", () => this.fill());
    control.addEventListener("keydown", (event) => event.key === "Enter" && !isListed && event.preventDefault());
  }

  addTuning(box, head, { label, hint, tuning: [tuned, ...where] }) {
    const mark = add(head, "label", { class: "mlt-tune" });
    this.controls[tuned] = addControl(mark, "input", { type: "checkbox", "aria-label": `tune ${label}` });
    this.controls[tuned].addEventListener("change", () => this.fill());
    mark.append("tune");
    const range = add(box, "div", { class: "mlt-range", role: "group", "aria-label": `where to search for ${label}` });
    this.boxes[tuned] = range;
    for (const name of where) {
      add(range, "label", { for: `${this.id}-${name}`, class: "mlt-soft" }, name.split("_").at(-1));
      this.addInput(range, name, { hint });
    }
  }

  showField({ name, tuning: [tuned, ...where] }) {
    const { values, offered, hidden } = this.state;
    this.boxes[name].hidden = hidden.includes(name);
    const isTuned = Boolean(values[tuned]);
    this.showInput(name, offered[name] ?? []);
    this.controls[name].hidden = isTuned;
    if (!tuned) return;
    this.controls[tuned].checked = isTuned;
    this.boxes[tuned].hidden = !isTuned;
    for (const each of where) this.showInput(each, []);
  }

  showInput(name, options) {
    const control = this.controls[name];
    if (this.known[name]) setOptions(this.known[name], options);
    const value = this.state.values[name];
    if (control.value !== value && (control.tagName === "SELECT" || control !== document.activeElement)) control.value = value;
    const fault = this.state.faults[name] ?? "";
    control.setAttribute("aria-invalid", Boolean(fault));
    setText(this.faults[name], fault);
  }

  values() {
    const valueOf = (control) => (control.type === "checkbox" ? (control.checked ? "yes" : "") : control.value);
    const shown = Object.entries(this.controls).filter(([name]) => !this.state.hidden.includes(name));
    return Object.fromEntries(shown.map(([name, control]) => [name, valueOf(control)]));
  }

  fill(cmd = "fill") {
    this.sent += 1;
    this.send({ cmd, values: this.values() });
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.say("The kernel does not answer yet: the cell follows when it is free."), MILLISECONDS_TO_ANSWER);
  }

  start() {
    const [wrong] = Object.keys(this.state.faults);
    if (wrong) this.controls[wrong].focus();
    this.fill("train");
  }

  copyCell() {
    copyText(this.state.cell, this.cell).then(
      () => this.say("Copied."),
      () => this.say(NOT_COPIED),
    );
  }

  insertCell() {
    this.cells.insertBelow(this.state.cell);
    this.say("Inserted below.");
  }
}

export default () => {
  const page = Math.random().toString(36).slice(2);
  return {
    initialize({ model }) {
      if (!model.get("state").page) model.send({ cmd: "open", page });
    },
    render({ model, el }) {
      const view = new FormView(el, { send: (command) => model.send(command), page, cells: cellsOf(model) });
      const draw = () => view.show(model.get("state"));
      model.on("change:state", draw);
      draw();
      return () => model.off("change:state", draw);
    },
  };
};
