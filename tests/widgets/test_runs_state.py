"""The live list's state and what its buttons do, on a real store."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sample_home import HOSTILE, add_run, end_run, make_runs
from sample_runs import Page, make_epochs

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

from store_samples import begin_search, begin_trial, end_trial

from jupyter_mltrain.domain.run import RunFilter
from jupyter_mltrain.domain.run_summary import RunOrder
from jupyter_mltrain.services.runs import list_runs
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.widgets.runs_state import RunsState


class Buttons:
    """A list whose controls are used."""

    def __init__(self, session: Session, which: RunFilter | None = None, order: RunOrder | None = None) -> None:
        self.session = session
        which, order = which or RunFilter(), order or RunOrder()
        first, total = list_runs(session, which, order)
        self.state = RunsState(session, which, order=order, first=first, total=total)

    def press(self, cmd: str, **command: Any) -> dict[str, Any]:
        """Return what is said afterwards."""
        self.state.apply({"cmd": cmd, **command})
        return dict(self.shown["said"])

    @property
    def shown(self) -> dict[str, Any]:
        """What the front end gets."""
        return dict(json.loads(json.dumps(self.state.snapshot(), allow_nan=False)))

    @property
    def refs(self) -> list[str]:
        return [row["ref"] for row in self.shown["rows"]]

    def id_of(self, ref: str) -> str:
        return self.session.store.runs.get(ref).id

    def column(self, name: str) -> list[str]:
        names = [column["name"] for column in self.shown["columns"]]
        return [row["cells"][names.index(name) - 1] for row in self.shown["rows"]]


@pytest.fixture
def buttons(tmp_path: Path) -> Iterator[Buttons]:
    session = make_runs(tmp_path / "home", 60)
    yield Buttons(session)
    session.close()


@pytest.fixture
def run_code(buttons: Buttons, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that runs code outside of a notebook, on the same home."""
    monkeypatch.setattr("jupyter_mltrain.api.session._session_of_extension", lambda _: None)
    monkeypatch.setenv("MLTRAIN_HOME", str(buttons.session.home))

    def run(code: str) -> Any:
        *lines, last = code.splitlines()
        namespace: dict[str, Any] = {}
        exec("\n".join(lines), namespace)
        return eval(last, namespace)

    return run


def test_the_first_page_is_there_before_all_runs_are_read(buttons: Buttons) -> None:
    before = buttons.shown
    assert (before["found"], before["total"], len(before["rows"])) == (60, 60, 50)
    assert before["choices"][-1][0] == "plan"
    buttons.press("look")
    after = buttons.shown
    assert after["rows"] == before["rows"]
    assert [choice for choice in after["choices"] if choice not in before["choices"]] == [
        ["metrics.loss", "loss, best epoch", False],
        ["metrics.val_loss", "val_loss, best epoch", False],
        ["hyperparams.epochs", "epochs", False],
        ["hyperparams.learning_rate", "learning_rate", False],
        ["hyperparams.optimizer", "optimizer", False],
    ]


def test_a_row_says_what_the_table_that_stays_says(buttons: Buttons) -> None:
    (row,) = (row for row in buttons.shown["rows"] if row["ref"] == "digits#59")
    static = Page(runs_list_html(buttons.session)).rows[2]
    assert [row["ref"], *row["cells"]] == static
    assert row["curve"] == [[[n, round(1 / n, 5)] for n in range(1, 6)], [[n, round(1 / n + 0.1, 5)] for n in range(1, 6)]]


def runs_list_html(session: Session) -> str:
    from jupyter_mltrain.widgets.runs_view import RunsList

    return RunsList(*list_runs(session, RunFilter())).html()


def test_look_searches_filters_sorts_and_turns_the_pages(buttons: Buttons) -> None:
    buttons.press("look", page=1)
    assert buttons.refs == [f"digits#{number}" for number in range(10, 0, -1)]
    buttons.press("look", sort="duration", descending=False)
    assert (buttons.refs[0], buttons.shown["look"]["page"]) == ("digits#1", 0)
    buttons.press("look", contains="even digits#1")
    assert buttons.refs == ["digits#10", "digits#12", "digits#14", "digits#16", "digits#18"]
    assert (buttons.shown["found"], buttons.shown["total"]) == (5, 60)
    buttons.press("look", page=9)
    assert buttons.shown["look"]["page"] == 0
    buttons.press("look", status="failed")
    assert (buttons.refs, buttons.shown["found"]) == ([], 0)
    buttons.press("look", status="", contains="", since="1h", columns=["note", "hyperparams.learning_rate", "nothing"])
    assert [column["name"] for column in buttons.shown["columns"]] == ["run", "note", "learning_rate"]
    assert buttons.column("learning_rate")[:2] == ["0.1", "0.05"]


