"""`%%train --histograms --graph --confusion`: what TensorBoard is given besides the curves."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from matplotlib.image import imread
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

import jupyter_mltrain
from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.engine.confusion import confusion_matrix

FIT = "model = net()\nmodel.fit(x, y, validation_split=0.25, epochs=4, verbose=0)"


def written(run) -> EventAccumulator:
    return EventAccumulator(str(run.folder / "tensorboard" / "train"), size_guidance={"graph": 1}).Reload()


def test_they_are_written_where_they_are_asked_for_and_change_nothing(tiny):
    tiny.run(f"%%train plain --seed 3\n{FIT}").run(f"%%train --seed 3 --histograms 2 --graph --confusion\n{FIT}")
    run, plain, model = tiny["run"], jupyter_mltrain.runs["plain"], tiny["model"]
    assert run.history == plain.history
    events = written(run)
    for weight in model.weights:
        first, second = events.Tensors(weight.path)
        assert (first.step, second.step) == (0, 2)
        assert make_ndarray(second.tensor_proto)[:, 2].sum() == np.prod(weight.shape)  # as many as are counted
    pictures = events.Tensors("confusion_matrix")
    assert [picture.step for picture in pictures] == [0, 1, 2, 3]
    width, height, png = make_ndarray(pictures[-1].tensor_proto)
    assert imread(io.BytesIO(png)).shape[:2] == (int(height), int(width)) == (600, 600)
    assert {"MatMul", "Relu", "Softmax"} <= {node.op for node in events.Graph().node}
    added = set(events.Tags()["tensors"]) - set(written(plain).Tags()["tensors"])
    assert added == {"confusion_matrix", *(weight.path for weight in model.weights)}


def test_the_matrix_counts_each_class_against_what_it_is_taken_for(tiny):
    tiny.run("%%train --epochs 3 --lr 0.1\nmodel = net()\nmodel.fit(x, y, verbose=0)")
    x, y, model = tiny["x"], tiny["y"], tiny["model"]
    taken = model.predict(x, verbose=0).argmax(axis=1)
    expected = [[int(((y == true) & (taken == other)).sum()) for other in (0, 1)] for true in (0, 1)]
    one_hot = np.eye(2)[y]
    assert confusion_matrix(model, (x, y)).tolist() == expected
    assert confusion_matrix(model, (x, one_hot, np.ones(len(y)))).tolist() == expected
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(20)
    assert confusion_matrix(model, batches).tolist() == expected


def test_one_output_is_a_probability_or_a_logit(tiny):
    for activation, high in (("'sigmoid'", 0.5), ("None", 0.0)):
        tiny.run(f"model = keras.Sequential([keras.Input((2,)), layers.Dense(1, {activation})])")
        taken = tiny["model"].predict(tiny["x"], verbose=0)[:, 0] > high
        matrix = confusion_matrix(tiny["model"], (tiny["x"], tiny["y"][:, None]))
        assert matrix.sum(axis=0).tolist() == [int((~taken).sum()), int(taken.sum())]


@pytest.mark.parametrize(
    ("line", "cell", "message"),
    [
        ("--confusion", "net().fit(x, y)", "expected validation data for --confusion"),
        ("--confusion --val x,y*0.5", "net().fit(x, y)", "expected targets that are classes for --confusion"),
        ("--histograms 0", "net().fit(x, y)", "expected --histograms of at least 1, received 0"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(tiny, line, cell, message):
    tiny.try_run(f"%%train {line}\n{cell}")
    assert isinstance(tiny.error, OptionError)
    assert message in str(tiny.error)
