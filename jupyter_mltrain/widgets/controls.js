// Buttons, tables and forms of the views of records, and what a view says of the last command.

// Something that takes the focus. JupyterLab looks for shortcuts from there up: arrow keys and Enter would leave the view.
function addControl(parent, tag, attributes = {}, text = "") {
  return add(parent, tag, { "data-lm-suppress-shortcuts": "true", ...attributes }, text);
}

function addButton(parent, text, act, attributes = {}) {
  const button = addControl(parent, "button", { type: "button", ...attributes }, text);
  button.addEventListener("click", () => button.getAttribute("aria-disabled") === "true" || act());
  return button;
}

function addSelect(parent, text, choices, act) {
  const label = add(parent, "label", {}, text);
  const select = addControl(label, "select");
  for (const [value, name] of choices) add(select, "option", { value }, name);
  select.addEventListener("change", () => act(select.value));
  return select;
}

function addTable(parent, label, columns) {
  const region = addControl(parent, "div", { class: "mlt-scroll", role: "region", "aria-label": label, tabindex: 0 });
  const table = add(region, "table");
  const head = add(add(table, "thead"), "tr");
  for (const [name, className = ""] of columns) add(head, "th", { scope: "col", class: className }, name);
  return add(table, "tbody");
}

const NOT_COPIED = "Select the text and copy it: this page may not.";

function copyText(text, shown) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  getSelection().selectAllChildren(shown); // pages that are neither local nor encrypted have no clipboard
  return document.execCommand("copy") ? Promise.resolve() : Promise.reject(new Error("the page may not copy"));
}

// The notebook's cells, which JupyterLab and Notebook 7 share with their widgets and other front ends do not.
function cellsOf(model) {
  const notebook = model.widget_manager?.context?.model?.sharedModel;
  const place = () => notebook?.cells?.findIndex((cell) => cell.getId() === model.get("cell_id")) ?? -1;
  return {
    canInsert: () => Boolean(notebook?.insertCell) && place() >= 0,
    insertBelow: (source) =>
      notebook.insertCell(place() + 1, { cell_type: "code", source, metadata: {}, outputs: [], execution_count: null }),
  };
}

// The line in which a view says what came of the last command, with the code that does the same.
function addSaid(parent, cells) {
  const root = addControl(parent, "div", { class: "mlt-said", role: "status", tabindex: -1 });
  const saySentence = (text, isError) => {
    root.classList.toggle("mlt-is-error", isError);
    root.replaceChildren();
    add(root, "div", {}, text);
  };
  return {
    focus: () => root.focus(),
    wait: () => saySentence("Waiting for the kernel…", false),
    say({ text, code, is_error: isError }) {
      saySentence(text, isError);
      if (!code) return;
      const box = add(root, "div", { class: "mlt-code" });
      const shown = addControl(box, "pre", { tabindex: 0, "aria-label": "the code that does the same" }, code);
      const copy = addButton(box, "Copy", () => copyText(code, shown).then(() => setText(copy, "Copied"), () => setText(copy, NOT_COPIED)));
      if (!cells.canInsert()) return;
      const insert = addButton(box, "Insert cell", () => {
        cells.insertBelow(code);
        setText(insert, "Inserted below");
      });
    },
  };
}

// Send a command to the kernel, which may have ended since.
function sendTo(send, command, said) {
  try {
    send(command);
  } catch {
    said.say({ text: "The kernel has ended: run this cell again.", code: "", is_error: true });
  }
}

// A form in place of what `parent` holds; `act` gets its fields by name. Enter in a field and the button submit it.
function addForm(parent, title, done, act) {
  parent.replaceChildren();
  const form = add(parent, "form", { "aria-label": title });
  add(form, "strong", {}, title);
  const fields = add(form, "div", { class: "mlt-tools" });
  const buttons = add(form, "div", { class: "mlt-tools" });
  const submit = addControl(buttons, "button", { type: "submit" }, done);
  addButton(buttons, "Cancel", () => parent.replaceChildren());
  fields.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    form.requestSubmit(); // which browsers do by themselves, but not within JupyterLab
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(Object.fromEntries([...new FormData(form)].map(([name, text]) => [name, text.trim()])));
  });
  return Object.assign(form, { fields, submit });
}

function addField(form, name, text, attributes = {}) {
  const label = add(form.fields, "label", {}, text);
  return addControl(label, "input", { type: "text", name, autocomplete: "off", ...attributes });
}

// What a view shows below its records: a title, and a view of view.py, whose texts are escaped in one place, theme.py.
function addDetail(parent, detail, close) {
  parent.replaceChildren();
  if (!detail) return;
  const head = add(parent, "div", { class: "mlt-row mlt-head" });
  add(head, "h4", {}, detail.title);
  addButton(head, "Close", close);
  const beside = add(parent, "div"); // for what is drawn of it
  add(parent, "div").innerHTML = detail.html;
  return beside;
}
