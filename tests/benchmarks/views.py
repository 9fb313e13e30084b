"""How long the live views of many records take in JupyterLab: from the start of the cell, or a click, to what it shows.

Times are the browser's own, the kernel's answer and the drawing included.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import nbformat

from jupyter_mltrain.widgets.table import Table
from tests.benchmarks.listing import fill

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("browser", "widgets")]

_NUM_LOOKS, _NUM_VERSIONS = 5, 1_000
_UNTIL = """async ([act, done]) => {
    const start = performance.now();
    await eval(act);
    while (!eval(done)) await new Promise(requestAnimationFrame);
    return performance.now() - start;
}"""
_RUN_CELL = """(() => {
    window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1;
    window.jupyterapp.commands.execute("notebook:run-cell");
})()"""


def measure(*, num_runs: int) -> Iterator[tuple[str, str]]:
    """Yield the medians of a look."""
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder, "runs"), num_runs)
        yield from measure_runs(Path(folder, "runs"), num_runs)
        yield from _measure_models(Path(folder, "models"))


def measure_runs(home: Path, num_runs: int) -> Iterator[tuple[str, str]]:
    """Yield what the runs of a home take, `digits#1` to `digits#<num_runs>`, the newest the last."""
    at, middle = f"{num_runs:,} runs", num_runs // 2
    newest, oldest, next_page, found = (_first(".mlt-runs", number) for number in (num_runs, 1, num_runs - 50, middle))
    sort = _click(".mlt-runs thead button")
    is_unsorted = newest + " && !document.querySelector('.mlt-runs [aria-sort]')"
    with _notebook(home, "%runs") as notebook:
        paints = [_milliseconds(notebook, _RUN_CELL, newest) for _ in range(_NUM_LOOKS) if _cleared(notebook)]
        notebook.page.wait_for_timeout(3000)  # the rest of the runs is read behind the first page
        sorts, searches, turns = [], [], []
        for _ in range(_NUM_LOOKS):
            sorts.append(_milliseconds(notebook, sort, oldest))
            _milliseconds(notebook, sort, newest)
            _milliseconds(notebook, sort, is_unsorted)
            searches.append(_milliseconds(notebook, _type(".mlt-runs", f"digits#{middle}"), found))
            _milliseconds(notebook, _type(".mlt-runs", ""), newest)
            turns.append(_milliseconds(notebook, _click(".mlt-runs [aria-label='Next page']"), next_page))
            _milliseconds(notebook, _click(".mlt-runs [aria-label='Previous page']"), newest)
        yield f"`%runs` at {at}: from the cell's start to its rows", _shown(paints)
        yield f"`%runs` at {at}: sort, search, next page", ", ".join(map(_shown, (sorts, searches, turns)))
        static = _static_table(notebook, num_runs)
        yield f"a static table of {at}: its rows, sort, search", ", ".join(map(_shown, static))


def _measure_models(home: Path) -> Iterator[tuple[str, str]]:
    from sample_models import add_versions, make_registry

    add_versions(make_registry(home, 1), _NUM_VERSIONS - 1).close()
    with _notebook(home, "%models") as notebook:
        paints = [_milliseconds(notebook, _RUN_CELL, _versions(_NUM_VERSIONS)) for _ in range(_NUM_LOOKS) if _cleared(notebook)]
        searches = []
        for _ in range(_NUM_LOOKS):
            searches.append(_milliseconds(notebook, _type(".mlt-registry", "digits@99"), _versions(11)))
            _milliseconds(notebook, _type(".mlt-registry", ""), _versions(_NUM_VERSIONS))
        at = f"`%models` at {_NUM_VERSIONS:,} versions"
        yield f"{at}: from the cell's start to its rows, search", ", ".join(map(_shown, (paints, searches)))


def _static_table(notebook: Any, num_runs: int) -> tuple[list[float], ...]:
    """Return what a table of as many rows takes that the browser sorts by itself, in a page of its own."""
    columns = ("run", "status", "epochs", "best score", "by", "train loss", "val loss", "duration")
    rows = [(f"digits#{i}", "completed", 50, 1 / i, "val_loss", 2 / i, 1 / i, 25.0 + i) for i in range(num_runs, 0, -1)]
    html = Table(columns, rows)._repr_mimebundle_()["text/html"]
    fill_page = "document.body.replaceChildren(document.createRange().createContextualFragment(window.html))"
    times: tuple[list[float], ...] = ([], [], [])
    for _ in range(_NUM_LOOKS):
        page = notebook.page.context.browser.new_page()
        page.evaluate("html => { window.html = html }", html)
        newest, oldest, found = (_first("table", number) for number in (num_runs, 1, num_runs // 2))
        times[0].append(page.evaluate(_UNTIL, [fill_page, newest + " && document.querySelector('thead button')"]))
        times[1].append(page.evaluate(_UNTIL, [_click("thead button"), oldest]))
        times[2].append(page.evaluate(_UNTIL, [_type("body", f"digits#{num_runs // 2}"), found]))
        page.close()
    return times


@contextmanager
def _notebook(home: Path, look: str) -> Iterator[Any]:
    from conftest import _CHROMIUM, _CHROMIUM_ARGUMENTS, BrowserNotebook, _running
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, _running("lab", Path(folder)) as server, sync_playwright() as playwright:
        path = server.root / "views.ipynb"
        cells = [f"%load_ext jupyter_mltrain\n%config MLTrain.home = {str(home)!r}\n{look}", look]
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)), metadata=metadata), path)
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_CHROMIUM_ARGUMENTS)
        notebook = BrowserNotebook(browser.new_page(), server, path)
        notebook.run(0)
        yield notebook
        browser.close()


def _cleared(notebook: Any) -> bool:
    """Empty the cells' outputs; what was imported stays, as it does in a notebook that is worked in."""
    notebook.page.wait_for_timeout(1000)
    notebook.command("notebook:clear-all-cell-outputs")
    return True


def _milliseconds(notebook: Any, act: str, done: str) -> float:
    return float(notebook.js(_UNTIL, [act, done]))


def _click(selector: str) -> str:
    return f'document.querySelector("{selector}").click()'


def _type(view: str, text: str) -> str:
    field = f"document.querySelector('{view} input[type=search]')"
    return f"{field}.value = '{text}', {field}.dispatchEvent(new Event('input'))"


def _first(view: str, number: int) -> str:
    return f"document.querySelector('{view} tbody tr th')?.textContent.trim() === 'digits#{number}'"


def _versions(num: int) -> str:
    return f"document.querySelectorAll('.mlt-registry tbody tr:not([hidden])').length === {num} + 1"


def _shown(milliseconds: list[float]) -> str:
    return f"{median(milliseconds):.0f} ms"


if __name__ == "__main__":
    for what, value in measure(num_runs=10_000):
        print(f"| {what} | {value} |", flush=True)
