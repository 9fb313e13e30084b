"""The order of steps of a training: how it is stopped, what is recorded when, what a failing store does to it."""

from __future__ import annotations

import os
import signal

import keras
import numpy as np
import pytest

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.domain.events import EpochEnded, PhaseStarted, Progress, RunEnded, TrainControl, Wish
from jupyter_mltrain.domain.spec import CellOutcome, Plan, TrainSpec
from jupyter_mltrain.engine import watch
from jupyter_mltrain.services.freeing import stands_by, where_to_go_on
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.services.training import train
from jupyter_mltrain.store.processes import this_process
from jupyter_mltrain.store.run_channel import RunChannel

X = np.random.default_rng(0).normal(size=(320, 4)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


class Cell:
    """A body that is a Python function of the model."""

    source = "%%train\nbody"

    def __init__(self, body):
        keras.utils.set_random_seed(1)
        self.body = body
        self.model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        self.model.compile(keras.optimizers.SGD(0.01), "mse")

    lacks_hp, origin = False, None

    def run(self, hp=None):
        return CellOutcome(value=self.body(self.model), assigned={"model": self.model})

    def evaluate(self, expression, option):
        return {"x, y": (X, Y)}[expression]


class StopAt(TrainControl):
    """Asks to stop at the n-th look between two steps."""

    def __init__(self, look):
        super().__init__()
        self.looks_left = look

    def poll(self):
        self.looks_left -= 1
        if self.looks_left == 0:
            self.request_stop()


@pytest.fixture
def session(tmp_path):
    session = Session(str(tmp_path / "home"))
    yield session
    session.close()


def run(session, body, *, control=None, on_event=lambda event: None, **options):
    cell = Cell(body)
    trained, value = train(session, TrainSpec(**options), cell, on_event=on_event, control=control or TrainControl())
    return trained, value, cell.model


class TestStop:
    def test_ends_after_the_running_step_and_keeps_what_there_is(self, session):
        histories = []
        stopped, _, model = run(
            session,
            lambda model: histories.append(model.fit(X, Y, epochs=9, validation_data=(X, Y))),
            control=StopAt(2 * (10 + 10) + 4),
            plan=Plan.KERAS,  # two epochs of ten steps and ten of validation, then three steps
        )
        assert stopped.status == "stopped"
        assert model.optimizer.iterations == 10 + 10 + 4
        assert [sorted(epoch.metrics) for epoch in stopped.epochs] == [["loss", "val_loss"]] * 2 + [["loss"]]
        assert stopped.result.best_epoch == 2  # the epoch without a validation is no rival
        assert len(histories[0].history["loss"]) == 3
        assert keras.models.load_model(stopped.folder / "best.keras").evaluate(X, Y, verbose=0) == pytest.approx(
            stopped.result.best_score, rel=1e-5
        )

    def test_ends_within_a_long_validation(self, session):
        stopped, _, model = run(
            session, lambda model: model.fit(X, Y, epochs=9, validation_data=(X, Y)), control=StopAt(10 + 3), plan=Plan.KERAS
        )
        assert model.optimizer.iterations == 10
        assert sorted(stopped.epochs[0].metrics) == ["loss"]

    def test_the_next_fit_of_the_body_is_not_begun(self, session):
        reached = []

        def body(model):
            model.fit(X, Y, epochs=2)
            reached.append("between")
            model.fit(X, Y, epochs=5)
            reached.append("after")

        stopped, _, _ = run(session, body, control=StopAt(3))
        assert reached == ["between"]
        assert (stopped.status, stopped.result.epochs) == ("stopped", 1)


class TestPauseWithoutMemory:
    def test_the_run_goes_on_from_there_to_the_bit_and_the_body_is_not_done_twice(self, session):
        reached = []

        def body(model):
            history = model.fit(X, Y, epochs=4)
            reached.append("after")
            return len(history.history["loss"])

        whole, _, _ = run(session, body, seed=3, name="whole")
        reached.clear()
        control = StopAt(3)
        control.request_stop = lambda: control.request(Wish.FREE)
        freed, value, _ = run(session, body, control=control, seed=3, register="net", name="cut")
        assert (freed.status, value, reached, session.store.models.names()) == ("running", None, [], ())
        assert where_to_go_on(session, freed) == {"resume": freed.id}
        spec = TrainSpec(name="cut", seed=3, register="net")
        again, value = train(
            session, spec, Cell(body), on_event=lambda event: None, control=TrainControl(), **where_to_go_on(session, freed)
        )
        assert (again.id, again.status, value, reached) == (freed.id, "completed", 4, ["after"])
        assert (again.history, session.store.models.names()) == (whole.history, ("net",))

    def test_a_run_without_a_checkpoint_begins_anew(self, session):
        control = StopAt(3)
        control.request_stop = lambda: control.request(Wish.FREE)
        freed, _, _ = run(session, lambda model: model.fit(X, Y, epochs=2), control=control, plan=Plan.KERAS)
        (begun,) = where_to_go_on(session, freed).values()
        assert (begun.id, begun.status, begun.epochs, begun.ended_at) == (freed.id, "running", (), None)

    @pytest.mark.parametrize(
        ("wish", "ends_with", "interrupts", "goes_on"),
        [
            (Wish.CONTINUE, None, [], True),
            (Wish.STOP, os.getppid(), [], True),
            (Wish.FREE, os.getpid(), [], False),
            (Wish.FREE, None, [signal.SIGTERM], False),
        ],
        ids=["continued", "stopped", "with its kernel", "terminated"],
    )
    def test_its_process_stands_by(self, session, wish, ends_with, interrupts, goes_on):
        about = {"name": "cut", "source": "", "options": {}, "tags": {}, "note": "", "facts": {}, "user": "ada"}
        freed = session.store.runs.create_run(**about, process=this_process())
        channel = RunChannel(freed.folder)
        channel.ask(wish)
        before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
        assert stands_by(session, freed, channel, interrupts, ends_with=ends_with) is goes_on
        for number, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
            signal.signal(number, handler)
        assert (session.store.runs.get(freed.id).status == "interrupted") is not goes_on


class TestEvents:
    def test_come_in_order_and_the_run_is_recorded_before_its_end_is_told(self, session):
        events = []

        def on_event(event):
            events.append(event)
            if isinstance(event, RunEnded):
                assert session.store.runs.get(event.run.id) == event.run

        trained, _, _ = run(session, lambda model: model.fit(X, Y, epochs=3), on_event=on_event, name="told")
        kinds = [type(event) for event in events if type(event) in {PhaseStarted, EpochEnded, RunEnded}]
        assert kinds == [PhaseStarted, EpochEnded, EpochEnded, EpochEnded, RunEnded]
        assert events[-1].run == trained
        started = next(event for event in events if isinstance(event, PhaseStarted))
        assert (started.num_epochs, started.num_steps, started.first_epoch) == (3, 10, 1)

    def test_progress_is_told_at_most_ten_times_a_second_and_changes_no_number(self, session, monkeypatch):
        def weights(**settings):
            for name, value in settings.items():
                monkeypatch.setattr(watch, name, value)
            events = []
            _, _, model = run(session, lambda model: model.fit(X, Y, epochs=3), seed=3, plan=Plan.KERAS, on_event=events.append)
            return [weight.numpy() for weight in model.weights], [event for event in events if isinstance(event, Progress)]

        calm, few = weights()
        watched, all_steps = weights(_SECONDS_BETWEEN_PROGRESS=0.0, _SECONDS_BETWEEN_METRICS=0.0)
        assert len(few) < len(all_steps) == 30
        assert all_steps[-1].metrics["loss"] > 0
        for ours, theirs in zip(watched, calm, strict=True):
            np.testing.assert_array_equal(ours, theirs)


class TestTroubleWithTheStore:
    def test_epochs_that_could_not_be_written_are_written_at_the_end(self, session, monkeypatch):
        append = session.store.runs.append_epochs

        def full(run_id, epochs):
            raise StoreError("the disk is full")

        monkeypatch.setattr("jupyter_mltrain.services.recording._SECONDS_BETWEEN_WRITES", 0.0)
        monkeypatch.setattr(session.store.runs, "append_epochs", full)
        trained, _, _ = run(session, lambda model: model.fit(X, Y, epochs=4))
        monkeypatch.setattr(session.store.runs, "append_epochs", append)
        assert len(session.store.runs.get(trained.id).epochs) == 4

    def test_the_files_of_a_run_whose_folder_has_gone_are_written_anew(self, session):
        def body(model):
            model.fit(X, Y)
            for folder in (session.home / "runs").iterdir():
                folder.rename(folder.with_name("gone"))

        trained, _, model = run(session, body)
        assert session.store.runs.get(trained.id).status == "completed"
        assert {file.name for file in trained.folder.glob("*.keras")} == {"best.keras", "last.keras"}
        last = keras.saving.load_model(trained.folder / "last.keras")
        assert (last.predict(X, verbose=0) == model.predict(X, verbose=0)).all()
