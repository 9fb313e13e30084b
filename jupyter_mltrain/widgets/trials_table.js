// The table of a search's trials: its headers sort, and it grows without moving what somebody reads.

const MOST_ROWS = 12; // seen at once

function formatSetting(value) {
  if (value === undefined) return "";
  if (value === null) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(4))) : String(value);
}

function columnsOf(trials, objectives) {
  const names = [...new Set(trials.flatMap(({ values }) => Object.keys(values ?? {})))];
  const columns = [
    { id: "trial", name: "trial", value: ({ number }) => number, text: String },
    { id: "status", name: "status", value: ({ status }) => status, text: String },
    ...objectives.map(([name, direction]) => ({
      id: `score ${name}`,
      name,
      value: ({ scores }) => scores?.[name] ?? undefined,
      text: formatScore,
      isHighFirst: direction === "max",
    })),
    ...names.map((name) => ({ id: `value ${name}`, name, value: ({ values }) => values?.[name], text: formatSetting })),
    { id: "epochs", name: "epochs", value: ({ epochs }) => epochs, text: String },
    { id: "time", name: "time", value: ({ seconds }) => seconds ?? undefined, text: formatTiming },
  ];
  const isNumber = ({ value }) => trials.some((trial) => typeof value(trial) === "number");
  return columns.map((column) => ({ ...column, isNumeric: isNumber(column) }));
}

// Numbers by value, before texts; what is not there comes last in both directions.
function compareValues(one, other, sign) {
  if (one === undefined || other === undefined) return (one === undefined) - (other === undefined);
  const areNumbers = [typeof one === "number", typeof other === "number"];
  if (areNumbers[0] !== areNumbers[1]) return areNumbers[1] - areNumbers[0];
  return sign * (areNumbers[0] ? one - other : formatSetting(one).localeCompare(formatSetting(other), undefined, { numeric: true }));
}

function fillRow(row, columns, trial, isBest) {
  row.replaceChildren();
  row.classList.toggle("mlt-is-best", isBest);
  columns.forEach(({ value, text, isNumeric }, i) => {
    const known = value(trial);
    const cell = add(row, i === 0 ? "th" : "td", i === 0 ? { scope: "row" } : {}, known === undefined ? "" : text(known));
    cell.classList.toggle("mlt-number", isNumeric);
    cell.title = cell.textContent;
  });
  if (isBest) add(row.cells[1], "span", { class: "mlt-tag" }, "best");
}

function makeTrialsTable(parent) {
  const region = add(parent, "div", { class: "mlt-trials", role: "region", "aria-label": "trials", tabindex: 0 });
  const table = add(region, "table");
  const head = add(add(table, "thead"), "tr");
  const body = add(table, "tbody");
  const shown = new Map(); // number to its trial, whether that is marked as the best, and its row
  let columns = [];
  let sortedBy = 0;
  let sign = -1;

  function order() {
    const { value } = columns[sortedBy];
    const compare = (one, other) =>
      compareValues(value(one.trial), value(other.trial), sign) || other.trial.number - one.trial.number;
    let place = body.firstChild;
    for (const { row } of [...shown.values()].sort(compare)) {
      if (row === place) place = place.nextSibling;
      else body.insertBefore(row, place); // only what moves is touched: the rest keeps its place on the screen
    }
    [...head.cells].forEach((cell, i) => (cell.ariaSort = i === sortedBy ? (sign > 0 ? "ascending" : "descending") : null));
  }

  function sortBy(index) {
    sign = index === sortedBy ? -sign : columns[index].isHighFirst ? -1 : 1;
    sortedBy = index;
    order();
  }

  function layOut(next) {
    const sorted = columns[sortedBy]?.id;
    columns = next;
    sortedBy = Math.max(0, next.findIndex(({ id }) => id === sorted));
    head.replaceChildren();
    body.replaceChildren();
    shown.clear();
    next.forEach(({ name, isNumeric }, i) => {
      const cell = add(head, "th", { scope: "col", class: isNumeric ? "mlt-number" : "" });
      add(cell, "button", { type: "button", title: name }, name).addEventListener("click", () => sortBy(i));
    });
  }

  function show(trials, { objectives, best, numTrials }) {
    region.style.setProperty("--mlt-rows", Math.min(MOST_ROWS, numTrials ?? MOST_ROWS));
    const next = columnsOf(trials, objectives);
    const layoutOf = (all) => JSON.stringify(all.map(({ id, isNumeric }) => [id, isNumeric]));
    if (layoutOf(next) !== layoutOf(columns)) layOut(next);
    for (const trial of trials) {
      const known = shown.get(trial.number);
      const isBest = trial.number === best;
      if (known?.trial === trial && known.isBest === isBest) continue;
      const row = known?.row ?? document.createElement("tr");
      fillRow(row, columns, trial, isBest);
      shown.set(trial.number, { trial, isBest, row });
    }
    order();
  }

  return { region, show };
}
