"""Existing cells under `%%train` give the bare cell's weights and history, bit for bit."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest
from sample_cells import CELLS, DATA

DRAWS = ("dropout, batch normalization, shuffling, validation", "a GAN with two optimizers", "a VAE")  # other numbers in XLA


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
def test_weights_history_and_random_state_are_the_bare_cells(notebook, cell):
    notebook.run(DATA + "keras.utils.set_random_seed(7)\n").run(cell)
    bare = _left(notebook)
    notebook.run(DATA).run("%%train same --seed 7 --plan keras\n" + textwrap.dedent(cell))
    tracked = _left(notebook)

    assert tracked["history"] == bare["history"]
    assert len(tracked["weights"]) == len(bare["weights"]) > 0
    for ours, theirs in zip(tracked["weights"], bare["weights"], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert tracked["draws"] == bare["draws"]
    assert notebook["run"].status == "completed"
    assert notebook["run"].result.epochs == sum(phase["epochs"] for phase in notebook["run"].facts["phases"]) >= 2


@pytest.mark.parametrize("name", CELLS)
def test_every_plan_gives_keras_numbers_for_the_same_batches(notebook, name):
    tolerance = 1e-2 if "mixed precision" in name else 1e-4
    expected = _trained(notebook, name, "keras")
    for plan in ("block", "auto") if name in DRAWS else ("block", "auto", "epoch-xla"):
        ours = _trained(notebook, name, plan)
        assert ours["history"].keys() == expected["history"].keys()
        for metric, values in expected["history"].items():
            np.testing.assert_allclose(ours["history"][metric][0], values[0], rtol=tolerance / 10, err_msg=f"{plan}: {metric}")
            np.testing.assert_allclose(ours["history"][metric], values, rtol=tolerance, err_msg=f"{plan}: {metric}")
        for weights, theirs in zip(ours["weights"], expected["weights"], strict=True):
            np.testing.assert_allclose(weights, theirs, atol=tolerance, err_msg=plan)
        assert ours["draws"] == expected["draws"], plan


def _trained(notebook, name, plan):
    notebook.run(DATA).run(f"%%train --seed 7 --no-shuffle --plan {plan}\n" + textwrap.dedent(CELLS[name]))
    return _left(notebook)


def _left(notebook):
    notebook.run(
        "import random\n"
        "left = {'history': history.history, 'weights': [w.numpy() for w in model.variables],\n"
        "        'draws': (random.random(), np.random.rand(), float(tf.random.uniform(())), float(keras.random.uniform(())))}"
    )
    return notebook["left"]