def test_a_look_leaves_the_code_that_lists_the_same(buttons: Buttons, run_code: Any) -> None:
    code = buttons.press("look", contains="even digits#1", sort="duration", descending=True)["code"]
    assert code.endswith("jupyter_mltrain.runs.list(contains='even digits#1', sort='duration', descending=True)")
    assert [run.ref for run in run_code(code)] == buttons.refs
    code = buttons.press("look", since="1h", status="completed", contains="'\"\n" + HOSTILE, sort="")["code"]
    assert run_code(code) == ()


def test_what_was_asked_for_on_the_line_holds(buttons: Buttons, run_code: Any) -> None:
    odd = Buttons(buttons.session, RunFilter(tags={"odd": ""}), RunOrder(sort="metrics.loss", descending=True))
    code = odd.press("look", contains="digits#5")["code"]
    assert odd.refs == ["digits#5", "digits#51", "digits#53", "digits#55", "digits#57", "digits#59"]
    assert [run.ref for run in run_code(code)] == odd.refs


def test_nothing_is_said_and_sent_twice_when_nothing_has_changed(buttons: Buttons) -> None:
    buttons.press("look")
    buttons.state.delta()
    buttons.press("look")
    assert buttons.state.delta() == {"seq": 2, "num_commands": 2}
    assert not buttons.state.has_changed


def test_a_run_that_goes_on_elsewhere_grows(buttons: Buttons) -> None:
    other = Session(str(buttons.session.home))
    run = add_run(other, "theirs")
    buttons.press("look")
    assert (buttons.shown["is_alive"], buttons.shown["rows"][0]["curve"]) == (True, [[], []])
    epochs = make_epochs(3, "loss")
    other.store.runs.append_epochs(run.id, epochs[:2])
    buttons.press("look")
    assert (buttons.column("epochs")[0], buttons.column("train loss")[0]) == ("2", "0.500")
    end_run(other, run, history=epochs, train_loss=0.25)
    buttons.press("look")
    assert (buttons.column("status")[0], buttons.column("train loss")[0]) == ("completed", "0.250")
    assert len(buttons.shown["rows"][0]["curve"][0]) == 3
    assert not buttons.shown["is_alive"]
    other.close()


def test_open_shows_all_that_is_recorded(buttons: Buttons, run_code: Any) -> None:
    said = buttons.press("open", run=buttons.id_of("digits#7"))
    detail = buttons.shown["detail"]
    assert (detail["title"], run_code(said["code"]).ref) == ("digits#7", "digits#7")
    assert "model = net(7)" in Page(detail["html"]).text
    assert detail["curves"][0]["metrics"]["loss"][1] == [2, 0.5]
    assert detail["coordinates"]["axes"] == []
    buttons.press("close")
    assert (buttons.shown["detail"], buttons.shown["said"]["text"]) == (None, "")


def test_the_cell_is_there_to_be_copied_as_it_was(buttons: Buttons) -> None:
    assert buttons.press("cell", run=buttons.id_of("digits#7"))["code"] == "%%train digits\nmodel = net(7)"


def test_compare_has_curves_differences_and_a_line_each(buttons: Buttons) -> None:
    ids = [buttons.id_of(ref) for ref in ("digits#1", "digits#3", "digits#4")]
    assert buttons.press("compare", runs=ids)["code"] == "%runs compare digits#1 digits#3 digits#4"
    detail = buttons.shown["detail"]
    assert detail["metrics"] == ["loss", "accuracy"]
    assert [curve["ref"] for curve in detail["curves"]] == ["digits#1", "digits#3", "digits#4"]
    assert detail["curves"][0]["metrics"]["val_accuracy"] == [[1, 1.1], [2, 0.6], [3, 0.43333]]
    page = Page(detail["html"])
    assert ["hyperparams.optimizer", "adam", "sgd", "adam"] in page.rows
    assert "-model = net(1)\n+model = net(3)" in page.text
    axes, lines = detail["coordinates"]["axes"], detail["coordinates"]["lines"]
    assert [axis["name"] for axis in axes] == ["learning_rate", "optimizer", "best val_loss"]
    assert [label for _, label in axes[1]["ticks"]] == ["adam", "sgd"]
    assert [lines[0][0], lines[2][0], lines[0][2], lines[2][2]] == [1, 0, 1, 0]
    assert [line[1] for line in lines] == [0.25, 0.75, 0.25]


