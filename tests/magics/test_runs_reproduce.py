"""`%runs reproduce`: a run of several cells, written and done again in other processes."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import nbformat
import numpy as np
import pytest

from jupyter_mltrain import runs
from jupyter_mltrain.domain.errors import OptionError, ReproductionError, UnknownNameError
from jupyter_mltrain.domain.reproduction import compare

CELLS = (
    "import keras, numpy as np\nfrom keras import layers\nfrom my_scales import factor",
    "unused = 1\n!true",
    "x = np.load('data.npy')\ny = (x.sum(axis=1) > 0).astype('int32')",
    "widths = []",
    "for width in (4, 8):\n    widths.append(width)",
    "def made_of(widths):\n    return [layers.Dense(width, kind) for width in widths]",
    "class Net(keras.Sequential):\n    pass",
    'kind = \'relu\'  # """ in a comment, and a backslash \\',
    "x[0] = 1.0",
)
TRAIN = r"""%%train digits --epochs 3 {line}
scale = lambda data: data * factor
seen = []
def note(epoch, logs):
    seen.append(f"{{epoch}}\n")
model = Net([keras.Input((2,)), *made_of(widths), layers.Dropout(0.5), layers.Dense(2, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(scale(x), y, validation_split=0.25, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=note)], verbose=0)
"""


@pytest.fixture
def folder(notebook, monkeypatch) -> Path:
    """The folder of a notebook that reads a file and imports a module of its own, with everything but the training done."""
    folder = notebook.home.parent
    np.save(folder / "data.npy", np.random.default_rng(3).normal(size=(64, 2)).astype("float32"))
    (folder / "my_scales.py").write_text("factor = 2\n")
    monkeypatch.syspath_prepend(folder)
    for cell in CELLS:
        notebook.run(cell)
    return folder


def done_again(notebook, monkeypatch, ref):
    """Run the cells of the notebook that does a run again, in a home of their own; return the run and what it came to."""
    written = runs.reproduce(ref)
    first, home = runs[ref], notebook.home
    monkeypatch.chdir(written.notebook.parent)
    notebook.run("%reset -f").run(f"%config MLTrain.home = {str(written.notebook.parent / 'home')!r}")
    for cell in nbformat.read(written.notebook, as_version=4).cells[1:]:
        notebook.run(cell.source)
    again = runs[notebook["run"].id]
    monkeypatch.chdir(home.parent)
    notebook.run("%reset -f").run(f"%config MLTrain.home = {str(home)!r}")
    return first, again, written


def test_it_agrees_to_the_bit_as_a_script_and_as_a_notebook(notebook, folder, monkeypatch):
    notebook.run(TRAIN.format(line="--tag stage=draft --note 'a remark' --register digits"))
    first = notebook["run"]
    notebook.run("%runs reproduce --run")
    line = 'digits --epochs 3 --tag stage=draft --note "a remark" --strategy cpu --precision float32 --plan epoch'
    assert notebook.text.splitlines() == [
        "digits#1 done again: agrees to the bit: every metric of 3 epochs, and the weights.",
        "Written: digits-1.py and digits-1.ipynb in digits-1-reproduce, with 8 earlier cells.",
        f"  %%train {line}",
    ]
    assert [run.ref for run in runs] == ["digits#1"]
    written = folder / "digits-1-reproduce"
    script = (written / "digits-1.py").read_text("utf-8")
    ast.parse(script)
    metadata = tomllib.loads(script.partition("# /// script\n")[2].partition("# ///\n")[0].replace("# ", ""))
    packages = first.facts["environment"]["packages"]
    assert metadata["requires-python"].startswith("==3.")
    assert {f"keras=={packages['keras']}", f"numpy=={packages['numpy']}"} <= set(metadata["dependencies"])
    assert f"keras=={packages['keras']}\n" in (written / "requirements.txt").read_text("utf-8")
    assert "unused = 1" not in script

    np.save(folder / "data.npy", np.load(folder / "data.npy") + 1)
    made = nbformat.read(written / "digits-1.ipynb", as_version=4)
    nbformat.validate(made)
    first, again, _ = done_again(notebook, monkeypatch, "digits#1")
    found = compare(first, again, ())
    assert (found.is_exact, found.num_epochs, found.weights) == (False, 3, False)
    assert found.metrics[0].startswith("accuracy from epoch 1 on: ")
    assert found.causes["data"] == ("x has other content", "y has other content")
    assert set(found.causes) <= {"data", "training"}


