"""The registry in JupyterLab: seen, acted on by mouse and by keyboard, and what of it stays in the notebook."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from contrasts import CONTRASTS

sys.path.insert(0, str(Path(__file__).parents[1] / "widgets"))

from sample_models import add_versions, make_registry

LOAD = '%load_ext jupyter_mltrain\n%config MLTrain.home = "{home}"'
HOSTILE = "<script>alert('reason')</script> \"quoted\" {x}"


class Registry:
    """A notebook whose second cell is `%models`."""

    def __init__(self, open_notebook: Any, home: Path, *cells: str, kernel: str = "python3") -> None:
        self.notebook = open_notebook(LOAD.format(home=home), "%models", *cells, kernel=kernel)
        self.notebook.run(0)
        self.notebook.run(1)
        self.output = self.notebook.output(1)
        self.view = self.output.locator(".mlt-registry")
        self.view.wait_for(timeout=30_000)

    def button(self, name: str, group: str) -> Any:
        return self.view.get_by_role("group", name=group).get_by_role("button", name=name)

    def choose(self, version: str) -> None:
        self.view.get_by_role("radio", name=version, exact=True).check()

    def fill(self, **fields: str) -> None:
        for label, text in fields.items():
            self.view.get_by_role("form").get_by_label(label).fill(text)
        self.view.get_by_role("form").locator("button[type=submit]").click()

    @property
    def said(self) -> Any:
        return self.view.locator(".mlt-said")

    def timeline(self, alias: str) -> list[list[str]]:
        rows = self.view.get_by_role("region", name=f"timeline of {alias}").locator("tbody tr")
        return [row.locator("th, td").all_inner_texts() for row in rows.all()]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_registry(tmp_path / "home").close()
    return tmp_path / "home"


@pytest.fixture
def registry(open_notebook: Any, home: Path) -> Any:
    """A function that opens the registry; afterwards the page must have reported no error."""
    opened: list[Registry] = []

    def open_(*cells: str, kernel: str = "python3") -> Registry:
        opened.append(Registry(open_notebook, home, *cells, kernel=kernel))
        return opened[0]

    yield open_
    for each in opened:
        assert each.notebook.errors == []
        assert each.notebook.external == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_aliases_are_set_moved_and_rolled_back_by_mouse(registry: Any, expect: Any, tmp_path: Path, theme: str) -> None:
    seen = registry("from jupyter_mltrain import models\nprint([m.version for m in models.history('digits', 'champion')])")
    seen.notebook.theme(theme)
    expect(seen.output.get_by_role("table", name="").first).to_be_visible()
    expect(seen.view.get_by_role("radio", name="digits@3")).to_be_checked()

    seen.choose("digits@1")
    seen.button("Set alias", "digits@1").click()
    seen.fill(Alias="champion", Reason=HOSTILE)
    expect(seen.said).to_contain_text("digits@champion: digits@1 now, no version before.")
    seen.choose("digits@3")
    seen.button("Set alias", "digits@3").click()
    seen.fill(Alias="champion", Reason="fewer errors")
    expect(seen.said).to_contain_text("digits@champion: digits@3 now, digits@1 before.")
    expect(seen.said.locator("pre")).to_have_text(
        "import jupyter_mltrain\njupyter_mltrain.models.promote('digits', 3, 'champion', reason='fewer errors')"
    )
    seen.output.screenshot(path=tmp_path / f"registry-{theme.lower()}.png")
    contrasts = seen.notebook.js(CONTRASTS)
    assert contrasts["text"] >= 4.5
    assert seen.notebook.accessibility_faults(".mlt-registry") == []

    seen.button("Roll back", "digits@champion").click()
    seen.view.get_by_role("form").get_by_label("Reason").fill("it was slow")
    seen.output.screenshot(path=tmp_path / f"form-{theme.lower()}.png")
    seen.notebook.page.keyboard.press("Enter")
    expect(seen.said).to_contain_text("digits@champion: digits@1 now, digits@3 before.")
    rows = seen.timeline("champion")
    assert [(version, how, reason) for version, _, _, _, how, reason in rows] == [
        ("digits@1", "rolled back", "it was slow"),
        ("digits@3", "moved", "fewer errors"),
        ("digits@1", "set", HOSTILE),
    ]
    assert (rows[0][2], [row[2] for row in rows[1:]]) == ("now", [row[1] for row in rows[:-1]])
    seen.notebook.run(2)
    assert seen.notebook.output(2).inner_text().strip() == "[1, 3, 1]"


@pytest.mark.parametrize(("server", "kernel"), [("lab", None), ("notebook", None), ("lab", "6.29.5")], indirect=True)
def test_archive_verify_and_load(registry: Any, expect: Any, kernel: str) -> None:
    seen = registry(kernel=kernel)
    seen.choose("digits@2")
    seen.button("Archive", "digits@2").click()
    seen.fill(Reason="worse")
    expect(seen.said).to_contain_text("digits@2: archived")
    expect(seen.view.locator("tr.mlt-is-archived")).to_contain_text("digits@2")
    expect(seen.button("Set alias", "digits@2")).to_be_disabled()
    seen.button("Take back into use", "digits@2").click()
    expect(seen.said).to_contain_text("digits@2: in use again.")
    expect(seen.view.locator("tr.mlt-is-archived")).to_have_count(0)
    seen.button("Verify", "digits@2").click()
    expect(seen.said).to_contain_text("digits@2: the file is as it was registered.")
    seen.button("Load", "digits@2").click()
    expect(seen.said.locator("pre")).to_contain_text("jupyter_mltrain.load_model('digits@2')")
    seen.said.get_by_role("button", name="Insert cell").click()
    expect(seen.notebook.cell(2)).to_contain_text("jupyter_mltrain.load_model('digits@2')")
    seen.button("Open", "digits@2").click()
    expect(seen.view.get_by_role("row", name="takes image (?, 8, 8) float32")).to_be_visible()
    expect(seen.view.get_by_role("row", name="x.shape 1437, 8, 8")).to_be_visible()
    seen.button("Compare", "digits@2").click()
    seen.fill()
    expect(seen.said.locator("pre")).to_contain_text("jupyter_mltrain.models.diff('digits', 1, 2)")
    expect(seen.view.get_by_role("heading", name="digits@1 and digits@2")).to_be_visible()
    expect(seen.view.get_by_role("row", name="Dense changed units 1 units 2")).to_be_visible()
    seen.view.get_by_role("button", name="Close").click()
    expect(seen.view.get_by_role("heading", name="digits@1 and digits@2")).to_have_count(0)
    seen.button("Export", "digits@2").click()
    expect(seen.view.get_by_label("File or folder")).to_have_value("exported/digits-2.keras")
    seen.view.get_by_label("Format").select_option("onnx")
    seen.fill(**{"File or folder": "digits.txt"})
    expect(seen.said).to_contain_text("expected --to with a file that ends in .onnx")
    seen.button("Set alias", "digits@2").click()
    seen.fill(Alias="3rd", Reason="")
    expect(seen.said).to_contain_text("OptionError: expected an alias of 1 to 100 letters")


def test_of_two_notebooks_that_move_an_alias_one_wins_and_the_other_is_told(registry: Any, home: Path, expect: Any) -> None:
    from jupyter_mltrain.services.aliases import promote
    from jupyter_mltrain.services.session import Session

    seen = registry()
    other = Session(str(home))
    promote(other, "digits", 1, "champion", reason="from elsewhere")
    seen.button("Set alias", "digits@3").click()
    seen.fill(Alias="champion", Reason="mine")
    expect(seen.said).to_contain_text("ConflictError: expected digits@champion to stand for no version still, received version 1")
    assert [row[-1] for row in seen.timeline("champion")] == ["from elsewhere"]
    seen.button("Set alias", "digits@3").click()
    seen.fill(Alias="champion", Reason="having seen it")
    expect(seen.said).to_contain_text("digits@champion: digits@3 now, digits@1 before.")
    promote(other, "digits", 2, "staging")
    seen.view.get_by_role("button", name="Refresh").click()
    expect(seen.view.get_by_role("heading", name="digits@staging")).to_be_visible()
    other.close()


def test_the_keyboard_alone_is_enough_and_an_empty_registry_says_what_to_do_first(registry: Any, home: Path, expect: Any) -> None:
    seen = registry(f'%config MLTrain.home = "{home}-empty"\n%models')
    keyboard = seen.notebook.page.keyboard
    seen.view.get_by_role("radio", name="digits@3").focus()
    keyboard.press("ArrowDown")
    expect(seen.view.get_by_role("radio", name="digits@2")).to_be_checked()
    seen.button("Set alias", "digits@2").focus()
    keyboard.press("Enter")
    keyboard.type("champion")
    keyboard.press("Tab")
    keyboard.type("add a cell: a, b, dd")  # none of these keys is a command of JupyterLab here
    keyboard.press("Enter")
    expect(seen.said).to_contain_text("digits@champion: digits@2 now")
    assert seen.timeline("champion")[0][-1] == "add a cell: a, b, dd"
    assert seen.notebook.page.locator(".jp-Notebook .jp-CodeCell").count() == 3
    seen.notebook.run(2)
    empty = seen.notebook.output(2).locator(".mlt-registry")
    expect(empty).to_contain_text("No model is registered yet: add --register NAME to a %%train line.")
    expect(empty.get_by_role("table")).to_have_count(0)


def test_what_stays_is_a_table(registry: Any, open_file: Any, expect: Any) -> None:
    seen = registry()
    twin = seen.output.locator(".mltrain")
    expect(twin).to_be_hidden()
    seen.button("Set alias", "digits@3").click()
    seen.fill(Alias="champion", Reason=HOSTILE)
    expect(seen.said).to_contain_text("digits@3 now")
    saved = seen.notebook.save()
    assert len(saved) < 60_000
    seen.notebook.open()
    expect(seen.view).to_be_visible()  # the kernel still runs
    seen.notebook.command("kernelmenu:shutdown")
    again = open_file(seen.notebook.path, has_kernel=False)
    again.page.wait_for_timeout(500)
    again.page.get_by_role("button", name="No Kernel").or_(again.page.locator(".jp-Cell").first).first.click()
    table = again.output(1).locator(".mltrain")
    expect(table).to_be_visible()
    expect(table.get_by_role("row").nth(1)).to_contain_text("digits@3champion: 3")
    expect(again.output(1).get_by_text(re.compile("Error displaying widget|model not found|Loading widget"))).to_be_hidden()
    table.locator("summary").click()
    expect(table).to_contain_text(HOSTILE)


def test_a_thousand_versions_are_there_at_once(open_notebook: Any, expect: Any, tmp_path: Path) -> None:
    add_versions(make_registry(tmp_path / "home"), 997).close()
    seen = Registry(open_notebook, tmp_path / "home")
    rows = seen.view.get_by_role("region", name="versions of digits").locator("tbody tr")
    expect(rows).to_have_count(1000)
    seen.view.get_by_role("searchbox").fill("digits@99")
    expect(seen.view.get_by_text("11 of 1000 versions")).to_be_visible()
