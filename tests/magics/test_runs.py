"""`%runs` on runs that were really trained."""

from __future__ import annotations

import pytest

from jupyter_mltrain import runs
from jupyter_mltrain.domain.errors import OptionError, UnknownNameError
from jupyter_mltrain.domain.run import RunFilter
from jupyter_mltrain.domain.run_summary import RunOrder
from jupyter_mltrain.services.runs import list_runs
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.widgets.runs_state import RunsState


def shown_refs(notebook) -> list[str]:
    return [line.split()[0] for line in notebook.text.splitlines()[2:]]


def test_list_is_the_default_newest_first_and_leaves_no_value(trained):
    trained.run("%runs")
    assert trained.text.splitlines()[0] == "3 runs"
    assert shown_refs(trained) == ["other#1", "digits#2", "digits#1"]
    assert "<table" in trained.outputs[0].data["text/html"]
    assert trained["Out"] == {}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--status failed", ["other#1"]),
        ("--name digits", ["digits#2", "digits#1"]),
        ("--model net", ["digits#2"]),
        ("--tag stage=draft", ["digits#2"]),
        ("--tag odd --tag stage", ["digits#2"]),
        ("--best val_loss", ["digits#2"]),
        ("--since 1h --limit 2", ["other#1", "digits#2"]),
        ("--limit=1", ["other#1"]),
        ('--contains "STAGE=draft completed"', ["digits#2"]),
        ("--sort epochs", ["digits#2", "digits#1", "other#1"]),
        ("--sort metrics.loss --descending --tag odd", ["digits#2"]),
        ("--sort hyperparams.learning_rate --descending --limit 1", ["digits#1"]),
    ],
)
def test_list_takes_filters(trained, options, expected):
    trained.run(f"%runs list {options}")
    assert shown_refs(trained) == expected
    trained.run(f"%runs {options}")
    assert shown_refs(trained) == expected


def test_list_by_a_metric_puts_the_best_first(trained):
    trained.run("%runs list --best loss")
    losses = [runs[ref].result.best_metrics["loss"] for ref in shown_refs(trained)]
    assert len(losses) == 2
    assert losses == sorted(losses)
    best = shown_refs(trained)
    trained.run("%runs list --best loss --contains digits")
    assert shown_refs(trained) == best


def test_list_says_when_nothing_fits(trained):
    trained.run("%runs list --since 2999-01-01")
    assert "none fits" in trained.text


def test_show_takes_a_name_an_id_or_the_newest(trained):
    trained.run("%runs show digits")
    assert trained.text.startswith("digits#2: completed, 1 epoch")
    trained.run(f"%runs show {runs['digits#1'].id}")
    assert trained.text.startswith("digits#1: completed, 2 epochs")
    trained.run("%runs show")
    assert trained.text.startswith("other#1: failed")
    assert "RuntimeError: oh" in trained.text


def test_compare_shows_parameters_cells_results_and_curves(trained):
    trained.run("%runs compare digits#1 digits")
    lines = [line.split() for line in trained.text.splitlines()]
    assert ["hyperparams.epochs", "2", "1"] in lines
    assert ["hyperparams.learning_rate", "0.01", "0.001"] in lines
    assert "-model = net(); model.fit(x, y)" in trained.text
    assert "+model = net(8); model.fit(x, y, validation_split=0.5)" in trained.text
    assert trained.outputs[-1].data["image/png"]


def test_variables_of_the_notebook_stand_in_braces(trained):
    trained.run("which = 'digits#1'")
    trained.run("%runs show {which}")
    assert trained.text.startswith("digits#1: completed, 2 epochs")


def test_python_lists_and_removes_as_the_magic_does(trained):
    found = runs.list(contains="DIGITS", sort="epochs", descending=True)
    assert [run.ref for run in found] == ["digits#1", "digits#2"]
    assert found[0].source.startswith("%%train digits --epochs 2")
    folder = found[1].folder
    assert [run.ref for run in runs.remove("digits#2")] == ["digits#2"]
    assert (len(runs), folder.exists()) == (2, False)
    trained.run("%models show net")
    assert "made by run  digits#2 (" in trained.text  # a version outlives its run, and tells which it was


