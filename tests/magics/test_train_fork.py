"""`%%train --fork`: a new run that begins with the state of another."""

from __future__ import annotations

import shutil

import keras
import numpy as np
import pytest
from IPython.utils.capture import capture_output
from sample_cells import TINY
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

import jupyter_mltrain
from jupyter_mltrain.domain.errors import ModelError, ModelFileError, OptionError, UnknownNameError
from jupyter_mltrain.domain.run import Parent
from jupyter_mltrain.engine.checkpoints import files
from jupyter_mltrain.engine.checkpoints.checkpoint import Checkpoint

NETS = """
began = []
begin = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: began.append((epoch, model.get_weights())))
def noisy(width=4, depth=1, **options):
    hidden = [layers.Dense(width, "relu") for _ in range(depth)]
    hidden += [layers.BatchNormalization(), layers.Dropout(0.3)]
    model = keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(2, "softmax")])
    model.compile(**{"optimizer": "adam", "loss": "sparse_categorical_crossentropy", **options})
    return model
"""
FIT = """
model.fit(x, y, batch_size=8, epochs=5, callbacks=[begin], verbose=0)
"""
BODY = "\nmodel = noisy()" + FIT


@pytest.fixture(scope="module")
def parents(ipython, tmp_path_factory):
    """A home with `digits#1`, 5 epochs with all checkpoints, and `plain#1`, 3 epochs with the files that every run has."""
    home = tmp_path_factory.mktemp("parents") / "home"
    ipython.run_line_magic("config", f"MLTrain.home = {str(home)!r}")
    plain = "\nmodel = net()\nmodel.fit(x, y, batch_size=8, epochs=3, validation_data=(x, 1 - y))"
    for cell in (
        TINY + NETS,
        "%%train digits --seed 3 --keep-checkpoints all" + BODY,
        "%%train plain --lr 0.05 --seed 3" + plain,
    ):
        with capture_output():
            ipython.run_cell(cell).raise_error()
    ipython.reset(new_session=False)
    return home


@pytest.fixture
def family(parents, notebook):
    """A notebook whose home is a copy of that one."""
    shutil.copytree(parents, notebook.home)
    return notebook.run(TINY).run(NETS)


def weights_of(run, name="last"):
    return keras.models.load_model(run.folder / f"{name}.keras").get_weights()


