from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest
from contrasts import CONTRASTS

TRAIN = """
import time
from jupyter_mltrain.domain.events import EpochEnded, EngineChosen, EngineStarting, Notice, PhaseStarted, Progress
from jupyter_mltrain.domain.run import Epoch
from jupyter_mltrain.widgets.train_view import TrainView

def train():
    with TrainView("digits") as view:
        view.on_event(EngineStarting(name="<b>digits</b>"))
        view.on_event(EngineChosen(strategy="cpu", precision="float32", plan="keras", reason="CPU: this machine has no GPU."))
        view.on_event(Notice(text="--epochs 3000 replaced epochs=5 of the cell."))
        view.on_event(PhaseStarted(phase=1, num_epochs=3000, num_steps=20, first_epoch=1))
        for number in range(1, 3001):
            for step in range(1, 21):
                time.sleep(0.005)
                view.control.poll()
                if view.control.stop_requested:
                    return
                view.on_event(Progress(epoch=number, step=step, num_steps=20, validating=False, steps_per_second=200.0,
                                       metrics={"loss": 1 / number, "accuracy": 1 - 1 / number}, memory=10**9))
            metrics = {"loss": 1 / number, "accuracy": 1 - 1 / number}
            metrics |= {"val_loss": 1.1 / number, "val_accuracy": 0.9 - 0.9 / number}
            view.on_event(EpochEnded(epoch=Epoch(number=number, phase=1, metrics=metrics, seconds=0.1), best=True))
"""
QUEUED = "import ipykernel\nprint('queued on', ipykernel.__version__)"


def ipykernel_version(kernel: str) -> str:
    return version("ipykernel") if kernel == "python3" else kernel.removeprefix("ipykernel-")


class LiveView:
    """What a cell shows while it trains."""

    def __init__(self, notebook: Any, cell: int) -> None:
        self.notebook = notebook
        self.root = notebook.output(cell).locator(".mlt")
        self.place = self.root.locator(".mlt-place")
        self.stop = self.root.get_by_role("button", name="Stop")

    def wait_for_epochs(self, more_than: int = 0) -> tuple[int, int]:
        """Return the running epoch and the number of points in the curve of the loss, read in one moment."""
        self.notebook.page.wait_for_function(
            "([selector, least]) => (document.querySelector(selector)?.getAttribute('d').match(/[ML]/g) ?? []).length > least",
            arg=[".mlt-training", more_than],
            timeout=30_000,
        )
        epoch, points = self.notebook.js("""() => [
            Number(document.querySelector(".mlt-place").textContent.match(/Epoch (\\d+)/)[1]),
            document.querySelector(".mlt-training").getAttribute("d").match(/[ML]/g).length,
        ]""")
        return int(epoch), int(points)


@pytest.mark.parametrize(("server", "kernel"), [("lab", None), ("notebook", None), ("lab", "6.29.5")], indirect=True)
def test_the_curve_moves_and_stop_ends_the_cell(open_notebook: Any, expect: Any, kernel: str) -> None:
    notebook = open_notebook(TRAIN, "train()\nprint('ended')", QUEUED, kernel=kernel)
    view = LiveView(notebook, 1)
    notebook.run(0)
    notebook.start(1)
    _, points = view.wait_for_epochs()
    view.wait_for_epochs(more_than=points + 2)
    notebook.start(2)
    assert (notebook.prompt(1), notebook.prompt(2)) == ("[*]:", "[*]:")
    expect(view.root.locator("strong")).to_have_text("<b>digits</b>")
    expect(view.root).to_contain_text("CPU: this machine has no GPU.")
    expect(view.root).to_contain_text("--epochs 3000 replaced epochs=5 of the cell.")
    assert int(view.root.get_by_role("progressbar").get_attribute("aria-valuenow")) < 100
    view.stop.click()
    notebook.wait()
    expect(notebook.output(1)).to_have_text("ended")
    expect(notebook.output(2)).to_have_text(f"queued on {ipykernel_version(kernel)}")
    expect(view.root).to_have_count(0)
    assert "widget-view" not in notebook.save()
    assert notebook.external == []


def test_the_toolbars_interrupt_ends_the_cell(open_notebook: Any, expect: Any) -> None:
    notebook = open_notebook(TRAIN, "train()", "print('next')")
    notebook.run(0)
    notebook.start(1)
    LiveView(notebook, 1).wait_for_epochs()
    notebook.page.locator('[data-command="notebook:interrupt-kernel"]').first.click()
    notebook.wait()
    expect(notebook.output(1)).to_contain_text("KeyboardInterrupt")
    expect(notebook.output(1).locator(".mlt")).to_have_count(0)
    notebook.run(2)
    expect(notebook.output(2)).to_have_text("next")


def test_a_reloaded_page_shows_the_view_again_with_all_points(open_notebook: Any, expect: Any) -> None:
    notebook = open_notebook(TRAIN, "train()", "print('next')")
    view = LiveView(notebook, 1)
    notebook.run(0)
    notebook.start(1)
    _, before = view.wait_for_epochs(more_than=10)
    notebook.save()
    notebook.open(is_busy=True)
    epoch, points = view.wait_for_epochs(more_than=before)
    assert points in {epoch - 1, epoch}
    view.stop.click()
    expect(view.place).to_have_text("Ended.")
    expect(view.stop).to_have_count(0)
    notebook.run(2)
    expect(notebook.output(2)).to_have_text("next")
    assert notebook.external == []


def test_both_themes_are_readable(open_notebook: Any) -> None:
    notebook = open_notebook(TRAIN, "train()")
    view = LiveView(notebook, 1)
    notebook.run(0)
    notebook.start(1)
    view.wait_for_epochs()
    for theme in ("Light", "Dark"):
        notebook.theme(theme)
        contrasts = notebook.js(CONTRASTS)
        assert min(contrasts["text"], contrasts["labels"]) >= 4.5, (theme, contrasts)
        assert min(contrasts["curves"], contrasts["bar"]) >= 3, (theme, contrasts)
    view.stop.click()
    notebook.wait()
