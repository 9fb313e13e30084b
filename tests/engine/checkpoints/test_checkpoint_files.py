"""Checkpoint files: what comes back, what is kept, and that no damage goes unseen."""

from __future__ import annotations

import math
import random

import ml_dtypes
import numpy as np
import pytest

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.run import Epoch
from jupyter_mltrain.engine.checkpoints import files
from jupyter_mltrain.engine.checkpoints.checkpoint import Checkpoint, Resumption

STATE = {
    "number": 0.1 + 0.2,
    "infinite": -math.inf,
    "text": "naïve 模型",
    "none": None,
    "random": random.Random(1).getstate(),
    "by number": {1: "one", (2, 3): [True, {"deep": ()}]},
    "weights": [np.arange(6, dtype="float32").reshape(2, 3), np.zeros((0, 4)), np.array(7, "int64"), np.array(["a", "bc"])],
    "half": np.arange(5).astype(ml_dtypes.bfloat16),
    "best": np.float32(0.1),
}


def equal(one, other) -> bool:
    if isinstance(one, np.ndarray | np.generic):
        return type(one) is type(other) and one.dtype == other.dtype and one.shape == other.shape and (one == other).all()
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(equal, one, other))
    return type(one) is type(other) and one == other


def test_what_is_written_comes_back(tmp_path):
    path = files.path_of(tmp_path / "checkpoints", 1, 4)
    files.write(path, STATE)
    assert equal(files.read(path), STATE)
    files.write(path, {"nan": math.nan})
    assert math.isnan(files.read(path)["nan"])


@pytest.mark.parametrize("value", [object(), {"deep": [{1, 2}]}, np.array([None]), np.zeros(2, "i4,f4")])
def test_what_cannot_be_written_leaves_what_was_there(tmp_path, value):
    path = files.path_of(tmp_path, 1, 1)
    files.write(path, {"whole": 1})
    with pytest.raises(TypeError):
        files.write(path, {"value": value})
    assert files.read(path) == {"whole": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["0001-000001-000000000.ckpt"]


def test_the_last_two_epochs_and_the_ends_of_phases_are_kept(tmp_path):
    for place in [(1, 1), (1, 2), (1, 3, 7), (1, None), (2, 1), (2, 12), (2, 12, 5), (2, None), (3, 1)]:
        files.write(files.path_of(tmp_path, *place), {})
    names = [path.name for path in files.paths(tmp_path)]
    assert names == ["0003-000001-000000000.ckpt", "0002-end.ckpt", "0002-000012-000000005.ckpt", "0001-end.ckpt"]


def test_every_one_of_500_flipped_bits_is_found(tmp_path, faults):
    seed = random.SystemRandom().randrange(2**32)
    moments = random.Random(seed)
    path = files.path_of(tmp_path, 1, 1)
    files.write(path, STATE)
    whole = path.read_bytes()
    for bit in moments.sample(range(8 * len(whole)), 500):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"0001-000001-000000000\.ckpt is damaged, or of another version"):
            files.read(path)
    faults.report(f"500 flipped bits in a checkpoint, all found, seed {seed}")
    for length in (0, 1, 20, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="is damaged"):
            files.read(path)


class TestResumption:
    def write(self, tmp_path, *places):
        for phase, epoch in places:
            epochs = tuple(Epoch(number=n + 1, phase=phase, metrics={"loss": 0.5}, seconds=1.0) for n in range(epoch or 9))
            Checkpoint(phase=phase, epoch=epoch or 0, is_end=epoch is None, epochs=epochs).write(tmp_path / files.FOLDER)

    def damage(self, tmp_path, phase, epoch):
        path = files.path_of(tmp_path / files.FOLDER, phase, epoch)
        path.write_bytes(path.read_bytes()[:-1] + b"?")

    def test_goes_on_from_the_newest(self, tmp_path):
        self.write(tmp_path, (1, 3), (1, 4))
        found = Resumption(tmp_path, "digits#1")
        assert (found.target.phase, found.target.epoch, len(found.target.epochs)) == (1, 4, 4)
        assert found.target.epochs[3] == Epoch(number=4, phase=1, metrics={"loss": 0.5}, seconds=1.0)
        assert found.at(1) is found.target
        assert found.at(2) is None
        assert found.said == ["The run goes on after epoch 4."]

    def test_a_damaged_one_is_passed_over_for_the_one_before(self, tmp_path):
        self.write(tmp_path, (1, 3), (1, 4))
        self.damage(tmp_path, 1, 4)
        found = Resumption(tmp_path, "digits#1")
        assert found.target.epoch == 3
        assert found.said == [
            "A checkpoint was passed over: 0001-000004-000000000.ckpt is damaged, or of another version.",
            "The run goes on after epoch 3.",
        ]

    def test_a_phase_whose_end_is_lost_is_done_again(self, tmp_path):
        self.write(tmp_path, (1, None), (2, None), (3, 2))
        self.damage(tmp_path, 1, None)
        found = Resumption(tmp_path, "digits#1")
        assert found.at(1) is None
        assert found.said[-1] == "Phase 1 is done again: there is no checkpoint of its end."
        assert found.at(2).is_end
        assert found.at(3).epoch == 2

    def test_without_a_whole_one_that_is_said(self, tmp_path):
        with pytest.raises(OptionError, match=r"expected a checkpoint of digits#1 to go on from, received none"):
            Resumption(tmp_path, "digits#1")
        self.write(tmp_path, (1, 1), (1, 2))
        self.damage(tmp_path, 1, 1)
        self.damage(tmp_path, 1, 2)
        with pytest.raises(OptionError, match=r"received 2 damaged ones; leave --resume out to begin anew"):
            Resumption(tmp_path, "digits#1")