def test_forks_and_trials_agree_to_the_bit_too(tiny, monkeypatch):
    searched = """
        %%tune found --trials 3 --seed 5 --epochs 2 --oracle random --validation-split 0.5 --prune none
        model = net(hp.Int("units", 2, 64, log=True))
        model.fit(x, y, verbose=0)
    """
    tiny.run(searched)
    number = next(trial.trial.number for trial in tiny["search"].trials if trial.ref != tiny["search"].best.ref)
    body = "model = net(hp.Int('units', 2, 64))\nmodel.fit(x, y, verbose=0)"
    tiny.run(f"%%train fork --fork found/{tiny['search'].best.trial.number}@best --epochs 5 --seed 3\n{body}")
    calls = """
        import jupyter_mltrain
        keras.utils.set_random_seed(4)
        for name, epochs in (("made", 2), ("made", 3)):
            jupyter_mltrain.train(net(), name=name, data=(x, y), epochs=epochs, seed=epochs)
    """
    tiny.run(calls)
    for ref in (f"found/{number}", "fork"):
        first, again, written = done_again(tiny, monkeypatch, ref)
        found = compare(first, again, ())
        assert (found.is_exact, found.metrics, found.weights) == (True, (), True)
    parent = first.parent
    assert f"the state of {parent.ref} {parent.place}, which lies in parent" in written.script.read_text()
    assert len([*(written.script.parent / "parent").rglob("*.keras")]) == 1
    tiny.run("%runs rm found")
    with pytest.raises(
        OptionError, match=f"expected the state of {parent.ref} {parent.place} that the run began with, it is not"
    ):
        runs.reproduce("fork", to="anew")
    assert not Path("anew").exists()
    made = runs.reproduce("made#1", run=True)
    assert (made.agreement.is_exact, made.agreement.num_epochs, made.line) == (True, 2, "")
    assert 'get_ipython().run_cell(r"""\nimport jupyter_mltrain\nkeras.utils.set_random_seed(4)\n' in made.script.read_text()


def test_what_no_cell_made_is_listed_and_missed(notebook):
    notebook.shell.user_ns["hidden"] = 3
    for cell in ("import numpy as np", "x = hidden * np.ones((8, 2))", "import keras", "layer = keras.layers.Dense(1)"):
        notebook.run(cell)
    notebook.run("%%train --data x,x[:,:1] --loss mse\nmodel = keras.Sequential([layer])")
    notebook.run("%runs reproduce --to there")
    assert notebook.text.splitlines() == [
        "Written: run-1.py and run-1.ipynb in there, with 4 earlier cells.",
        "  %%train run --data x,x[:,:1] --loss mse --strategy cpu --precision float32 --plan epoch",
        "Origin not known: hidden (int): no cell that ran made them; give them their values in these files.",
    ]
    script = Path("there/run-1.py")
    assert "# No cell made these names, so that they have to be given their values first: hidden (int).\n" in script.read_text()
    with pytest.raises(ReproductionError, match=r"(?s)received these last lines:.*'hidden' is not defined\ngive hidden their v"):
        runs.reproduce("run", to="there", run=True)
    script.write_text("print('another script')\n")
    with pytest.raises(OptionError, match=r"expected --to with a new folder, received .*there, which is there: remove it, or"):
        notebook.run("%runs reproduce --to there")
    assert script.read_text() == "print('another script')\n"


def test_what_cannot_be_written_is_refused(trained):
    (runs["digits#1"].folder / "origin.json").unlink()
    with pytest.raises(OptionError, match="received digits#1, which has none: train its cell once more"):
        trained.run("%runs reproduce digits#1")
    with pytest.raises(UnknownNameError, match=r"no run named 'digts': did you mean digits\?"):
        trained.run("%runs reproduce digts")
    trained.run("import jupyter_mltrain, keras, numpy as np")
    trained.run(
        "model = keras.Sequential([keras.layers.Dense(1)])\n"
        "jupyter_mltrain.train(model, data=(np.ones((8, 2)), np.ones(8)), loss='mse', name='py')"
    )
    (runs["py"].folder / "origin.json").unlink()
    with pytest.raises(OptionError, match="received py#1, which a program made: the program does it again"):
        trained.run("%runs reproduce py")
    with pytest.raises(OptionError, match="expected the random numbers of a run, received nothing"):
        runs.restore_random_numbers("nothing")
    assert not [path for path in Path.cwd().iterdir() if path.name.endswith("-reproduce")]