def test_of_many_runs_the_first_are_compared(buttons: Buttons) -> None:
    said = buttons.press("compare", runs=[buttons.id_of(f"digits#{n}") for n in range(1, 21)])
    assert said["text"] == "12 runs, the first of 20, are compared below."
    assert len(buttons.shown["detail"]["curves"]) == 12


def test_remove_takes_them_away_and_says_the_code(buttons: Buttons) -> None:
    said = buttons.press("remove", runs=[buttons.id_of("digits#60"), buttons.id_of("digits#58")])
    assert said["text"] == "Removed: digits#60, digits#58."
    assert said["code"].endswith("jupyter_mltrain.runs.remove('digits#60', 'digits#58')")
    assert (buttons.refs[:2], buttons.shown["total"], buttons.state.has_changed) == (["digits#59", "digits#57"], 58, True)


def test_a_run_that_goes_on_is_not_removed_and_not_registered(buttons: Buttons) -> None:
    run = add_run(buttons.session, "live")
    assert "received live#1, which is running" in buttons.press("remove", runs=[run.id])["text"]
    said = buttons.press("register", run=run.id, name="net")
    assert (said["text"][:12], said["is_error"]) == ("OptionError:", True)
    assert buttons.press("register", run=run.id, name="../x")["text"].startswith("OptionError: expected a model name")
    assert buttons.press("register", run=buttons.id_of("digits#1"), name="net")["text"].startswith(
        "ModelFileError: expected a model"
    )


def test_hostile_text_and_values_are_text(buttons: Buttons) -> None:
    run = add_run(buttons.session, "evil", note=HOSTILE, tags={"<b>": HOSTILE}, user="<i>", source=HOSTILE)
    nan: Mapping[str, float] = {"<u>": math.nan, "loss": math.inf}
    epochs = tuple(replace(epoch, metrics=nan) for epoch in make_epochs(2, "loss"))
    end_run(buttons.session, run, history=epochs, best_metrics=nan, best_score=math.nan, hyperparams={"<s>": HOSTILE})
    buttons.press("look", columns=["note", "tags", "user", "best_score", "hyperparams.<s>", "metrics.<u>"])
    (row,) = (row for row in buttons.shown["rows"] if row["ref"] == "evil#1")
    assert row["curve"] == [[[1, None], [2, None]], []]
    assert "\u202e" not in "".join(row["cells"])
    assert max(map(len, row["cells"])) <= 120
    buttons.press("open", run=run.id)
    opened = Page(buttons.shown["detail"]["html"])
    assert "<script>alert(1)</script>" in opened.text
    assert "alert(1)" not in "".join(opened.scripts)
    assert buttons.press("compare", runs=[run.id, buttons.id_of("digits#1")])["is_error"] is False
    assert {"i", "b", "s", "u"}.isdisjoint(tag for tag, _ in Page(buttons.shown["detail"]["html"]).elements)


def test_what_goes_wrong_is_said(buttons: Buttons) -> None:
    assert buttons.press("open", run="nothing")["text"].startswith("UnknownNameError: no run named 'nothing'")
    assert "no column named 'durtion'" in buttons.press("look", sort="durtion")["text"]


def test_an_empty_home_says_what_to_do_first(tmp_path: Path) -> None:
    shown = Buttons(Session(str(tmp_path))).shown
    assert (shown["rows"], shown["found"], shown["is_alive"]) == ([], 0, False)
    assert "put %%train on top of a cell" in shown["empty"]


def test_the_trials_of_a_search_have_a_list_too(buttons: Buttons, run_code: Any) -> None:
    store = buttons.session.store
    search = begin_search(store)
    for units in (16, 32, 8):
        end_trial(store, begin_trial(store, search, values={"units": units}))
    trials = Buttons(buttons.session, RunFilter(search="digits#1"), RunOrder(sort="ref"))
    code = trials.press("look", sort="hyperparams.units", columns=["hyperparams.units"])["code"]
    assert (trials.refs, trials.column("units")) == (["digits#1/3", "digits#1/1", "digits#1/2"], ["8", "16", "32"])
    assert [run.ref for run in run_code(code)] == trials.refs
    code = trials.press("open", run=trials.id_of("digits#1/2"))["code"]
    assert run_code(code).trial.values == {"units": 32}
