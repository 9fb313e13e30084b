"""Notes, tags, reasons, metrics and columns that are HTML, reorder what follows or do not end: text in every view."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "widgets"))

from sample_home import HOSTILE, add_run, end_run
from sample_models import make_registry
from sample_runs import make_epochs

from jupyter_mltrain.services import aliases
from jupyter_mltrain.services.session import Session

NAME = "n" * 100
SAMPLES = Path(__file__).parents[1] / "widgets"
PREPARE = """%load_ext jupyter_mltrain
%config MLTrain.home = "{home}"
import pandas, sys
sys.path.insert(0, "{samples}")
from sample_home import HOSTILE
frame = pandas.DataFrame({{HOSTILE: [1, 2], "<script>alert(1)</script>" + "x" * 10_000: [1, 2]}})
def build(): return keras.Sequential()"""
LIVE = """from IPython.display import display
from sample_searches import failed, make_trial
from jupyter_mltrain.domain import events
from jupyter_mltrain.domain.run import Epoch
from jupyter_mltrain.domain.search import Objective
from jupyter_mltrain.widgets.live_state import LiveState
from jupyter_mltrain.widgets.live_view import widget_view
from jupyter_mltrain.widgets.live_widget import SearchWidget, TrainWidget
from jupyter_mltrain.widgets.search_state import SearchState

epoch = Epoch(number=1, phase=1, metrics={"loss": 1.0, HOSTILE: 0.5}, seconds=1.0)
training, search = LiveState("n" * 100), SearchState("n" * 100)
happened = [events.Notice(text=HOSTILE), events.PhaseStarted(phase=1, num_epochs=3, num_steps=5, first_epoch=1),
            events.EpochEnded(epoch=epoch, best=True)]
for event in happened:
    training.apply(event)
training.print(HOSTILE)
objectives = (Objective(metric=HOSTILE, direction="max"),)
search.apply(events.SearchStarted(name="n" * 100, num_trials=3, objectives=objectives, oracle="tpe", prune="auto"))
search.apply(events.TrialEnded(run=make_trial(1, {HOSTILE: 0.5}, {HOSTILE: HOSTILE}), best=True))
search.apply(events.TrialEnded(run=failed(2, message=HOSTILE), best=False))
search.apply(events.TrialStarted(number=3, values={HOSTILE: HOSTILE}))
for event in happened:
    search.apply(events.TrialEvent(number=3, event=event))
display(widget_view(TrainWidget(snapshot=training.snapshot, receive=print)), raw=True)
display(widget_view(SearchWidget(snapshot=search.snapshot, receive=print)), raw=True)"""
SHOW = f"""%runs show {NAME}#2
%runs compare {NAME}#2 {NAME}#3
%models show {NAME}
%models history {NAME}
%models diff {NAME} 1 2"""
CELLS = ("%mltrain form", "%runs", "%models", SHOW, LIVE)
TOO_LARGE = """() => {
    const parts = [...document.querySelectorAll(".jp-OutputArea-output, .mlt *, .mltrain *")].filter(each => each.offsetParent);
    const isCut = each => getComputedStyle(each).overflowX !== "visible";
    const isOut = each => each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0 && !isCut(each);
    const isHigh = each => each.matches(".jp-OutputArea-output") && each.offsetHeight > 6000;
    const large = parts.filter(each => isOut(each) || isHigh(each));
    const innermost = large.filter(each => !large.some(other => other !== each && each.contains(other)));
    return innermost.map(each => [each.outerHTML.slice(0, 100), each.scrollWidth, each.clientWidth, each.offsetHeight]);
}"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in which every text that can be is `HOSTILE`; names of runs, models and aliases cannot."""
    session = make_registry(tmp_path / "home", 2, NAME)
    end(session, session.store.runs.get(f"{NAME}#1"))
    for _ in range(2):
        run = add_run(session, NAME, note=HOSTILE, tags={HOSTILE: HOSTILE}, user=HOSTILE, source=f"%%train\n# {HOSTILE}")
        end(session, run)
    aliases.promote(session, NAME, 1, NAME, reason=HOSTILE)
    aliases.promote(session, NAME, 2, NAME, reason=HOSTILE)
    aliases.archive(session, NAME, 1, reason=HOSTILE)
    session.close()
    return tmp_path / "home"


def end(session: Session, run: Any) -> None:
    best = {"loss": 0.5, HOSTILE: 0.5}
    epochs = make_epochs(3, "loss", HOSTILE)
    end_run(session, run, history=epochs, best_metrics=best, monitor=HOSTILE, hyperparams={HOSTILE: HOSTILE, "lr": run.number})


@pytest.mark.parametrize("open_file", [{"viewport": {"width": 900, "height": 4000}}], indirect=True)
def test_any_text_is_text_everywhere(open_notebook: Any, home: Path, expect: Any) -> None:
    notebook = open_notebook(PREPARE.format(home=home, samples=SAMPLES), *CELLS)
    asked: list[str] = []
    notebook.page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    for index in range(len(CELLS) + 1):
        notebook.run(index)
    form, runs, registry, shown, live = map(notebook.output, range(1, len(CELLS) + 1))

    expect(form.locator(".mlt-form pre")).to_contain_text("<script>alert(1)</script>")
    form.get_by_label("Target column").select_option(index=0)
    expect(form).to_contain_text("expected a column whose name can stand on a line")

    for ref in (f"{NAME}#2", f"{NAME}#3"):
        runs.get_by_role("checkbox", name=ref).check()
    runs.get_by_label("Search the runs").fill(HOSTILE[:60])
    runs.get_by_role("button", name="Compare").click()
    expect(runs.locator(".mlt-detail")).to_contain_text("<img src=x onerror=alert(1)>")
    registry.get_by_role("button", name="Open").click()
    expect(registry.get_by_role("heading", name=f"{NAME}@2")).to_be_visible()
    expect(registry.get_by_role("region", name=f"timeline of {NAME}")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(shown).to_contain_text("<img src=x onerror=alert(1)>")
    for view in live.locator(".mlt").all():
        expect(view).to_contain_text("<img src=x onerror=alert(1)>")
    assert notebook.js(TOO_LARGE) == []
    assert notebook.page.locator("img[src=x]").count() == 0
    assert (asked, notebook.errors, notebook.external) == ([], [], [])
