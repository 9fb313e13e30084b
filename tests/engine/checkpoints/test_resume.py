"""Interrupted and resumed equals never interrupted, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from sample_fits import (
    SAMPLES,
    VALIDATION,
    Patience,
    X,
    Y,
    classifier,
    dataset_that_shuffles,
    dropout_and_noise,
    early_stopping,
    pipeline_that_shuffles,
    pipeline_without_end,
    plain,
    steps_per_epoch,
)
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.events import EpochEnded, Notice, TrainControl
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.domain.spec import CellOutcome, Plan, TrainSpec
from jupyter_mltrain.engine.checkpoints import files
from jupyter_mltrain.engine.checkpoints.checkpoint import Checkpoint
from jupyter_mltrain.engine.checkpoints.states import variables
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.services.training import train

NUM_EPOCHS = 7


class CrashError(Exception):
    """What ends a training in the middle."""


@dataclass
class Life:
    """One training, or a part of it."""

    run: Run | None = None
    models: list[Any] = field(default_factory=list)
    histories: list[Any] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    drawn: list[float] = field(default_factory=list)

    def fit(self, sample, crash_at=None, **more):
        """Do a `fit`; raise before an epoch, or before a step of one: 3, or (3, 2)."""
        model, arguments = sample()
        self.again(model, arguments, crash_at, **more)

    def again(self, model, arguments, crash_at=None, *, by_steps=False, **more):
        now = 0

        def begin(epoch, logs):
            nonlocal now
            now = epoch
            if epoch == crash_at:
                raise CrashError

        def step(batch, logs):
            if (now, batch) == crash_at:
                raise CrashError

        hooks = {"on_epoch_begin": begin, **({"on_train_batch_begin": step} if by_steps else {})}
        callbacks = [*arguments.pop("callbacks", ()), keras.callbacks.LambdaCallback(**hooks)]
        self.models.append(model)
        self.histories.append(model.fit(**{"epochs": NUM_EPOCHS, **arguments, **more}, callbacks=callbacks, verbose=0).history)


class Cell:
    source = "%%train\nbody"
    lacks_hp, origin = False, None

    def __init__(self, body):
        self.body = body

    def run(self, hp=None):
        self.body()
        return CellOutcome()


@pytest.fixture
def session(tmp_path):
    session = Session(str(tmp_path / "home"))
    yield session
    session.close()


class StopWithin(TrainControl):
    """Asks to stop at the n-th look between two blocks of steps of the second epoch."""

    def __init__(self, look):
        super().__init__()
        self.looks_left, self.life = look, None

    def poll(self):
        self.looks_left -= bool(self.life.told)
        if self.looks_left == 0:
            self.request_stop()


def live(session, body, *, resume=None, control=None, **options) -> Life:
    """Train what a body fits, given a life; it may end in a crash."""
    life = Life()
    if control:
        control.life = life

    def on_event(event):
        if isinstance(event, Notice):
            life.notices.append(event.text)
        elif isinstance(event, EpochEnded):
            life.told.append(event.epoch.number)

    spec = TrainSpec(**({} if resume else {"seed": 3, "checkpoint_every": "1 epoch", **options}))
    try:
        cell = Cell(lambda: body(life))
        life.run, _ = train(session, spec, cell, on_event=on_event, control=control or TrainControl(), resume=resume)
    except CrashError:
        pass
    return life


def leaves(tree):
    return keras.tree.flatten(tree)


def assert_same(whole: Life, resumed: Life):
    """Compare all that a training leaves: variables, histories, record."""
    assert [len(history["loss"]) for history in resumed.histories] == [len(history["loss"]) for history in whole.histories]
    assert resumed.histories == whole.histories
    for one, other in zip(resumed.models, whole.models, strict=True):
        for ours, theirs in zip(leaves(variables(one, ())), leaves(variables(other, ())), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    epochs = [(epoch.number, epoch.phase, epoch.metrics) for epoch in resumed.run.epochs]
    assert epochs == [(epoch.number, epoch.phase, epoch.metrics) for epoch in whole.run.epochs]
    for name in ("epochs", "monitor", "best_epoch", "best_score", "best_metrics", "hyperparams", "plan"):
        assert getattr(resumed.run.result, name) == getattr(whole.run.result, name), name
    assert resumed.drawn == whole.drawn


def crash_and_resume(session, sample, crash_at, **options) -> tuple[Life, Life]:
    """Return a training that nobody disturbed, and the second part of one that crashed."""
    whole = live(session, lambda life: life.fit(sample), **options)
    crashed = live(session, lambda life: life.fit(sample, crash_at), **options)
    assert crashed.run is None
    return whole, live(session, lambda life: life.fit(sample), resume="last")


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.__name__)
def test_every_kind_of_state_comes_back(session, sample):
    whole, resumed = crash_and_resume(session, sample, 3)
    assert_same(whole, resumed)
    assert resumed.notices[0] == "The run goes on after epoch 3."
    assert resumed.run.status == "completed"
    assert not (resumed.run.folder / files.FOLDER).exists()


@pytest.mark.parametrize("plan", [Plan.KERAS, Plan.BLOCK, Plan.EPOCH, Plan.EPOCH_XLA])
@pytest.mark.parametrize("crash_at", [1, 6])
def test_in_every_plan(session, plan, crash_at):
    assert_same(*crash_and_resume(session, dropout_and_noise, crash_at, plan=plan))


@pytest.mark.parametrize("plan", [Plan.KERAS, Plan.EPOCH_XLA])
@pytest.mark.parametrize("sample", [pipeline_that_shuffles, pipeline_without_end], ids=lambda sample: sample.__name__)
def test_pipelines_in_other_plans(session, sample, plan):
    assert_same(*crash_and_resume(session, sample, 3, plan=plan))


WITHIN_EPOCHS = [each for each in SAMPLES if each not in (dataset_that_shuffles, steps_per_epoch)]


@pytest.mark.parametrize("sample", WITHIN_EPOCHS, ids=lambda sample: sample.__name__)
def test_within_an_epoch_too(session, sample):
    whole = live(session, lambda life: life.fit(sample, by_steps=True), checkpoint_every="1 step")
    live(session, lambda life: life.fit(sample, (3, 2), by_steps=True), checkpoint_every="1 step")
    resumed = live(session, lambda life: life.fit(sample, by_steps=True), resume="last")
    assert resumed.notices[0] == "The run goes on after step 2 of epoch 4."
    assert_same(whole, resumed)


@pytest.mark.parametrize("plan", [Plan.BLOCK, Plan.EPOCH, Plan.EPOCH_XLA])
def test_a_stop_within_an_epoch_loses_no_step(session, plan):
    def body(life):
        rows = np.arange(12_000) % 200
        model = classifier(layers.Dense(64, "relu"), layers.Dropout(0.2))
        life.again(model, {"x": X[rows], "y": Y[rows], "batch_size": 2, "validation_data": VALIDATION}, epochs=3)

    whole = live(session, body, plan=plan)
    stopped = live(session, body, plan=plan, checkpoint_every="10 epochs", control=StopWithin(1))
    assert stopped.run.status == "stopped"
    (path,) = files.paths(stopped.run.folder / files.FOLDER)
    assert 0 < Checkpoint.read(path).step <= 6_000  # one call of `epoch-xla` may do them all
    resumed = live(session, body, resume="last")
    assert resumed.notices[0].startswith("The run goes on after step ")
    assert_same(whole, resumed)


@pytest.mark.parametrize("plan", [Plan.EPOCH, Plan.EPOCH_XLA])
def test_a_stop_whose_last_call_ends_the_epoch_leaves_only_its_validation(session, plan):
    def body(life):
        model = classifier(layers.Dense(8, "relu"), layers.Dropout(0.2))
        life.again(model, {"x": X, "y": Y, "batch_size": 40, "validation_data": VALIDATION}, epochs=4)

    whole = live(session, body, plan=plan)
    stopped = live(session, body, plan=plan, checkpoint_every="10 epochs", control=StopWithin(1))
    (path,) = files.paths(stopped.run.folder / files.FOLDER)
    assert (Checkpoint.read(path).epoch, Checkpoint.read(path).step) == (1, 5)  # all 200 rows
    assert "val_loss" not in stopped.run.epochs[-1].metrics
    assert_same(whole, live(session, body, resume="last"))


def test_steps_are_refused_where_keras_hides_its_place(session):
    with pytest.raises(OptionError, match="expected --checkpoint-every in epochs or minutes for this fit, received steps"):
        live(session, lambda life: life.fit(plain), plan=Plan.KERAS, checkpoint_every="5 steps")


def test_early_stop_of_the_line(session):
    whole, resumed = crash_and_resume(session, plain, 2, early_stop=3, monitor="val_accuracy:min")
    assert_same(whole, resumed)
    assert len(whole.run.epochs) < NUM_EPOCHS


def test_again_and_again(session):
    whole = live(session, lambda life: life.fit(dropout_and_noise))
    live(session, lambda life: life.fit(dropout_and_noise, 1))
    for crash_at in (2, 2, 5, 6):
        live(session, lambda life, crash_at=crash_at: life.fit(dropout_and_noise, crash_at), resume="run#2")
    resumed = live(session, lambda life: life.fit(dropout_and_noise), resume="run#2")
    assert resumed.told == list(range(1, NUM_EPOCHS + 1))
    assert_same(whole, resumed)


def test_a_training_that_a_callback_ended_is_not_taken_up(session):
    def body(life, crashes=False):
        life.fit(early_stopping, epochs=40)
        if crashes:
            raise CrashError

    whole = live(session, body)
    live(session, lambda life: body(life, crashes=True))
    (session.store.runs.get("run#2").folder / files.FOLDER / "0001-end.ckpt").unlink()
    resumed = live(session, body, resume="last")
    assert len(whole.run.epochs) < 40
    assert_same(whole, resumed)


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(session):
    whole = live(session, lambda life: life.fit(dropout_and_noise))
    live(session, lambda life: life.fit(dropout_and_noise, 4))
    folder = session.store.runs.get("run#2").folder / files.FOLDER
    assert [path.name for path in files.paths(folder)] == ["0001-000004-000000000.ckpt", "0001-000003-000000000.ckpt"]
    (folder / "0001-000004-000000000.ckpt").write_bytes(b"jupyter_mltrain checkpoint 1\n")
    resumed = live(session, lambda life: life.fit(dropout_and_noise), resume="last")
    assert resumed.notices[1] == "The run goes on after epoch 3."
    assert_same(whole, resumed)


def test_random_numbers_of_the_body_come_again_without_a_seed(session):
    def body(life, crash_at=None):
        rows = np.random.permutation(len(X))
        model = classifier()
        life.again(model, {"x": X[rows[:150]], "y": Y[rows[:150]], "validation_data": (X[rows[150:]], Y[rows[150:]])}, crash_at)
        life.drawn.append(float(np.random.uniform()))

    live(session, lambda life: body(life, 4), seed=None, plan=Plan.EPOCH)
    live(session, lambda life: body(life, 5), resume="last")
    resumed = live(session, body, resume="last")
    assert len(resumed.run.epochs) == NUM_EPOCHS
    assert not any("data have changed" in text for text in resumed.notices)


class TestSeveralFits:
    def body(self, life, crash_at=None, crash_in=None):
        model, arguments = dropout_and_noise()
        model.layers[0].trainable = False
        life.again(model, arguments.copy(), crash_at if crash_in == 1 else None, epochs=3)
        life.drawn += [float(np.random.uniform()), float(model.evaluate(*VALIDATION, verbose=0)[0])]
        model.layers[0].trainable = True
        model.compile(keras.optimizers.RMSprop(0.001), "sparse_categorical_crossentropy", metrics=["accuracy"])
        life.again(model, arguments.copy(), crash_at if crash_in == 2 else None, epochs=4)
        life.drawn.append(float(np.random.uniform()))
        life.again(model, arguments.copy(), crash_at if crash_in == 3 else None, epochs=5, initial_epoch=2)
        if crash_in == 4:
            raise CrashError

    @pytest.mark.parametrize(("crash_in", "crash_at"), [(1, 2), (2, 2), (3, 3), (4, None)])
    def test_those_that_are_done_are_not_done_again(self, session, crash_in, crash_at):
        whole = live(session, self.body)
        live(session, lambda life: self.body(life, crash_at, crash_in))
        resumed = live(session, self.body, resume="last")
        assert_same(whole, resumed)
        assert [epoch.phase for epoch in resumed.run.epochs] == [1] * 3 + [2] * 4 + [3] * 3

    def test_one_whose_end_is_lost_is_done_again(self, session):
        whole = live(session, self.body)
        live(session, lambda life: self.body(life, 3, 3))
        (session.store.runs.get("run#2").folder / files.FOLDER / "0002-end.ckpt").unlink()
        resumed = live(session, self.body, resume="last")
        assert "Phase 2 is done again: there is no checkpoint of its end." in resumed.notices
        assert_same(whole, resumed)


def test_tensorboard_shows_every_epoch_once(session):
    live(session, lambda life: life.fit(plain, 4), checkpoint_every="2 epochs")
    folder = session.store.runs.get("run").folder / "tensorboard"
    path = files.path_of(folder.parent / files.FOLDER, 1, 4)
    path.unlink()
    live(session, lambda life: life.fit(plain), resume="last")
    board = EventAccumulator(str(folder / "validation"), size_guidance={"tensors": 0}).Reload()
    assert [event.step for event in board.Tensors("epoch_loss")] == list(range(NUM_EPOCHS))


def test_what_cannot_be_put_back_is_said(session):
    class Open(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.log, self.seen = Path(__file__).open(), 0  # noqa: SIM115

    def batches():
        while True:
            yield X[:32], Y[:32]

    def sample():
        return classifier(), {"x": batches(), "steps_per_epoch": 2, "callbacks": [Open()]}

    live(session, lambda life: life.fit(sample, 3))
    resumed = live(session, lambda life: life.fit(sample), resume="last")
    assert resumed.notices[1:3] == [
        "The place in a Python generator cannot be put back: it begins anew.",
        "Open keeps log, which no checkpoint holds: give it get_state() and set_state(state).",
    ]


def test_a_state_that_cannot_be_written_is_said_and_the_training_goes_on(session):
    class Odd(Patience):
        def get_state(self):
            return {"iterator": self._hidden}

    done = live(session, lambda life: life.fit(lambda: (classifier(), {"x": X, "y": Y, "callbacks": [Odd()]})))
    assert len(done.run.epochs) == NUM_EPOCHS
    assert done.notices == ["The last checkpoint could not be written: range_iterator is no plain value."]


def test_other_data_are_said_and_another_model_is_refused(session):
    live(session, lambda life: life.fit(plain, 3))
    other = lambda: (classifier(), {"x": X[:100], "y": Y[:100], "validation_data": VALIDATION})  # noqa: E731
    resumed = live(session, lambda life: life.fit(other, 5), resume="last")
    assert "The data have changed since the run began: x, y." in resumed.notices
    wider = lambda: (classifier(keras.layers.Dense(9)), {"x": X, "y": Y})  # noqa: E731
    with pytest.raises(Exception, match=r"expected model 'sequential\w*', .* with shape \(6, 8\), received \(6, 9\)"):
        live(session, lambda life: life.fit(wider), resume="last")
    assert session.store.runs.get("run").status == "failed"