def assert_equal(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(one, other)


def test_with_nothing_changed_it_is_what_the_parent_went_on_to(family):
    parent = jupyter_mltrain.runs["digits"]
    family.run("%%train --fork digits@2 --seed 3" + BODY)
    run = family["run"]
    assert (run.ref, run.parent) == ("digits#2", Parent(id=parent.id, ref="digits#1", epoch=2))
    assert [(epoch.number, epoch.metrics) for epoch in run.epochs] == [(e.number, e.metrics) for e in parent.epochs[2:]]
    assert_equal(weights_of(run), weights_of(parent))
    assert family.text.splitlines()[0] == "digits: completed, 3 epochs, best epoch 5 by loss"
    assert "Forked from digits#1 after epoch 2: its weights and the state of its optimizer." in family.text
    events = EventAccumulator(str(run.folder / "tensorboard" / "train"), size_guidance={"tensors": 0}).Reload()
    assert [event.step for event in events.Tensors("epoch_loss")] == [2, 3, 4]
    again = jupyter_mltrain.runs["digits#2"]
    assert (again.parent, again.options["fork"], again.facts["said"][-1]) == (
        run.parent,
        "digits@2",
        family.text.splitlines()[-2],
    )
    family.run("%runs show")
    assert "  forked from  digits#1 after epoch 2\n" in family.text


def test_it_begins_with_the_weights_of_the_parent_and_does_what_the_line_and_the_cell_say(family):
    parent = jupyter_mltrain.runs["digits"]
    frozen = "\nmodel = noisy()\nmodel.layers[0].trainable = False\nmodel.compile('adam', 'sparse_categorical_crossentropy')"
    family.run("%%train soft --fork digits@3 --lr 0.125 --epochs 7 --batch-size 16" + BODY)
    run, (epoch, weights) = family["run"], family["began"][0]
    checkpoint = Checkpoint.read(files.path_of(parent.folder / files.FOLDER, 1, 3))
    seeds = checkpoint.variables["seeds"]
    assert epoch == 3
    assert_equal(weights, [value for i, value in enumerate(checkpoint.variables["model"]) if i not in seeds])
    assert [each.number for each in run.epochs] == [4, 5, 6, 7]
    assert (run.ref, run.result.hyperparams["learning_rate"], run.result.hyperparams["batch_size"]) == ("soft#1", 0.125, 16)
    assert "The learning rate is 0.125; that of digits#1 was 0.001." in family.text
    assert float(family["model"].optimizer.learning_rate) == 0.125
    assert int(family["model"].optimizer.iterations) == 3 * 4 + 4 * 2
    family.run("%%train --fork digits@3" + frozen + FIT)
    assert_equal(family["model"].get_weights()[:2], weights[:2])
    assert not np.array_equal(family["model"].get_weights()[2], weights[2])
    assert "The optimizer begins anew: it trains other weights than there, or is set otherwise." in family.text


def test_of_a_completed_run_the_last_and_the_best_epoch_can_be_forked(family):
    parent = jupyter_mltrain.runs["plain"]
    assert (parent.result.best_epoch, len(parent.epochs)) == (1, 3)
    body = "\nmodel = net()" + FIT
    family.run("%%train --fork plain --seed 3 --lr 0.05" + body)
    newest = family["run"]
    assert (newest.parent.epoch, [epoch.number for epoch in newest.epochs]) == (3, [4, 5])
    assert_equal(family["began"][0][1], weights_of(parent))
    assert "its weights and the state of its optimizer." in family.text
    assert "The learning rate" not in family.text
    family.run("%%train whole --seed 3 --lr 0.05" + body)
    assert newest.history["loss"] == family["run"].history["loss"][3:]
    family["began"].clear()
    family.run("%%train --fork plain#1@best" + body)
    assert family["run"].parent.epoch == 1
    assert_equal(family["began"][0][1], weights_of(parent, "best"))
    assert "The optimizer begins anew: only the weights of that epoch were kept." in family.text


def test_another_optimizer_and_a_schedule_of_the_line_begin_anew(family):
    family.run("%%train --fork digits@4 --optimizer sgd" + BODY)
    assert "The optimizer begins anew: it is SGD here, Adam there." in family.text
    shutil.rmtree(jupyter_mltrain.runs["digits#1"].folder / files.FOLDER)
    family.run("%%train --fork digits#1 --epochs 7 --lr-schedule cosine --seed 3" + BODY)
    assert "Random layers do not go on as there: a model's file has no random state, a checkpoint has." in family.text
    assert "The optimizer begins anew: --lr-schedule counts its steps." in family.text
    assert int(family["model"].optimizer.iterations) == 8


@pytest.mark.parametrize("plan", ["epoch", "keras"])
def test_a_model_that_its_first_step_builds_and_one_in_kerass_own_loop(family, plan):
    family.run("""
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.other = layers.Dense(3), layers.Dense(1), keras.optimizers.SGD(0.1, momentum=0.9)
        def build(self, shape):
            self.first.build(shape)
            self.second.build((None, 3))
        def call(self, inputs): return self.second(self.first(inputs))
    """)
    body = f"--seed 1 --plan {plan}\nmodel = Own()\nif built: model.build((None, 2))\nmodel.compile('adam', 'mse')\n"
    body += "model.fit(x, y, epochs=epochs, shuffle=False, verbose=0)"
    family.run("built, epochs = True, 4").run("%%train own " + body)
    family.run("epochs = 2").run("%%train part " + body)
    family.run(f"built, epochs = {plan == 'keras'}, 4").run("%%train --fork part " + body)
    assert family["run"].history["loss"] == jupyter_mltrain.runs["own"].history["loss"][2:]
    assert "its weights and the state of its optimizer." in family.text


def test_a_fit_of_the_users_own_begins_with_the_weights_or_not_at_all(family):
    family.run("""
    class Loop(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)
        def call(self, inputs): return self.dense(inputs)
        def fit(self, x, y): return {"loss": [float(keras.ops.mean(self(x)))]}
    """)
    body = """
    model = Loop()
    if built: model.dense.build((None, 2))
    model.build((None, 2))
    model.compile("adam", "mse")
    model.fit(x, y)
    """
    family.run("built = True").run("%%train loop" + body)
    loss = family["run"].history
    family.run("%%train --fork loop" + body)
    assert family["run"].history == loss
    assert [epoch.number for epoch in family["run"].epochs] == [2]
    assert "Forked from loop#1 after epoch 1: its weights." in family.text
    with pytest.raises(ModelError, match=r"expected a model that is built before its own Loop.fit for --fork, received 'loop"):
        family.run("built = False").run("%%train --fork loop" + body)


@pytest.mark.parametrize("ref", ["digits@5", "digits@2"], ids=["model's file", "checkpoint"])
def test_another_model_is_refused(family, ref):
    if ref == "digits@5":
        shutil.rmtree(jupyter_mltrain.runs["digits"].folder / files.FOLDER)
    for net, message in (
        (
            "noisy(9)",
            r"expected \S*( dense\S*|kernel) as in digits#1, a weight of shape \(2, 4\), received \(2, 9\): build the model",
        ),
        ("noisy(depth=2)", r"expected .* as in digits#1, .*, received .*: build the model as that run did, or leave --fork out"),
        ("keras.Sequential(noisy().layers[:2])", r"expected .* as in digits#1, a weight of shape \(4, 2\), received none"),
    ):
        compiled = "\nmodel.compile('adam', 'sparse_categorical_crossentropy')"
        with pytest.raises(ModelError, match=message):
            family.run(f"%%train --fork {ref} --epochs 9\nmodel = {net}{compiled}{FIT}")
    assert (jupyter_mltrain.runs["digits"].status, jupyter_mltrain.runs["digits"].parent.ref) == ("failed", "digits#1")


def test_what_cannot_be_is_refused_and_records_nothing(family):
    for line, error, message in (
        ("--fork digts", UnknownNameError, r"no run named 'digts': did you mean digits\?"),
        (
            "--fork digits#1@9",
            OptionError,
            r"whose state is kept, received 9: there is 5 \(best\), 4, 3, 2, 1; --keep-checkpoints all",
        ),
        (
            "--fork plain@2",
            OptionError,
            r"expected an epoch of plain#1 whose state is kept, received 2: there is 3, 1 \(best\); ",
        ),
        ("--fork plain@two", OptionError, "received two: there is 3, 1"),
        ("--fork digits --no-track", OptionError, "expected --fork or --no-track, received both"),
        ("--fork digits --dry-run", OptionError, "expected --fork or --dry-run, received both"),
        ("--fork digits --resume digits", OptionError, "received digits#1, which is completed"),
        ("--keep-checkpoints 0", OptionError, "expected --keep-checkpoints of at least 1, or all, received 0"),
        ("--keep-checkpoints few", OptionError, "expected a whole number or all for --keep-checkpoints, received 'few'"),
    ):
        with pytest.raises(error, match=message):
            family.run(f"%%train {line}{BODY}")
    assert len(jupyter_mltrain.runs) == 2


def test_without_epochs_left_and_without_files(family):
    with pytest.raises(OptionError, match=r"expected --epochs above 5, since .*, received 5: --epochs 10 trains 5 more"):
        family.run("%%train --fork digits" + BODY)
    family.run("%%train --fork digits --epochs 6 --seed 3" + BODY)
    assert family["run"].parent.ref == "digits#1"  # the newest of that name has come to nothing
    assert "Random layers do not go on as there" not in family.text
    parent = jupyter_mltrain.runs["plain"]
    (parent.folder / "last.keras").write_bytes(b"PK")
    with pytest.raises(
        ModelFileError, match=r"last.keras to hold the state of plain#1 after epoch 3, it cannot be read .*: fork another"
    ):
        family.run("%%train --fork plain" + BODY)
    shutil.rmtree(parent.folder)
    with pytest.raises(OptionError, match="received its newest: none is there; train it again with --keep-checkpoints all"):
        family.run("%%train --fork plain#1" + BODY)
    damaged = files.path_of(jupyter_mltrain.runs["digits#1"].folder / files.FOLDER, 1, 2)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    with pytest.raises(
        ModelFileError, match=r"none that is whole \(.*ckpt is damaged, or of another version\): fork another epoch"
    ):
        family.run("%%train --fork digits#1@2" + BODY)


def test_a_fork_that_is_cut_short_is_resumed_as_one(family):
    crash = "\ndef crash(epoch, logs):\n    if epoch == crash_at: raise RuntimeError\n" + BODY.replace(
        "[begin]", "[begin, keras.callbacks.LambdaCallback(on_epoch_begin=crash)]"
    )
    line = "%%train --fork digits#1@2 --seed 3 --checkpoint-every 1 epoch"
    family.run("crash_at = 3").try_run(line + crash)
    with pytest.raises(OptionError, match="expected --fork as the run began, digits#1@2, received plain: leave it out"):
        family.run("%%train --resume last --fork plain" + crash)
    family.run("crash_at = None").run(line + " --resume last" + crash)
    run, parent = family["run"], jupyter_mltrain.runs["digits#1"]
    assert "The run goes on after epoch 3." in family.text
    assert (run.ref, run.parent.ref, [epoch.number for epoch in run.epochs]) == ("digits#2", "digits#1", [3, 4, 5])
    assert [epoch.metrics for epoch in run.epochs] == [epoch.metrics for epoch in parent.epochs[2:]]
    assert_equal(weights_of(run), weights_of(parent))


def test_what_failed_can_be_forked_and_as_many_checkpoints_are_kept_as_asked_for(family):
    family.run("def crash(epoch, logs):\n    if epoch == 4: raise RuntimeError")
    body = "\nmodel = net()\nmodel.fit(x, y, epochs=6, validation_data=(x, 1 - y), callbacks=[{}], verbose=0)"
    failing = body.format("begin, keras.callbacks.LambdaCallback(on_epoch_begin=crash)")
    family.try_run("%%train failed --keep-checkpoints 3 --lr 0.05" + failing)
    family.run("%%train --fork failed@best" + body.format("begin"))
    assert (family["run"].parent.epoch, family["began"][-5][0]) == (1, 1)
    with pytest.raises(OptionError, match=r"received 9: there is 4, 3, 2, 1 \(best\); "):
        family.run("%%train --fork failed#1@9" + failing)


def test_a_trial_can_be_forked_and_its_hyperparameters_come_along(family):
    searched = "\nmodel = noisy(hp.Int('width', 5, 6))\nmodel.fit(x, y, epochs=2, verbose=0)"
    family.run("%%tune wide --trials 1 --oracle random --objective loss --seed 2" + searched)
    width = family["search"].best.trial.values["width"]
    family.run("%%train --fork wide/1 --epochs 3" + searched.replace("hp.Int('width', 5, 6)", "hp.Int('width', 1, 9)"))
    assert (family["run"].ref, family["run"].parent.ref) == ("wide#1", "wide#1/1")
    assert family["model"].layers[0].units == width
    assert "The hyperparameters are those of wide#1/1." in family.text


def test_from_python_with_the_family_as_a_tree(family):
    run = family.run("import jupyter_mltrain\nrun = jupyter_mltrain.train(noisy(), data=(x, y), fork='digits@3', epochs=4)")[
        "run"
    ]
    assert (run.ref, run.parent.epoch, len(run.epochs)) == ("digits#2", 3, 1)
    family.run("%%train other --fork digits#2 --lr 0.1 --epochs 6" + BODY).run("%%train --fork digits#1@best --epochs 7" + BODY)
    family.run("%runs tree other")
    rows = [line.split() for line in family.text.splitlines()]
    assert rows[0] == ["run", "forked", "status", "epochs", "best", "score", "by", "changed"]
    assert [row[0] for row in rows[1:]] == ["digits#1", "digits#2", "other#1", "digits#3"]
    assert [len(line) - len(line.lstrip()) for line in family.text.splitlines()[1:]] == [2, 4, 6, 4]
    assert "after epoch 4" in family.text.splitlines()[3]
    assert family.text.splitlines()[3].endswith("epochs 6, learning_rate 0.1, no data, cell")
    tree = jupyter_mltrain.runs.tree()
    assert [each.ref for each in tree[0].runs] == ["digits#1", "digits#2", "other#1", "digits#3"]
    assert [each.run.ref for each in jupyter_mltrain.runs.tree("plain")] == ["plain#1"]
    assert jupyter_mltrain.runs.frame().set_index("ref").loc["other#1", ["parent", "parent_epoch"]].tolist() == ["digits#2", 4]
    family.run("%runs rm digits#1").run("%runs tree")
    assert "after epoch 3 of digits#1, which is removed" in family.text
    with pytest.raises(UnknownNameError, match="no run named 'nobody'"):
        family.run("%runs tree nobody")
