"""The runs in JupyterLab and Notebook 7: found among thousands, compared, acted on, and what of the list stays."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from contrasts import CONTRASTS

sys.path.insert(0, str(Path(__file__).parents[1] / "widgets"))

from sample_home import HOSTILE, add_run, end_run, make_runs
from sample_runs import make_epochs

from jupyter_mltrain.services.session import Session

LOAD = '%load_ext jupyter_mltrain\n%config MLTrain.home = "{home}"'
NUM_RUNS = 2_000
TALL = pytest.mark.parametrize("open_file", [{"viewport": {"width": 1200, "height": 2200}}], indirect=True)


class Runs:
    """A notebook whose second cell is `%runs`."""

    def __init__(self, open_notebook: Any, home: Path, *cells: str) -> None:
        self.notebook = open_notebook(LOAD.format(home=home), "%runs", *cells)
        self.page = self.notebook.page
        self.notebook.run(0)
        self.notebook.run(1)
        self.output = self.notebook.output(1)
        self.view = self.output.locator(".mlt-runs")
        self.view.wait_for(timeout=30_000)

    def button(self, name: str) -> Any:
        return self.view.get_by_role("button", name=name, exact=True)

    def sort_by(self, column: str) -> None:
        self.table.get_by_role("button", name=column, exact=True).click()

    def choose(self, *refs: str) -> None:
        for ref in refs:
            self.table.get_by_role("checkbox", name=ref, exact=True).check()

    @property
    def table(self) -> Any:
        return self.view.get_by_role("region", name="runs")

    @property
    def first(self) -> Any:
        return self.table.locator("tbody th").first

    @property
    def range(self) -> Any:
        return self.view.locator(".mlt-tools").first.get_by_role("status")

    @property
    def said(self) -> Any:
        return self.view.locator(".mlt-said")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_runs(tmp_path / "home", NUM_RUNS).close()
    return tmp_path / "home"


@pytest.fixture
def seen(open_notebook: Any, home: Path) -> Any:
    """The list; afterwards the page must have reported no error."""
    seen = Runs(open_notebook, home, LOAD.format(home=f"{home}-empty") + "\n%runs")
    yield seen
    assert seen.notebook.errors == []
    assert seen.notebook.external == []


@TALL
@pytest.mark.parametrize("server", ["notebook"], indirect=True)
def test_thousands_of_runs_are_found_compared_and_removed_in_notebook_7(seen: Runs, expect: Any, tmp_path: Path) -> None:
    expect(seen.range).to_have_text("1\N{EN DASH}50 of 2,000 runs")
    expect(seen.first).to_have_text("digits#2000")
    expect(seen.table.locator("tbody .mlt-spark")).to_have_count(50)
    seen.sort_by("duration")
    expect(seen.first).to_have_text("digits#1")
    expect(seen.said.locator("pre")).to_have_text("import jupyter_mltrain\njupyter_mltrain.runs.list(sort='duration')")
    seen.button("Next page").click()
    expect(seen.first).to_have_text("digits#51")
    seen.view.get_by_role("searchbox").fill("EVEN digits#19")
    expect(seen.range).to_have_text("1\N{EN DASH}50 of 55 runs of 2,000")
    expect(seen.first).to_have_text("digits#190")
    seen.sort_by("duration")
    expect(seen.first).to_have_text("digits#1998")
    expect(seen.table.get_by_role("columnheader", name="duration")).to_have_attribute("aria-sort", "descending")
    seen.view.get_by_role("combobox", name="Status").select_option("failed")
    expect(seen.view).to_contain_text("None of 2,000 runs fits")
    seen.view.get_by_role("combobox", name="Status").select_option("")
    seen.view.get_by_text("Columns").click()
    seen.view.get_by_label("learning_rate").check()
    expect(seen.table.get_by_role("columnheader", name="learning_rate")).to_be_visible()
    seen.view.get_by_text("Columns").click()

    seen.choose("digits#1998", "digits#1996", "digits#1994")
    seen.button("Compare").click()
    expect(seen.said).to_contain_text("%runs compare digits#1998 digits#1996 digits#1994")
    curves = seen.view.get_by_role("img", name="loss by epoch of digits#1998, digits#1996, digits#1994")
    linear = curves.locator("path").nth(0).get_attribute("d")
    seen.view.get_by_label("Axis").select_option("log")
    assert curves.locator("path").nth(0).get_attribute("d") != linear
    seen.view.get_by_label("Smoothing").fill("0.6")
    expect(curves.locator(".mlt-trail")).to_have_count(6)
    expect(seen.view.get_by_role("img", name="over learning_rate, optimizer, best val_loss").locator("path")).to_have_count(3)
    expect(seen.view.locator(".mltrain-added").last).to_have_text("+model = net(1994)")
    for theme in ("Light", "Dark"):
        seen.notebook.theme(theme)
        seen.output.screenshot(path=tmp_path / f"runs-{theme.lower()}.png")
        contrasts = seen.notebook.js(CONTRASTS)
        assert (contrasts["text"] >= 4.5, contrasts["curves"] >= 3) == (True, True)
        assert seen.notebook.accessibility_faults(".mlt-runs") == []

    seen.button("Remove…").click()
    expect(seen.view.get_by_role("form")).to_contain_text("Remove digits#1998, digits#1996, digits#1994 with all files?")
    seen.view.get_by_role("form").get_by_role("button", name="Remove").click()
    expect(seen.said).to_contain_text("jupyter_mltrain.runs.remove('digits#1998', 'digits#1996', 'digits#1994')")
    expect(seen.range).to_have_text("1\N{EN DASH}50 of 52 runs of 1,997")


def test_what_goes_on_elsewhere_is_seen_and_acted_on_by_keyboard_and_a_table_stays(
    seen: Runs, home: Path, expect: Any, open_file: Any
) -> None:
    other = Session(str(home))
    run = add_run(other, "elsewhere", note=HOSTILE, tags={"<b>": "\u202e"}, source=f"%%train elsewhere\n# {HOSTILE[:40]}")
    expect(seen.first).to_have_text("elsewhere#1", timeout=15_000)
    epochs = make_epochs(5, "loss")
    other.store.runs.append_epochs(run.id, epochs[:3])
    row = seen.table.get_by_role("row").nth(1)
    expect(row.locator(".mlt-spark")).to_be_visible(timeout=15_000)
    end_run(other, run, history=epochs)
    expect(row).to_contain_text("completed", timeout=15_000)
    other.close()

    keyboard = seen.page.keyboard
    seen.view.get_by_role("searchbox").focus()
    keyboard.type("add a cell: a, b, dd")  # none of these keys is a command of JupyterLab here
    expect(seen.range).to_have_text("no run")
    keyboard.press("Control+a")
    keyboard.type("elsewhere")
    expect(seen.range).to_have_text("1\N{EN DASH}1 of 1 runs of 2,001")
    seen.table.get_by_role("checkbox").focus()
    keyboard.press("Space")
    seen.button("Open").focus()
    keyboard.press("Enter")
    expect(seen.view.get_by_role("heading", name="elsewhere#1")).to_be_visible()
    expect(seen.view.locator(".mlt-detail")).to_contain_text("<script>alert(1)</script>")
    seen.button("Cell").focus()
    keyboard.press("Enter")
    expect(seen.said.locator("pre")).to_have_text(f"%%train elsewhere\n# {HOSTILE[:40]}")
    seen.button("Insert cell").focus()
    keyboard.press("Enter")
    expect(seen.notebook.cell(2)).to_contain_text("%%train elsewhere")
    assert seen.page.locator(".jp-Notebook .jp-CodeCell").count() == 4

    twin = seen.output.locator(".mltrain").first
    expect(twin).to_be_hidden()
    assert len(seen.notebook.save()) < 300_000
    seen.notebook.run(3)
    empty = seen.notebook.output(3).locator(".mlt-runs")
    expect(empty).to_contain_text("put %%train on top of a cell that trains a Keras model")
    expect(empty.get_by_role("table")).to_have_count(0)
    seen.notebook.command("kernelmenu:shutdown")
    again = open_file(seen.notebook.path, has_kernel=False)
    again.page.wait_for_timeout(500)
    again.page.get_by_role("button", name="No Kernel").or_(again.page.locator(".jp-Cell").first).first.click()
    table = again.output(1).locator(".mltrain")
    expect(table).to_be_visible()
    expect(table.locator("tbody tr")).to_have_count(50)
    expect(table.locator("tbody tr").first).to_contain_text(re.compile("^elsewhere#1completed"))
    expect(again.output(1).get_by_text(re.compile("Error displaying widget|model not found|Loading widget"))).to_be_hidden()
