"""The live view of a search in a browser, fed with what its state sends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contrasts import CONTRASTS

sys.path.insert(0, str(Path(__file__).parents[1] / "widgets"))

from sample_searches import failed, make_large_search, make_trial, pruned

from jupyter_mltrain.domain.events import (
    EpochEnded,
    FactsKnown,
    Notice,
    PhaseStarted,
    Progress,
    SearchEnded,
    SearchEvent,
    SearchStarted,
    TrialEnded,
    TrialEvent,
    TrialStarted,
)
from jupyter_mltrain.domain.run import Epoch, Run
from jupyter_mltrain.domain.search import Objective
from jupyter_mltrain.widgets.live_widget import SearchWidget
from jupyter_mltrain.widgets.search_state import SearchState

ACCURACY = Objective(metric="val_accuracy", direction="max")
THEMES = {
    "light": "--jp-ui-font-color1: rgb(0 0 0 / 87%); --jp-ui-font-color2: rgb(0 0 0 / 54%); --jp-layout-color0: white",
    "dark": "--jp-ui-font-color1: white; --jp-ui-font-color2: rgb(255 255 255 / 70%); --jp-layout-color0: #111",
}
MODEL = """async ([source, state]) => {
    const handlers = {};
    window.sent = [];
    window.model = {
        state,
        get: name => window.model[name],
        on: (name, handler) => { handlers[name] = handler },
        send: message => { window.sent.push(message) },
    };
    window.tell = delta => handlers["msg:custom"](delta);
    window.sync = whole => { window.model.state = whole; handlers["change:state"]() };
    const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
    const widget = module.default();
    widget.initialize({ model: window.model });
    widget.render({ model: window.model, el: document.getElementById("cell") });
}"""
FRAMES = "() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))"


class View:
    """A live view on a page, and the state behind it."""

    def __init__(self, page: Any, theme: str, *events: SearchEvent) -> None:
        self.page = page
        self.state = SearchState("search", clock=lambda: self.now)
        self.now = 0.0
        is_light = "true" if theme == "light" else "false"
        page.set_content(
            f"<style>body {{ {THEMES[theme]}; margin: 12px; background: var(--jp-layout-color0) }} {SearchWidget._css}</style>"
            f'<body data-jp-theme-light="{is_light}"><div id="cell"></div></body>'
        )
        for event in events:
            self.state.apply(event)
        page.evaluate(MODEL, [SearchWidget._esm, self.json(self.state.snapshot())])
        self.state.delta()
        page.evaluate("() => { window.model.state.seq = 1; window.sync(window.model.state) }")
        self.root = page.locator(".mlt")
        self.table = self.root.get_by_role("table").last
        self.draw()

    @staticmethod
    def json(message: Any) -> Any:
        return json.loads(json.dumps(message, allow_nan=False))

    def tell(self, *events: SearchEvent) -> None:
        for event in events:
            self.state.apply(event)
        self.page.evaluate("delta => window.tell(delta)", self.json(self.state.delta()))
        self.draw()

    def draw(self) -> None:
        self.page.evaluate(FRAMES)

    def sent(self) -> list[dict[str, Any]]:
        return list(self.page.evaluate("() => window.sent"))

    def column(self, number: int) -> list[str]:
        return list(self.table.locator(f"tbody tr > :nth-child({number})").all_inner_texts())

    def sort_by(self, name: str) -> None:
        self.table.get_by_role("button", name=name, exact=True).click()

    def top_of(self, selector: str) -> float:
        return float(self.page.evaluate("selector => document.querySelector(selector).getBoundingClientRect().top", selector))


Show = Callable[..., View]


@pytest.fixture
def show(browser: Any) -> Any:
    """A function `(*events, theme="light")` that shows a search to which they have happened."""
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield lambda *events, theme="light": View(page, theme, *events)
    page.close()
    assert errors == []


def started(num_trials: int | None = 20) -> SearchStarted:
    return SearchStarted(name="<b>digits</b>", num_trials=num_trials, objectives=(ACCURACY,), oracle="tpe", prune="auto")


def begin(number: int, **values: Any) -> TrialStarted:
    return TrialStarted(number=number, values=values)


def end(run: Run) -> TrialEnded:
    return TrialEnded(run=run, best=False)


def phase(number: int, num_epochs: int = 20) -> TrialEvent:
    return TrialEvent(number=number, event=PhaseStarted(phase=1, num_epochs=num_epochs, num_steps=50, first_epoch=1))


def progress(number: int, epoch: int, step: int) -> TrialEvent:
    metrics = {"loss": 1 / epoch, "accuracy": 1 - 0.5 / epoch}
    event = Progress(
        epoch=epoch, step=step, num_steps=50, validating=False, steps_per_second=400.0, metrics=metrics, memory=10**9
    )
    return TrialEvent(number=number, event=event)


def epoch(number: int, epoch: int) -> TrialEvent:
    metrics = {"loss": 1 / epoch, "accuracy": 1 - 0.5 / epoch, "val_loss": 1.2 / epoch, "val_accuracy": 0.95 - 0.5 / epoch}
    return TrialEvent(
        number=number, event=EpochEnded(epoch=Epoch(number=epoch, phase=1, metrics=metrics, seconds=0.2), best=True)
    )


def training(number: int, num_epochs: int) -> list[SearchEvent]:
    return [phase(number), *(epoch(number, n) for n in range(1, num_epochs + 1)), progress(number, num_epochs + 1, 20)]


FIVE = [
    *(started(), end(make_trial(1, 0.95)), end(pruned(2, 0.6)), end(make_trial(3, 0.97216)), end(failed(4))),
    *(begin(5, units=80, dropout=0.1, optimizer="adam"), *training(5, 7)),
]


def test_says_where_the_search_is_and_what_is_best(show: Show, expect: Any) -> None:
    view = show(*FIVE)
    expect(view.root.locator(".mlt-name")).to_have_text("<b>digits</b>")
    expect(view.root.locator(".mlt-place")).to_contain_text("Trial 5 of 20 · 1 pruned · 1 failed")
    expect(view.root.locator(".mlt-best-trial")).to_contain_text("Best so far: trial 3, val_accuracy 0.9722")
    expect(view.root.locator(".mlt-best-trial")).to_contain_text("units 48 · dropout 0.1 · optimizer adam")
    expect(view.root.locator(".mlt-running")).to_contain_text("Trial 5 · Epoch 8 of 20 · step 20 of 50")
    expect(view.root).to_contain_text("Trial 4 failed: ValueError: units must be even")
    expect(view.root).to_contain_text("oracle tpe, pruning auto")
    assert view.root.get_by_role("progressbar").get_attribute("aria-valuenow") == "20"
    expect(view.root.get_by_role("status")).to_contain_text("Trial 5 of 20")
    view.tell(begin(6), begin(7), FactsKnown(facts={"seconds_saved": 75.0}), Notice(text="<i>Seed 7</i> was chosen."))
    expect(view.root.locator(".mlt-place")).to_contain_text("4 of 20 trials done · 3 running · 1 pruned · 1 failed")
    expect(view.root.locator(".mlt-place")).to_contain_text("pruning saved 1 min 15 s")
    expect(view.root.locator(".mlt-notices")).to_have_text("<i>Seed 7</i> was chosen.")


def test_the_time_left_is_said_once_a_trial_has_ended(show: Show, expect: Any) -> None:
    view = show(started(), begin(1))
    view.now = 30.0
    view.tell(end(make_trial(1, 0.9)), begin(2))
    expect(view.root.locator(".mlt-place")).to_contain_text("about 9 min 30 s left")


def test_each_trial_is_a_point_and_the_best_so_far_a_line(show: Show) -> None:
    view = show(*FIVE)
    chart = view.root.get_by_role("img", name="score by trial")
    counts = {kind: chart.locator(f".mlt-{kind}").count() for kind in ("completed", "pruned", "failed", "is-best")}
    assert counts == {"completed": 2, "pruned": 1, "failed": 1, "is-best": 1}
    assert chart.locator(".mlt-is-best title").text_content() == "trial 3, completed: 0.9722"
    assert str(chart.locator(".mlt-best-line").get_attribute("d")).count("V") == 1


def test_the_table_has_the_newest_trial_first_and_headers_that_sort(show: Show) -> None:
    view = show(*FIVE)
    heads = view.table.locator("thead th").all_inner_texts()
    assert heads == ["trial", "status", "val_accuracy", "units", "dropout", "optimizer", "epochs", "time"]
    assert view.column(1) == ["5", "4", "3", "2", "1"]
    assert view.column(2) == ["running", "failed", "completedbest", "pruned", "completed"]
    assert view.table.locator("tr.mlt-is-best").inner_text().startswith("3")
    view.sort_by("val_accuracy")  # the best first, what has no score last
    assert view.column(3) == ["0.9722", "0.9500", "0.6000", "", ""]
    assert view.table.get_by_role("columnheader", name="val_accuracy").get_attribute("aria-sort") == "descending"
    view.sort_by("val_accuracy")
    assert view.column(3) == ["0.6000", "0.9500", "0.9722", "", ""]
    view.table.get_by_role("button", name="units").focus()
    view.page.keyboard.press("Enter")
    assert view.column(4) == ["16", "32", "48", "64", "80"]
    assert view.table.locator("[aria-sort]").count() == 1
    view.tell(end(make_trial(5, 0.99, {"units": 40, "dropout": 0.1, "optimizer": "adam"})))
    assert view.column(4) == ["16", "32", "40", "48", "64"]
    assert view.table.locator("tr.mlt-is-best").inner_text().startswith("5")


def test_values_of_every_kind_are_sorted_and_shown_as_text(show: Show) -> None:
    values: list[Any] = [None, True, 3, 0.00012345678, "<img src=x onerror=alert(1)>"]
    view = show(started(), *(begin(n, a=value) for n, value in enumerate(values, 1)), begin(6, b=1))
    view.sort_by("a")
    assert view.column(4) == ["0.0001235", "3", "<img src=x onerror=alert(1)>", "none", "yes", ""]
    view.sort_by("a")
    assert view.column(4) == ["3", "0.0001235", "yes", "none", "<img src=x onerror=alert(1)>", ""]


def test_a_hyperparameter_named_like_a_column_is_a_column_of_its_own(show: Show) -> None:
    view = show(
        started(), end(make_trial(1, 0.5, {"epochs": 30, "trial": 7})), end(make_trial(2, 0.6, {"epochs": 10, "trial": 9}))
    )
    view.table.get_by_role("button", name="epochs").first.click()
    view.tell(begin(3, epochs=20, trial=1, units=3))
    assert view.table.locator("thead th").all_inner_texts()[3:7] == ["epochs", "trial", "units", "epochs"]
    assert view.column(4) == ["10", "20", "30"]


def test_stop_is_sent_once_and_the_end_is_said(show: Show, expect: Any) -> None:
    view = show(*FIVE)
    stop = view.root.get_by_role("button", name="Stop")
    stop.click()
    assert view.sent() == [{"cmd": "stop"}]
    expect(view.root.locator(".mlt-stop")).to_have_text("Stopping after this step…")
    expect(view.root.locator(".mlt-stop")).to_be_disabled()
    expect(view.root.get_by_role("status")).to_have_text("Stopping after this step…")
    view.tell(SearchEnded(search=make_large_search(2)))
    expect(view.root.locator(".mlt-stop")).to_be_hidden()
    expect(view.root.locator(".mlt-place")).to_have_text("Completed.")


def test_a_delta_that_comes_twice_is_passed_over_and_a_lost_one_is_asked_for(show: Show, expect: Any) -> None:
    view = show(*FIVE)
    view.state.apply(end(make_trial(5, 0.5)))
    delta = view.json(view.state.delta())
    for _ in range(2):
        view.page.evaluate("delta => window.tell(delta)", delta)
    assert view.sent() == []
    view.state.apply(begin(6))
    view.state.delta()
    view.tell(begin(7))
    assert view.sent() == [{"cmd": "sync"}]
    view.page.evaluate("whole => window.sync(whole)", view.json(view.state.snapshot()))
    view.draw()
    assert view.column(1) == ["7", "6", "5", "4", "3", "2", "1"]
    expect(view.root.locator(".mlt-place")).to_contain_text("5 of 20 trials done · 2 running")


def test_200_trials_are_no_higher_than_12_rows(show: Show) -> None:
    trials = make_large_search(200).trials
    view = show(started(num_trials=200), *(end(trial) for trial in trials[:100]))
    height = view.root.bounding_box()["height"]
    for trial in trials[100:]:
        view.tell(end(trial))
    assert len(view.column(1)) == 200
    assert view.root.bounding_box()["height"] <= height + 20  # values of the best trial may need another line
    region = view.root.get_by_role("region", name="trials")
    assert region.bounding_box()["height"] < 13 * 24
    region.focus()
    view.page.keyboard.press("End")
    view.page.wait_for_function("() => document.querySelector('.mlt-trials').scrollTop > 1000")


def test_what_is_read_stays_in_its_place_while_trials_come(show: Show) -> None:
    view = show(started(num_trials=60), *(end(make_trial(n, n / 100)) for n in range(1, 41)))
    view.page.evaluate("() => { document.querySelector('.mlt-trials').scrollTop = 300 }")
    view.draw()
    row = ".mlt-trials tbody tr:nth-last-child(15)"
    before = view.top_of(row)
    view.tell(end(make_trial(41, 0.2)))
    view.draw()
    assert view.top_of(row) == pytest.approx(before, abs=1)


def test_nothing_moves_from_one_trial_to_the_next(show: Show) -> None:
    view = show(*FIVE)
    tops = [view.top_of(".mlt-trials")]
    ended = {"units": 80, "dropout": 0.1, "optimizer": "adam"}
    for event in (end(make_trial(5, 0.5, ended)), begin(6, **ended), phase(6), progress(6, 1, 3), epoch(6, 1), epoch(6, 2)):
        view.tell(event)
        tops.append(view.top_of(".mlt-trials"))
    assert tops == [tops[0]] * 7
    view.tell(begin(7, **dict.fromkeys("abcdefgh", "a long value that needs more than one line")))
    lower = view.top_of(".mlt-trials")
    assert lower > tops[0]
    view.tell(begin(8, **ended))
    assert view.top_of(".mlt-trials") == lower
    assert view.root.locator(".mlt-panel").nth(1).locator("th").all_inner_texts() == ["Loss", "training", "validation", "loss"]


def test_a_search_that_has_not_begun_says_so(show: Show, expect: Any) -> None:
    view = show()
    expect(view.root.locator(".mlt-place")).to_have_text("Starting…")
    expect(view.root).to_contain_text("no trial has a score yet")
    assert view.root.get_by_role("progressbar").get_attribute("aria-valuenow") is None


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_are_readable(show: Show, theme: str, tmp_path: Path) -> None:
    trials = make_large_search(30).trials
    running = (begin(31, **trials[2].trial.values), *training(31, 9)) if trials[2].trial else ()
    view = show(started(num_trials=60), *(end(trial) for trial in trials), *running, theme=theme)
    view.root.screenshot(path=tmp_path / f"search-{theme}.png")
    contrasts = view.page.evaluate(CONTRASTS)
    assert min(contrasts["text"], contrasts["labels"]) >= 4.5, contrasts
    assert min(contrasts["curves"], contrasts["bar"]) >= 3, contrasts
