"""A training in a process of its own: seen where it was started, left alone, taken up again in another page, and stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PREPARE = """%load_ext jupyter_mltrain
%config MLTrain.home = "{home}"
import keras, numpy as np
x, y = np.ones((512, 4), "float32"), np.ones((512, 1), "float32")"""
TRAIN = """%%train digits --detach --epochs 100000 --plan block
print("hello <b>from there</b>")
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(x, y, batch_size=8)"""
EPOCH = "() => Number(document.querySelector('.mlt-place')?.textContent.match(/Epoch (\\d+)/)?.[1] ?? 0)"


def test_it_goes_on_without_its_page_and_is_stopped_from_another(open_notebook: Any, expect: Any, tmp_path: Path) -> None:
    prepare = PREPARE.format(home=tmp_path / "home")
    first = open_notebook(prepare, TRAIN, "print('free', run.done)")
    first.run(0)
    first.run(1)
    first.run(2)
    expect(first.output(2)).to_have_text("free False")
    view = first.output(1).locator(".mlt")
    first.page.wait_for_function(f"() => ({EPOCH})() > 2", timeout=60_000)
    expect(view.locator(".mlt-output")).to_have_text("hello <b>from there</b>")
    view.get_by_role("button", name="Pause").click()
    expect(view.locator(".mlt-place")).to_contain_text("Paused")
    epoch = first.js(EPOCH)
    assert first.accessibility_faults(".mlt") == []
    first.page.wait_for_timeout(1000)
    assert first.js(EPOCH) == epoch
    first.output(1).screenshot(path=tmp_path / "paused.png")
    view.get_by_role("button", name="Continue").click()
    first.page.wait_for_function(f"() => ({EPOCH})() > {epoch}", timeout=30_000)
    first.page.close()

    second = open_notebook(prepare, "%runs attach digits", "run = jupyter_mltrain.runs.attach('digits')\nrun.wait().status")
    second.run(0)
    second.js(
        "() => { window.Notification = class { static requestPermission = async () => 'granted';"
        " constructor(text) { window.notified = text; } } }"
    )  # the real one shows it outside of the page
    second.run(1)
    view = second.output(1).locator(".mlt")
    view.get_by_role("button", name="Notify me").click()
    expect(view.get_by_role("button", name="Notify me")).to_have_attribute("aria-pressed", "true")
    expect(view.locator(".mlt-place")).to_contain_text("Epoch")
    view.get_by_role("button", name="Stop").click()
    expect(second.output(1)).to_contain_text("digits: stopped after", timeout=30_000)
    expect(second.output(1)).to_contain_text("hello <b>from there</b>")
    expect(second.output(1).locator("img")).to_be_visible()
    expect(view).to_have_count(0)
    assert second.js("() => window.notified") == "digits: Stopped."
    second.output(1).screenshot(path=tmp_path / "stopped.png")
    assert "widget-view" not in second.save()
