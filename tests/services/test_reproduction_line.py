"""The cell that does a run again, without a training."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.origin import Origin
from jupyter_mltrain.domain.run import Epoch, Parent, Run, RunStatus, Trial
from jupyter_mltrain.services.reproducing import _changed_modules
from jupyter_mltrain.services.reproduction_line import check_can_be_repeated, line_of, name_of
from jupyter_mltrain.services.reproduction_text import Place, notebook_of, script_of
from jupyter_mltrain.services.untracked import untracked_run
from jupyter_mltrain.store.processes import this_process

PLACE = Place(name="digits-0", up="..", random=None)


def run_with(source: str = "%%train digits\nmodel.fit(x, y)\n", *, facts: dict[str, Any] | None = None, **options: Any) -> Run:
    about = {"name": "digits", "user": "ada", "process": this_process(), "tags": {}, "note": ""}
    return untracked_run(Path(), source=source, options=options, facts=facts or {}, **about)


@pytest.mark.parametrize(
    ("options", "facts", "line"),
    [
        ({"epochs": 3, "learning_rate": 0.01, "validation_data": "a, b", "metrics": ["mae", "mse"]}, {}, None),
        ({"shuffle": False, "deterministic": True}, {}, "--no-shuffle --deterministic"),
        ({"tags": {"stage": "first draft", "odd": ""}, "note": "it's"}, {}, '--tag "stage=first draft" --tag odd --note it\'s'),
        ({"note": 'a "b" c', "class_weight": "{0: 1.0, 1: -2.0}"}, {}, '--note \'a "b" c\' --class-weight "{0: 1.0, 1: -2.0}"'),
        ({"register": "net", "name": "digits", "data_memory": 0.5}, {}, ""),
        ({"batch_size": "auto"}, {"hyperparams": {"batch_size": 128}}, "--batch-size 128"),
        ({"seed": 3}, {"seed": 3}, "--seed 3"),
        ({"deterministic": True}, {"seed": 77}, "--deterministic --seed 77"),
        (
            {},
            {"reproduction": {"precision": "mixed_bfloat16", "plans": ["keras", "block"]}},
            "--precision mixed_bfloat16 --plan block",
        ),
        ({}, {"reproduction": {"precision": "int8", "plans": ["block", "epoch"]}}, "--plan epoch"),
        ({}, {"reproduction": {"plans": ["epoch", "epoch-xla"]}}, "--plan epoch-xla"),
        ({"plan": "keras", "precision": "float64"}, {"reproduction": {"plans": ["keras"]}}, "--plan keras --precision float64"),
    ],
)
def test_the_line_has_the_options_and_what_auto_came_to(options: Any, facts: Any, line: str | None) -> None:
    expected = "--epochs 3 --lr 0.01 --val a, b --metrics mae mse" if line is None else line
    assert line_of(run_with(facts=facts, **options)) == f"digits {expected}".strip()


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (
            replace(run_with(oracle="hyperband"), trial=Trial(search="digits#2", number=7, values={})),
            "received digits#2/7, which Hyperband may have begun where another ended",
        ),
        (run_with("train(sequential)"), "which a program made"),
        (run_with("train(sequential)"), "which was trained in a process of its own"),
    ],
)
def test_what_cannot_be_done_again_is_said(run: Run, message: str) -> None:
    origin = Origin(call="train(sequential)") if "process" in message else None
    with pytest.raises(OptionError) as error:
        check_can_be_repeated(run, origin, is_own_process=True)
    assert message in str(error.value)


def test_hyperparameters_settings_and_variables_stand_before_the_cell() -> None:
    environment = {"environment": {"TF_ENABLE_ONEDNN_OPTS": "0"}, "python": "3.12.4", "devices": ["CPU:0"]}
    facts = {"hp": {"units": 8}, "environment": environment}
    run = run_with("%%train digits\nnet(hp.Int('units', 1, 9))\n", facts=facts, hp="best", data_memory=0.5)
    check_can_be_repeated(run, Origin(), is_own_process=True)
    script = script_of(run, Origin(), PLACE)
    assert script.index("TF_ENABLE_ONEDNN_OPTS") < script.index("load_ext") < script.index("\nhp_values = {'units': 8}\n")
    assert "--hp hp_values" in script
    assert 'get_ipython().run_line_magic("config", "MLTrain.data_memory = 0.5")\n' in script
    assert '# requires-python = "==3.12.*"\n' in script
    assert "%config MLTrain.data_memory = 0.5" in notebook_of(run, Origin(), PLACE)


def test_a_script_is_python_whatever_the_cells_are() -> None:
    cells = (
        "from __future__ import annotations\nx: Y = 1",
        "files = !ls",
        "await later()",
        "%%train first --epochs 3\ntext = '''a\\n'''\nother = \"\"\"b\"\"\"",
        "plain = 1",
    )
    script = script_of(run_with('%%train digits\ntext = """a\\n"""\n'), Origin(cells=cells), PLACE)
    calls = [node.value for node in ast.parse(script).body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    texts = [
        node.value for call in calls for node in ast.walk(call) if isinstance(node, ast.Constant) and "\n" in str(node.value)
    ]
    assert [text.strip("\n") for text in texts] == [
        *cells[:3],
        cells[3].partition("\n")[2],
        'text = """a\\n"""',
    ]
    assert "\n# %%\nplain = 1\n" in script
    notebook = json.loads(notebook_of(run_with(), Origin(cells=cells), PLACE))
    assert ["".join(cell["source"]) for cell in notebook["cells"][2:]] == [*cells, "%%train digits\nmodel.fit(x, y)"]


def test_a_trial_is_trained_with_its_values_and_a_fork_with_the_state_of_its_parent() -> None:
    made = run_with("%%tune digits\nnet(hp)\n", oracle="tpe", trials=9, epochs=9, register="net", monitor="loss:min")
    epochs = tuple(Epoch(number=number, phase=1, metrics={}, seconds=1.0) for number in (1, 2))
    trial = Trial(search="digits#2", number=7, values={"units": 8})
    pruned = replace(made, trial=trial, name="digits#2/7", status=RunStatus.PRUNED, epochs=epochs)
    assert line_of(pruned) == "digits --epochs 2 --monitor loss:min --hp hp_values"
    assert name_of(pruned) == "digits-2-7"
    fork = replace(run_with(fork="net@best"), parent=Parent(id="abc", ref="net#2", epoch=5))
    assert line_of(fork) == "digits --fork abc@5"
    assert 'run_cell(r"""\n%mltrain copy "{_folder}/parent"\n""").raise_error()' in script_of(fork, Origin(), PLACE)
    assert line_of(replace(fork, parent=Parent(id="abc", ref="net#2", epoch=5, step=3))) == "digits --fork abc"


def test_modules_that_changed(tmp_path: Path) -> None:
    (tmp_path / "same.py").write_text("")
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    origin = Origin(folder=str(tmp_path), modules={"same.py": nothing, "gone.py": nothing})
    assert _changed_modules(origin) == ("gone.py",)
    (tmp_path / "same.py").write_text("x = 1")
    assert _changed_modules(origin) == ("same.py", "gone.py")


def test_what_is_told_is_text_and_nothing_else() -> None:
    origin = Origin(unknown={"x": "a\nimport os"}, left_out=("!ls <b>*</b>",))
    script = script_of(run_with(), origin, PLACE)
    assert "# No cell made these names, so that they have to be given their values first: x (a import os).\n" in script
    text = "".join(json.loads(notebook_of(run_with(), origin, PLACE))["cells"][0]["source"])
    assert "!ls &lt;b&gt;\\*&lt;/b&gt;" in text
