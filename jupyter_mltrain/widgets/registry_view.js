// The registry: its models, their versions, and the timeline of every alias; its state is that of registry_state.py.

const EXPORT_SUFFIXES = { keras: ".keras", savedmodel: "", onnx: ".onnx", litert: ".tflite" }; // as in export.py
const SEARCH_FROM = 11;
const SPAN_COLOURS = 6;

const VERSION_COLUMNS = [
  ["aliases", ({ aliases, archived }) => [...aliases, ...(archived ? ["archived"] : [])], "mlt-names"],
  ["metrics", ({ metrics }) => metrics, ""],
  ["run", ({ run }) => run, ""],
  ["created", ({ created }) => created, "mlt-time"],
  ["parameters", ({ parameters }) => parameters, "mlt-number"],
  ["size", ({ size }) => size, "mlt-number"],
];

// A row whose first cell is a radio button: arrow keys and a click anywhere in the row choose it.
function addChoice(body, { group, text, isChosen, choose }) {
  const row = add(body, "tr", { class: isChosen ? "mlt-is-chosen" : "" });
  const label = add(add(row, "th", { scope: "row" }), "label");
  const radio = addControl(label, "input", { type: "radio", name: group, value: text });
  add(label, "span", {}, text);
  radio.checked = isChosen;
  radio.addEventListener("change", () => {
    body.querySelector(".mlt-is-chosen")?.classList.remove("mlt-is-chosen");
    row.classList.add("mlt-is-chosen");
    choose();
  });
  row.addEventListener("click", ({ target }) => target.closest("label") ?? radio.click());
  return row;
}

function addNames(parent, names) {
  for (const name of names) add(parent, "span", { class: "mlt-alias" }, name);
}

function addSearch(parent, body) {
  const search = addControl(parent, "input", { type: "search", placeholder: "Search", "aria-label": "Search the versions" });
  const status = add(parent, "span", { class: "mlt-soft", role: "status" });
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    let numFound = 0;
    for (const row of body.rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      numFound += !row.hidden;
    }
    setText(status, wanted ? `${numFound} of ${body.rows.length} versions` : "");
  });
}

function addStrip(parent, moves) {
  const strip = add(parent, "div", { class: "mlt-strip", "aria-hidden": "true" });
  const whole = moves.reduce((sum, { seconds }) => sum + seconds, 0) || 1;
  for (const { version, seconds, from, until } of [...moves].reverse()) {
    const text = version == null ? "" : String(version);
    const span = add(strip, "div", { title: `${text || "no version"}, ${from} to ${until}` }, text);
    span.classList.toggle("mlt-is-nothing", version == null);
    span.style.flexGrow = seconds / whole;
    span.style.setProperty("--mlt-span", `var(--mlt-curve-${((version ?? 1) - 1) % SPAN_COLOURS + 1})`);
  }
}

function addTimeline(parent, model, { alias, moves }) {
  const columns = [["version"], ["from"], ["until"], ["by"], ["how"], ["reason"]];
  const body = addTable(parent, `timeline of ${alias}`, columns);
  for (const move of moves) {
    const row = add(body, "tr");
    add(row, "th", { scope: "row" }, move.version == null ? "no version" : `${model}@${move.version}`);
    add(row, "td", { class: "mlt-time" }, move.from);
    add(row, "td", { class: "mlt-time" }, move.until);
    for (const text of [move.user, move.how]) add(row, "td", {}, text);
    add(row, "td", { class: "mlt-why" }, move.reason);
  }
}

class RegistryView {
  constructor(el, send, cells) {
    this.send = send;
    this.group = `mlt-${Math.random().toString(36).slice(2)}`;
    this.root = add(el, "section", { class: "mlt mlt-controls mlt-records mlt-registry", "aria-label": "registry" });
    const head = add(this.root, "div", { class: "mlt-row mlt-head" });
    add(head, "strong", { class: "mlt-name" }, "Registry");
    addButton(head, "Refresh", () => this.ask({ cmd: "sync" }));
    this.said = addSaid(this.root, cells);
    this.models = add(this.root, "div");
    this.title = add(this.root, "h4");
    this.versions = add(this.root, "div");
    this.tools = add(this.root, "div", { class: "mlt-tools", role: "group" });
    this.form = add(this.root, "div");
    this.detail = add(this.root, "div", { class: "mlt-detail" });
    this.aliases = add(this.root, "div");
  }

  ask(command) {
    this.form.replaceChildren();
    this.said.wait();
    if (command.cmd !== "sync") this.said.focus();
    sendTo(this.send, command, this.said);
  }

  show(state) {
    this.state = state;
    this.model = state.models.find(({ name }) => name === this.model?.name) ?? state.models[0];
    this.said.say(state.said);
    this.showModels();
    this.showModel();
    addDetail(this.detail, state.detail, () => this.ask({ cmd: "close" }));
  }

  showModels() {
    this.models.replaceChildren();
    if (this.state.models.length === 0) {
      if (!this.state.said.is_error) add(this.models, "p", {}, "No model is registered yet: add --register NAME to a %%train line.");
      return;
    }
    const body = addTable(this.models, "models", [["model"], ["newest version"], ["aliases"], ["created"]]);
    for (const model of this.state.models) {
      const isChosen = model === this.model;
      const choose = () => {
        this.model = model;
        this.form.replaceChildren();
        this.showModel();
      };
      const row = addChoice(body, { group: `${this.group}-models`, text: model.name, isChosen, choose });
      const newest = model.versions.find(({ archived }) => !archived);
      add(row, "td", {}, newest ? String(newest.version) : "all archived");
      const standing = model.aliases.filter(({ version }) => version != null);
      addNames(add(row, "td"), standing.map(({ alias, version }) => `${alias}: ${version}`));
      add(row, "td", { class: "mlt-time" }, newest?.created ?? "");
    }
  }

