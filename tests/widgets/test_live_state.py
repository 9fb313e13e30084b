from __future__ import annotations

import json
import math

from sample_runs import make_run

from jupyter_mltrain.domain.events import (
    EngineChosen,
    EngineStarting,
    EpochEnded,
    Event,
    Notice,
    PhaseStarted,
    Progress,
    RunEnded,
)
from jupyter_mltrain.domain.run import Epoch, RunStatus
from jupyter_mltrain.widgets.live_state import LiveState


def phase(*, num_epochs: int = 10, number: int = 1, first_epoch: int = 1) -> PhaseStarted:
    return PhaseStarted(phase=number, num_epochs=num_epochs, num_steps=50, first_epoch=first_epoch)


def progress(epoch: int, step: int, **metrics: float) -> Progress:
    return Progress(
        epoch=epoch, step=step, num_steps=50, validating=False, steps_per_second=123.456, metrics=metrics, memory=1_234_567_890
    )


def epoch_ended(number: int, *, best: bool = False, **metrics: float) -> EpochEnded:
    return EpochEnded(epoch=Epoch(number=number, phase=1, metrics=metrics, seconds=2.0), best=best)


def told(*events: Event) -> LiveState:
    state = LiveState("run", clock=lambda: 0.0)
    for event in events:
        state.apply(event)
    return state


def test_says_what_happens_before_the_first_step() -> None:
    state = LiveState("run")
    assert (state.snapshot()["name"], state.snapshot()["doing"]) == ("run", "Starting…")
    state.apply(EngineStarting(name="digits"))
    assert (state.snapshot()["name"], state.snapshot()["doing"]) == ("digits", "Starting TensorFlow…")
    state.apply(EngineChosen(strategy="cpu", precision="float32", plan="keras", reason="CPU: this machine has no GPU."))
    assert state.snapshot()["reason"] == "CPU: this machine has no GPU. Precision float32, plan keras."
    assert state.snapshot()["doing"] == "Preparing the model and its data…"
    state.apply(phase())
    assert state.snapshot()["doing"] == "Preparing the first step…"
    state.apply(progress(1, 1))
    assert state.snapshot()["doing"] == ""


def test_says_where_the_training_is() -> None:
    shown = told(phase(), epoch_ended(1), epoch_ended(2), progress(3, 25, loss=0.123456789)).snapshot()
    assert (shown["epoch"], shown["last_epoch"], shown["step"], shown["num_steps"]) == (3, 10, 25, 50)
    assert (shown["part"], shown["whole"]) == (0.5, 0.25)
    assert (shown["epoch_left"], shown["left"]) == (2, 16)
    assert (shown["rate"], shown["memory"], shown["metrics"]) == (123, 1_230_000_000, {"loss": 0.12346})


def test_an_epoch_that_has_ended_is_whole() -> None:
    shown = told(phase(), progress(1, 49), epoch_ended(1)).snapshot()
    assert (shown["epoch"], shown["part"], shown["whole"], shown["left"]) == (1, 1, 0.1, 18)


def test_a_second_phase_counts_its_epochs_on() -> None:
    shown = told(phase(num_epochs=2), epoch_ended(1), epoch_ended(2), phase(number=2, num_epochs=4, first_epoch=3)).snapshot()
    assert (shown["phase"], shown["epoch"], shown["last_epoch"], shown["whole"]) == (2, 3, 6, 0)
    assert "left" in shown
    assert shown["left"] is None


def test_a_phase_without_epochs_is_no_trouble() -> None:
    shown = told(phase(num_epochs=0)).snapshot()
    assert (shown["epoch"], shown["last_epoch"], shown["whole"]) == (1, 0, 0)


def test_the_newest_best_epoch_is_kept() -> None:
    state = told(phase(), epoch_ended(1, best=True), epoch_ended(2, best=True), epoch_ended(3))
    assert state.snapshot()["best"] == 2


def test_a_delta_holds_only_what_is_new() -> None:
    state = told(phase(), progress(1, 1, loss=2.0))
    first = state.delta()
    assert first is not None
    assert first.items() >= {"seq": 1, "name": "run", "step": 1, "metrics": {"loss": 2.0}}.items()
    assert state.delta() is None
    state.apply(progress(1, 2, loss=2.0))
    assert state.delta() == {"seq": 2, "step": 2, "part": 0.04, "whole": 0.004, "epoch_left": 0.39}


def test_no_epoch_is_lost_between_deltas() -> None:
    state = told(phase(num_epochs=1000))
    for number in range(1, 701):
        state.apply(epoch_ended(number, loss=1 / number))
    delta = state.delta()
    assert delta is not None
    assert [number for number, _ in delta["epochs"]] == list(range(1, 701))
    state.apply(epoch_ended(701, loss=0.5))
    assert (state.delta() or {})["epochs"] == [(701, {"loss": 0.5})]


def test_a_snapshot_is_thinned_evenly_and_keeps_both_ends() -> None:
    state = told(phase(num_epochs=5000), *(epoch_ended(number, loss=1.0) for number in range(1, 4001)))
    numbers = [number for number, _ in state.snapshot()["epochs"]]
    assert numbers == [*range(1, 4000, 10), 4000]


def test_a_snapshot_has_the_number_of_the_delta_it_contains() -> None:
    state = told(phase())
    assert state.snapshot()["seq"] == 0
    state.delta()
    assert state.snapshot()["seq"] == 1


def test_notices_are_all_kept() -> None:
    state = told(Notice(text="one"))
    state.delta()
    state.apply(Notice(text="two"))
    assert (state.delta() or {})["notices"] == ["one", "two"]


def test_what_json_has_not_is_left_out() -> None:
    state = told(phase(), progress(1, 1, loss=math.inf), epoch_ended(1, loss=math.nan))
    shown = json.loads(json.dumps(state.snapshot(), allow_nan=False))
    assert shown["metrics"] == {"loss": None}
    assert shown["epochs"] == [[1, {"loss": None}]]


def test_says_how_the_run_ended() -> None:
    shown = told(phase(), RunEnded(run=make_run(status=RunStatus.STOPPED))).snapshot()
    assert (shown["doing"], shown["ended"]) == ("Stopped.", True)


def test_the_first_word_on_the_end_stays() -> None:
    state = LiveState("run")
    state.stop()
    state.end("Stopped.")
    state.end()
    assert state.snapshot().items() >= {"stopping": True, "ended": True, "doing": "Stopped."}.items()