def test_the_live_list_registers_with_the_notebooks_classes(trained):
    session = Session(str(trained.home))
    first, total = list_runs(session, RunFilter())
    state = RunsState(session, RunFilter(), order=RunOrder(), first=first, total=total)
    state.apply({"cmd": "register", "run": runs["digits#1"].id, "name": "later"})
    said = state.snapshot()["said"]
    assert said["text"] == "digits#1 is registered as later@1."
    assert said["code"].endswith("jupyter_mltrain.models.register('later', 'digits#1')")
    assert "later@1" in state.snapshot()["rows"][2]["cells"]
    session.close()


def test_rm_removes_records_and_files_and_says_which(trained):
    folder = runs["digits#2"].folder
    assert folder.exists()
    trained.run("%runs rm digits#2 other")
    assert trained.text == "Removed: digits#2, other#1."
    assert not folder.exists()
    trained.run("%runs")
    assert shown_refs(trained) == ["digits#1"]


def test_rm_refuses_a_run_that_is_running(tiny):
    tiny.run("""
        %%train live
        refused = []
        def remove(epoch, logs):
            try:
                get_ipython().run_line_magic("runs", "rm live")
            except Exception as error:
                refused.append(error)
        model = net()
        model.fit(x, y, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=remove)])
    """)
    (error,) = tiny["refused"]
    assert isinstance(error, OptionError)
    assert "live#1, which is running" in str(error)
    assert tiny["run"].status == "completed"


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        ("shwo", OptionError, "received 'shwo': did you mean show?"),
        ("show digts", UnknownNameError, "no run named 'digts': did you mean digits?"),
        ("show digits#7", UnknownNameError, "no run named 'digits#7': did you mean digits#2 or digits#1?"),
        ("list --staus failed", OptionError, "received '--staus': did you mean --status?"),
        ("list --status faild", OptionError, "received 'faild': did you mean failed?"),
        ("list --limit many", OptionError, "expected a whole number for --limit, received 'many': %runs? is the manual"),
        ("list --limit 0", OptionError, "expected --limit of at least 1, received 0"),
        ("list --since soon", OptionError, "expected a time like 2d, 12h or 2026-11-01, received 'soon'"),
        ("list --name digts", UnknownNameError, "no run named 'digts': did you mean digits?"),
        ("list --model nett", UnknownNameError, "no model named 'nett': did you mean net?"),
        ("list --sort durtion", UnknownNameError, "no column named 'durtion': did you mean duration?"),
        ("list --name digts --contains x", UnknownNameError, "no run named 'digts': did you mean digits?"),
        ("list --best acuracy", UnknownNameError, "no metric named 'acuracy': did you mean accuracy or val_accuracy?"),
        ("compare", OptionError, "expected RUN for %runs compare, received none: %runs? is the manual"),
        ("compare digits digits#2", OptionError, "expected two runs or more to compare, received digits, digits#2"),
        ("show digits other", OptionError, "expected nothing more for %runs show, received 'other'"),
        ("rm digits#1 nobody", UnknownNameError, "no run named 'nobody'"),
    ],
)
def test_errors_are_one_line_that_helps(trained, line, kind, message):
    trained.try_run(f"%runs {line}")
    assert isinstance(trained.error, kind)
    assert message in str(trained.error)
    assert trained.stdout == f"{kind.__name__}: {trained.error}\n"
    trained.run("%runs")
    assert len(shown_refs(trained)) == 3


def test_show_before_the_first_run_says_what_to_do(notebook):
    notebook.run("%runs")
    assert "put %%train on top" in notebook.text
    notebook.try_run("%runs show")
    assert "expected a recorded run, there is none" in str(notebook.error)
