// Makes static tables sortable, searchable and paged. Sorting looks at a cell's data-key, else at its text.
(() => {
  const PAGE = 50;
  const SEARCH_FROM = 11;

  const element = (name, properties) => Object.assign(document.createElement(name), properties);

  const keyOf = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.key ?? cell.textContent.trim();
    const value = text === "" ? NaN : Number(text);
    return { text, value };
  };

  // Numbers by value, before texts; what is empty comes last in both directions.
  const compare = (a, b, sign) => {
    if (a.text === "" || b.text === "") return (a.text === "") - (b.text === "");
    if (!isNaN(a.value) && !isNaN(b.value)) return sign * (a.value - b.value);
    if (isNaN(a.value) !== isNaN(b.value)) return isNaN(a.value) - isNaN(b.value);
    return sign * a.text.localeCompare(b.text, undefined, { numeric: true });
  };

  const enhance = (table) => {
    table.dataset.enhanced = "";
    const body = table.tBodies[0];
    const all = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    const status = element("span", { role: "status" });
    let rows = all;
    let query = "";
    let page = 0;

    const turn = (text, label, step) => {
      const onclick = () => { page += step; draw(); };
      return element("button", { type: "button", textContent: text, ariaLabel: label, onclick });
    };
    const back = turn("‹", "Previous page", -1);
    const forth = turn("›", "Next page", 1);

    const draw = () => {
      const found = query ? rows.filter((row) => row.textContent.toLowerCase().includes(query)) : rows;
      const first = page * PAGE;
      const last = Math.min(first + PAGE, found.length);
      body.replaceChildren(...found.slice(first, last));
      back.hidden = forth.hidden = found.length <= PAGE;
      back.disabled = page === 0;
      forth.disabled = last === found.length;
      const range = found.length > PAGE ? `${first + 1}–${last} of ` : "";
      const whole = query ? ` of ${all.length}` : "";
      status.textContent = `${range}${found.length}${whole} rows`;
    };

    const sort = (column) => {
      const ascending = heads[column].ariaSort !== "ascending";
      const sign = ascending ? 1 : -1;
      heads.forEach((head) => { head.ariaSort = null; });
      heads[column].ariaSort = ascending ? "ascending" : "descending";
      const keyed = all.map((row) => ({ row, key: keyOf(row, column) }));
      rows = keyed.sort((a, b) => compare(a.key, b.key, sign)).map(({ row }) => row);
      page = 0;
      draw();
    };

    heads.forEach((head, column) => {
      const button = element("button", { type: "button", textContent: head.textContent, onclick: () => sort(column) });
      head.replaceChildren(button);
    });

    if (all.length >= SEARCH_FROM) {
      const search = element("input", { type: "search", placeholder: "Search", ariaLabel: "Search the table" });
      search.dataset.lmSuppressShortcuts = "true"; // typing here must not run JupyterLab's one-key commands
      search.oninput = () => { query = search.value.trim().toLowerCase(); page = 0; draw(); };
      const tools = element("div", { className: "mltrain-tools" });
      tools.append(search, back, forth, status);
      table.parentElement.before(tools);
      draw();
    }
  };

  document.querySelectorAll("table.mltrain-sortable:not([data-enhanced])").forEach(enhance);
})();
