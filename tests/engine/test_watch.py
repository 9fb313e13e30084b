"""What the engine's own callbacks tell between two calls."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from jupyter_mltrain.domain.events import Paused, Progress, TrainControl, Wish
from jupyter_mltrain.engine import watch
from jupyter_mltrain.engine.best import BestEpoch
from jupyter_mltrain.engine.interrupts import Interrupts


@pytest.mark.parametrize("steps_of_a_call", [1, 40, 100], ids=["a step", "a block", "the whole epoch"])
@pytest.mark.parametrize("validation_seconds", [0.0, 9.0])
def test_the_speed_is_that_of_the_steps_without_tracing_and_validation(monkeypatch, steps_of_a_call, validation_seconds):
    clock, told = SimpleNamespace(now=0.0), []
    monkeypatch.setattr(watch, "perf_counter", lambda: clock.now)
    state = watch.RunState(
        on_event=told.append, control=TrainControl(), interrupts=Interrupts(), best=BestEpoch(None, None), allow_nan=False
    )
    seen = watch.StepWatch(state, num_epochs=4)
    strategy = SimpleNamespace(num_replicas_in_sync=2)  # so that no metrics are read
    seen.set_model(SimpleNamespace(stop_training=False, stop_evaluating=False, distribute_strategy=strategy))
    seen.set_params({"steps": 100})
    seen.on_train_begin()
    for epoch in range(4):
        seen.on_epoch_begin(epoch)
        for step in range(0, 100, steps_of_a_call):
            seen.on_train_batch_begin(step)
            is_traced = epoch == step == 0
            clock.now += 5.0 if is_traced else 0.02 * min(steps_of_a_call, 100 - step)
        if validation_seconds:
            seen.on_test_begin()
            seen.on_test_batch_begin(0)
            clock.now += validation_seconds
        seen.on_epoch_end(epoch)
    speeds = [event.steps_per_second for event in told if isinstance(event, Progress)]
    assert speeds[-1] == pytest.approx(50)


def test_a_pause_waits_is_told_and_takes_no_time_of_the_training(monkeypatch):
    clock, told, control = SimpleNamespace(now=0.0), [], TrainControl()

    def sleep(seconds):
        clock.now += 10.0
        if clock.now > 25:
            control.request(Wish.CONTINUE)

    monkeypatch.setattr(watch, "perf_counter", lambda: clock.now)
    monkeypatch.setattr(watch, "sleep", sleep)
    state = watch.RunState(
        on_event=told.append, control=control, interrupts=Interrupts(), best=BestEpoch(None, None), allow_nan=False
    )
    control.request(Wish.PAUSE)
    assert state.poll() is False
    assert told == [Paused(paused=True), Paused(paused=False)]
    assert (clock.now, state.seconds_paused, state.now()) == (30.0, 30.0, 0.0)
    control.request(Wish.PAUSE)
    control.request_stop()
    assert state.poll() is True
    assert clock.now == 30.0