  showModel() {
    for (const part of [this.versions, this.tools, this.aliases]) part.replaceChildren();
    this.title.hidden = !this.model;
    if (!this.model) return;
    setText(this.title, `Versions of ${this.model.name}`);
    const last = this.chosen?.[0] === this.model.name ? this.chosen[1] : undefined;
    this.version = this.model.versions.find(({ version }) => version === last) ?? this.model.versions[0];
    const tools = add(this.versions, "div", { class: "mlt-tools" });
    const columns = VERSION_COLUMNS.map(([name, , className]) => [name, className]);
    const body = addTable(this.versions, `versions of ${this.model.name}`, [["version"], ...columns]);
    for (const version of this.model.versions) this.addVersion(body, version);
    if (this.model.versions.length >= SEARCH_FROM) addSearch(tools, body);
    else tools.remove();
    this.showTools();
    this.showAliases();
  }

  addVersion(body, version) {
    const choose = () => {
      this.version = version;
      this.chosen = [this.model.name, version.version];
      this.form.replaceChildren();
      this.showTools();
    };
    const text = `${this.model.name}@${version.version}`;
    const row = addChoice(body, { group: `${this.group}-versions`, text, isChosen: version === this.version, choose });
    row.classList.toggle("mlt-is-archived", version.archived);
    for (const [, value, className] of VERSION_COLUMNS) {
      const cell = add(row, "td", { class: className });
      const known = value(version);
      if (Array.isArray(known)) addNames(cell, known);
      else cell.textContent = known;
    }
  }

  showTools() {
    const { version, archived } = this.version;
    const about = { model: this.model.name, version };
    this.tools.replaceChildren();
    this.tools.setAttribute("aria-label", `${this.model.name}@${version}`);
    add(this.tools, "strong", {}, `${this.model.name}@${version}`);
    addButton(this.tools, "Open", () => this.ask({ cmd: "open", ...about }));
    addButton(this.tools, "Set alias…", () => this.askForAlias()).disabled = archived;
    if (archived) addButton(this.tools, "Take back into use", () => this.ask({ cmd: "archive", ...about, undo: true }));
    else addButton(this.tools, "Archive…", () => this.askForReason("Archive", `${about.model}@${version}`, { cmd: "archive", ...about }));
    addButton(this.tools, "Verify", () => this.ask({ cmd: "verify", ...about }));
    addButton(this.tools, "Load", () => this.ask({ cmd: "load", ...about }));
    addButton(this.tools, "Compare…", () => this.askWhatWith(about)).disabled = this.model.versions.length < 2;
    addButton(this.tools, "Export…", () => this.askWhereTo(about));
  }

  showAliases() {
    const { name, aliases } = this.model;
    for (const each of aliases) {
      const { alias, version, moves } = each;
      add(this.aliases, "h4", {}, `${name}@${alias}`);
      const tools = add(this.aliases, "div", { class: "mlt-tools", role: "group", "aria-label": `${name}@${alias}` });
      add(tools, "span", {}, version == null ? "stands for no version" : `stands for ${name}@${version} since ${moves[0].from}`);
      if (version != null) {
        const command = { cmd: "rollback", model: name, alias, seen: version };
        addButton(tools, "Roll back…", () => this.askForReason("Roll back", `${name}@${alias}`, command));
      }
      addStrip(this.aliases, moves);
      addTimeline(this.aliases, name, each);
    }
  }

  askForAlias() {
    const { name, aliases } = this.model;
    const { version } = this.version;
    const form = addForm(this.form, `Let an alias stand for ${name}@${version}`, "Set alias", ({ alias, reason }) => {
      const seen = aliases.find((each) => each.alias === alias)?.version ?? 0; // 0 stands for none
      this.ask({ cmd: "promote", model: name, version, alias, reason, seen });
    });
    const field = addField(form, "alias", "Alias", { required: "", list: `${this.group}-aliases` });
    const known = add(form, "datalist", { id: `${this.group}-aliases` });
    for (const { alias } of aliases) add(known, "option", { value: alias });
    addField(form, "reason", "Reason");
    field.focus();
  }

  askWhatWith({ model, version }) {
    const others = this.model.versions.filter((each) => each.version !== version).map((each) => each.version);
    const before = others.find((other) => other < version) ?? others[0];
    const form = addForm(this.form, `Compare ${model}@${version} with another version`, "Compare", () => {
      this.ask({ cmd: "compare", model, version, with: other.value });
    });
    const other = addSelect(form.fields, "Version", others.map((each) => [each, `${model}@${each}`]), () => {});
    other.value = before;
    other.focus();
  }

  askWhereTo({ model, version }) {
    const form = addForm(this.form, `Export ${model}@${version}`, "Export", ({ to }) => {
      this.ask({ cmd: "export", model, version, format: format.value, to });
    });
    const name = () => `exported/${model}-${version}${EXPORT_SUFFIXES[format.value]}`;
    const format = addSelect(form.fields, "Format", Object.keys(EXPORT_SUFFIXES).map((each) => [each, each]), () => (to.value = name()));
    const to = addField(form, "to", "File or folder", { required: "" });
    to.value = name();
    format.focus();
  }

  askForReason(action, what, command) {
    const form = addForm(this.form, `${action} ${what}`, action, ({ reason }) => this.ask({ ...command, reason }));
    addField(form, "reason", "Reason").focus();
  }
}

export default {
  render({ model, el }) {
    const view = new RegistryView(el, (command) => model.send(command), cellsOf(model));
    const draw = () => view.show(model.get("state"));
    model.on("change:state", draw);
    draw();
    return () => model.off("change:state", draw);
  },
};
