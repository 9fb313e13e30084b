"""The form in a browser: filled in by the keyboard, trained with, put below as a cell, and what of it stays in the notebook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from contrasts import CONTRASTS

DATA = """%load_ext jupyter_mltrain
%config MLTrain.home = "{home}"
import keras
from sklearn.datasets import load_digits
x_train, y_train = load_digits(return_X_y=True)
def build():
    return keras.Sequential([keras.layers.Rescaling(1 / 16), keras.layers.Dense(10, "softmax")])"""
FOCUSED = "() => document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent"
SOURCE = "index => window.jupyterapp.shell.currentWidget.content.widgets[index].model.sharedModel.getSource()"


class Form:
    """A notebook whose second cell is `%mltrain form`, and whose third is that of a search."""

    def __init__(self, open_notebook: Any, home: Path) -> None:
        self.notebook = open_notebook(DATA.format(home=home), "%mltrain form", "%mltrain form tune")
        self.notebook.run(0)
        self.notebook.run(1)
        self.output = self.notebook.output(1)
        self.view = self.output.locator(".mlt-form")
        self.cell = self.view.locator("pre")
        self.view.wait_for(timeout=30_000)

    def button(self, name: str) -> Any:
        return self.view.get_by_role("button", name=name, exact=True)

    def tab_to(self, name: str) -> None:
        """Press Tab until a field or a button has the focus."""
        for _ in range(40):
            self.notebook.page.keyboard.press("Tab")
            if self.notebook.js(FOCUSED) == name:
                return
        pytest.fail(f"Tab does not reach {name}")

    def type(self, text: str) -> None:
        self.notebook.page.keyboard.press("Control+a")
        self.notebook.page.keyboard.type(text)


def check_looks(form: Form, picture: Path) -> None:
    for theme in ("Light", "Dark"):
        if theme == "Dark":
            form.notebook.theme(theme)
        form.view.screenshot(path=picture.with_name(f"form-{theme.lower()}.png"))
        assert form.notebook.js(CONTRASTS)["text"] >= 4.5, theme
        assert form.notebook.accessibility_faults(".mlt-form") == []


def test_the_keyboard_fills_it_in_trains_stops_and_puts_the_cell_below(
    open_notebook: Any, open_file: Any, expect: Any, tmp_path: Path
) -> None:
    form = Form(open_notebook, tmp_path / "home")
    keyboard = form.notebook.page.keyboard
    expect(form.cell).to_have_text("%%train --data x_train, y_train --validation-split 0.2 --epochs 10\nbuild()")
    expect(form.output.locator(".mltrain")).to_be_hidden()
    form.view.get_by_label("Data", exact=True).focus()
    form.tab_to("Epochs")
    form.type("0")
    expect(form.view).to_contain_text("expected --epochs of at least 1, received 0: leave it out for the default")
    check_looks(form, tmp_path / "form.png")
    form.tab_to("Train")
    keyboard.press("Enter")
    assert form.notebook.js(FOCUSED) == "Epochs"  # nothing was trained
    form.type("3000")
    expect(form.cell).to_contain_text("--epochs 3000")
    form.tab_to("Train")
    keyboard.press("Enter")
    form.output.locator(".mlt-training").first.wait_for(timeout=60_000)
    form.tab_to("Stop")
    keyboard.press("Enter")
    expect(form.view).to_contain_text("Done: the result is below")
    expect(form.output).to_contain_text("run: stopped after")

    form.view.get_by_label("Epochs", exact=True).focus()
    form.type("2")
    expect(form.cell).to_contain_text("--epochs 2")
    form.tab_to("Copy")
    keyboard.press("Enter")
    expect(form.view).to_contain_text("Copied.")
    form.tab_to("Insert cell")
    keyboard.press("Enter")
    form.notebook.run(2)
    assert form.notebook.js(SOURCE, 2) == "%%train --data x_train, y_train --validation-split 0.2 --epochs 2\nbuild()"
    expect(form.notebook.output(2)).to_contain_text("run: completed, 2 epochs")
    check_help(form.notebook, expect)
    check_search(form, expect)
    assert (form.notebook.external, form.notebook.errors) == ([], [])

    form.notebook.save()
    form.notebook.command("kernelmenu:shutdown")
    again = open_file(form.notebook.path)  # with a kernel that knows nothing of the form
    kept = again.output(1)
    expect(kept.locator(".mlt-form")).to_have_count(0)
    expect(kept.locator("pre").first).to_have_text(re.compile("%%train .* --epochs 2"))
    expect(kept).to_contain_text("run: stopped after")
    kept.screenshot(path=tmp_path / "kept.png")
    expect(kept.get_by_text(re.compile("Error displaying widget|model not found|Loading widget"))).to_be_hidden()


def check_help(notebook: Any, expect: Any) -> None:
    """Ask by keyboard for the manual and for options in a cell that trains."""
    keyboard = notebook.page.keyboard
    notebook.cell(2).locator(".cm-line").first.click()
    keyboard.press("End")
    keyboard.type(" --pre")
    keyboard.press("Tab")
    expect(notebook.page.locator(".jp-Completer")).to_contain_text("--precision", timeout=30_000)
    keyboard.press("Enter")
    expect(notebook.cell(2)).to_contain_text("--epochs 2 --precision")
    for key in ("Home", *["ArrowRight"] * 4, "Shift+Tab"):
        keyboard.press(key)
    expect(notebook.page.locator(".jp-Tooltip")).to_contain_text("--early-stop", timeout=30_000)


def check_search(form: Form, expect: Any) -> None:
    """Say by keyboard where a search is to look."""
    form.notebook.run(3)
    view = form.notebook.output(3).locator(".mlt-form")
    view.get_by_label("tune Learning rate").focus()
    form.notebook.page.keyboard.press("Space")
    expect(view.get_by_role("group", name="where to search for Learning rate")).to_be_visible()
    for end, text in (("from", "1e-4"), ("to", "1e-1")):
        form.tab_to(end)
        form.type(text)
    expect(view.locator("pre")).to_contain_text('optimizer.learning_rate = hp.Float("learning_rate", 1e-4, 1e-1, log=True)')
    expect(view).to_contain_text("expected a loss where the optimizer or its rate is tuned")
    assert form.notebook.accessibility_faults(".mlt-form") == []


@pytest.mark.parametrize("server", ["notebook"], indirect=True)
def test_notebook_7_trains_below_it_until_the_page_is_loaded_anew(open_notebook: Any, expect: Any, tmp_path: Path) -> None:
    form = Form(open_notebook, tmp_path / "home")
    form.view.get_by_label("Epochs", exact=True).fill("2")
    form.button("Train").click()
    expect(form.output).to_contain_text("run: completed, 2 epochs", timeout=60_000)
    form.notebook.save()
    form.notebook.open()
    expect(form.view).to_contain_text("This page was loaded after the form")
    form.button("Insert cell").click()
    expect(form.notebook.cell(2)).to_contain_text("%%train")
