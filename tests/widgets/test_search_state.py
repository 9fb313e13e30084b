from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from sample_searches import failed, make_large_search, make_search, make_trial, pruned

from jupyter_mltrain.domain.events import (
    EngineChosen,
    EngineStarting,
    EpochEnded,
    FactsKnown,
    Notice,
    PhaseStarted,
    Progress,
    SearchEnded,
    SearchEvent,
    SearchStarted,
    TrialEnded,
    TrialEvent,
    TrialStarted,
)
from jupyter_mltrain.domain.run import Epoch, Run, RunStatus
from jupyter_mltrain.domain.search import Objective
from jupyter_mltrain.widgets.search_state import SearchState

ACCURACY = (Objective(metric="val_accuracy", direction="max"),)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def started(num_trials: int | None = 20, trials: tuple[Run, ...] = ()) -> SearchStarted:
    return SearchStarted(
        name="<b>digits</b>", num_trials=num_trials, objectives=ACCURACY, oracle="tpe", prune="auto", trials=trials
    )


def begin(number: int, **values: Any) -> TrialStarted:
    return TrialStarted(number=number, values=values)


def end(run: Run) -> TrialEnded:
    return TrialEnded(run=run, best=False)


def phase(number: int) -> TrialEvent:
    return TrialEvent(number=number, event=PhaseStarted(phase=1, num_epochs=4, num_steps=50, first_epoch=1))


def epoch(number: int, epoch: int, **metrics: float) -> TrialEvent:
    ended = EpochEnded(epoch=Epoch(number=epoch, phase=1, metrics=metrics, seconds=1.0), best=True)
    return TrialEvent(number=number, event=ended)


def step(number: int, step: int, **metrics: float) -> TrialEvent:
    progress = Progress(epoch=1, step=step, num_steps=50, validating=False, steps_per_second=10.0, metrics=metrics, memory=10**9)
    return TrialEvent(number=number, event=progress)


def told(*events: SearchEvent, clock: Any = lambda: 0.0) -> SearchState:
    state = SearchState("search", clock=clock)
    for event in events:
        state.apply(event)
    return state


def delta(state: SearchState) -> dict[str, Any]:
    return state.delta() or {}


def test_says_what_happens_before_the_first_trial() -> None:
    state = SearchState("search")
    assert (state.snapshot()["name"], state.snapshot()["doing"]) == ("search", "Starting…")
    state.apply(EngineStarting(name="digits"))
    assert (state.snapshot()["name"], state.snapshot()["doing"]) == ("digits", "Starting TensorFlow…")
    state.apply(started())
    assert state.snapshot()["doing"] == "Preparing the first trial…"
    assert state.snapshot()["objectives"] == [("val_accuracy", "max")]
    assert state.snapshot()["algorithm"] == "oracle tpe, pruning auto"
    state.apply(begin(1))
    assert state.snapshot()["doing"] == ""


def test_a_trial_comes_when_it_begins_and_again_when_it_has_ended_and_no_other_with_it() -> None:
    state = told(started(), begin(1, units=16))
    assert delta(state)["trials"] == [{"number": 1, "status": "running", "values": {"units": 16}}]
    assert state.delta() is None
    state.apply(end(make_trial(1, 0.912345678, {"units": 16})))
    assert delta(state)["trials"] == [
        {
            "number": 1,
            "status": "completed",
            "values": {"units": 16},
            "scores": {"val_accuracy": 0.912346},
            "epochs": 4,
            "seconds": 4.21,
            "best": True,
        }
    ]
    state.apply(begin(2))
    assert [row["number"] for row in delta(state)["trials"]] == [2]


def test_trials_that_are_told_twice_or_without_a_beginning_count_once() -> None:
    state = told(started(), begin(1), begin(1), end(make_trial(1, 0.9)), end(make_trial(1, 0.9)), end(make_trial(2, 0.8)))
    rows = state.snapshot()["trials"]
    assert [(row["number"], row["status"], row["best"]) for row in rows] == [(1, "completed", True), (2, "completed", False)]


def test_an_event_of_a_trial_that_does_not_run_is_passed_over() -> None:
    state = told(started(), epoch(7, 1, loss=0.5), begin(1), end(make_trial(1, 0.9)), epoch(1, 9, loss=0.1))
    assert state.snapshot()["trial"]["epochs"] == []


def test_the_best_is_one_that_was_not_cut_short_and_the_earlier_of_equal_ones() -> None:
    state = told(started(), end(pruned(1, 0.99)))
    assert state.snapshot()["best"] == 1
    for trial in (make_trial(2, 0.5), failed(3), make_trial(4, 0.7), make_trial(5, 0.7), pruned(6, 0.9)):
        state.apply(end(trial))
    assert state.snapshot()["best"] == 4
    assert [row["number"] for row in state.snapshot()["trials"] if row["best"]] == [1, 2, 4]


def test_a_resumed_search_has_its_trials_and_goes_on_from_their_best() -> None:
    state = told(started(trials=(make_trial(1, 0.9), make_trial(2, 0.95))), begin(3), end(make_trial(3, 0.92)))
    assert (state.snapshot()["best"], len(delta(state)["trials"])) == (2, 3)


def test_the_training_of_the_newest_running_trial_is_shown_whole_once_and_then_what_is_new() -> None:
    state = told(started(), begin(1), phase(1), epoch(1, 1, loss=0.5))
    assert delta(state)["trial"].items() >= {"number": 1, "epochs": [(1, {"loss": 0.5})], "last_epoch": 4}.items()
    state.apply(epoch(1, 2, loss=0.4))
    assert delta(state)["trial"]["epochs"] == [(2, {"loss": 0.4})]
    state.apply(step(1, 3, loss=0.3))
    assert "epochs" not in delta(state)["trial"]
    assert "trial" not in delta(state)


def test_side_by_side_the_newest_is_shown_and_an_older_one_again_when_that_has_ended() -> None:
    state = told(started(), begin(1), phase(1), epoch(1, 1, loss=0.5), begin(2), phase(2))
    assert delta(state)["trial"]["number"] == 2
    state.apply(epoch(1, 2, loss=0.4))
    assert "trial" not in delta(state)
    state.apply(end(make_trial(2, 0.5)))
    assert delta(state)["trial"].items() >= {"number": 1, "epochs": [(1, {"loss": 0.5}), (2, {"loss": 0.4})]}.items()


def test_a_trial_that_begins_again_is_shown_from_its_beginning() -> None:
    state = told(started(), begin(1), phase(1), epoch(1, 1, loss=0.5))
    delta(state)
    state.apply(begin(1))
    assert delta(state)["trial"].items() >= {"number": 1, "seq": 0, "epochs": []}.items()


def test_between_two_trials_the_last_one_stays() -> None:
    state = told(started(), begin(1), phase(1), epoch(1, 1, loss=0.5))
    delta(state)
    state.apply(end(make_trial(1, 0.5)))
    assert "trial" not in delta(state)
    assert state.snapshot()["trial"].items() >= {"number": 1, "epochs": [(1, {"loss": 0.5})]}.items()


def test_a_snapshot_has_the_number_of_the_delta_it_contains_and_all_trials() -> None:
    state = told(started(), begin(1))
    assert state.snapshot()["seq"] == 0
    delta(state)
    state.apply(end(make_trial(1, 0.5)))
    state.apply(begin(2))
    assert delta(state)["seq"] == 2
    assert state.snapshot()["seq"] == 2
    assert [row["number"] for row in state.snapshot()["trials"]] == [1, 2]


def test_the_time_left_is_that_of_the_trials_to_come() -> None:
    clock = Clock()
    state = told(started(num_trials=12), clock=clock)
    assert state.snapshot()["left"] is None
    for number in (1, 2):
        state.apply(begin(number))
        clock.now += 3
        state.apply(end(make_trial(number, 0.5)))
    assert state.snapshot()["left"] == 30
    state.apply(begin(3))
    clock.now += 1
    assert state.snapshot()["left"] == 29
    assert told(started(num_trials=None), begin(1), end(make_trial(1, 0.5))).snapshot()["left"] is None


@pytest.mark.parametrize(("num_trials", "left"), [(None, [60, 57, 0]), (12, [60, 33, 0])])
def test_the_time_left_is_never_more_than_that_of_the_search(num_trials, left) -> None:
    clock = Clock()
    state = told(replace(started(num_trials=num_trials), max_time=60.0), clock=clock)
    found = [state.snapshot()["left"]]
    state.apply(begin(1))
    clock.now += 3
    state.apply(end(make_trial(1, 0.5)))
    found.append(state.snapshot()["left"])
    clock.now += 70
    assert [*found, state.snapshot()["left"]] == left


def test_what_pruning_saved_is_shown_as_it_becomes_known() -> None:
    state = told(started(), FactsKnown(facts={"seconds_saved": 12.345}), FactsKnown(facts={"seed": 7}))
    assert state.snapshot()["saved"] == 12


def test_a_failed_trial_says_why_on_one_line() -> None:
    state = told(started(), begin(3), end(failed(3, "ResourceExhaustedError", "out of memory\nin Dense" + "x" * 1000)))
    assert state.snapshot()["failure"].startswith("Trial 3 failed: ResourceExhaustedError: out of memory↵in Dense")
    assert len(state.snapshot()["failure"]) < 330


def test_what_every_trial_says_is_kept_once_and_not_without_end() -> None:
    state = told(started(), Notice(text="one"), begin(1), begin(2))
    for number in (1, 2):
        state.apply(TrialEvent(number=number, event=Notice(text="two")))
    assert state.snapshot()["notices"] == ["one", "two"]
    for number in range(100):
        state.apply(TrialEvent(number=1, event=Notice(text=f"notice {number}")))
    assert len(state.snapshot()["notices"]) == 12


def test_values_and_scores_become_what_json_has() -> None:
    values = {"a": None, "b": True, "c": 3, "d": 0.123456789, "e": math.inf, "f": "x" * 1000, "g": (1, 2), "h": "<script>"}
    state = told(started(), begin(1, **values), end(make_trial(1, {"val_accuracy": math.nan}, values)))
    (row,) = json.loads(json.dumps(state.snapshot(), allow_nan=False))["trials"]
    assert row["values"].pop("f") == "x" * 59 + "…"
    assert row["values"] == {"a": None, "b": True, "c": 3, "d": 0.123457, "e": "inf", "g": "1, 2", "h": "<script>"}
    assert row["scores"] == {"val_accuracy": None}


def test_the_message_of_a_trial_is_small_and_does_not_grow() -> None:
    state = told(started(num_trials=200))
    sizes = []
    for trial in make_large_search(200).trials:
        assert trial.trial is not None
        state.apply(begin(trial.trial.number, **trial.trial.values))
        chosen = EngineChosen(strategy="cpu", precision="float32", plan="xla", reason="CPU: this machine has no GPU.")
        state.apply(TrialEvent(number=trial.trial.number, event=chosen))
        state.apply(phase(trial.trial.number))
        for number in range(1, 5):
            state.apply(epoch(trial.trial.number, number, loss=0.1, accuracy=0.9, val_loss=0.1, val_accuracy=0.9))
        state.apply(end(trial))
        sizes.append(len(json.dumps(delta(state))))
    assert max(sizes) < 2000
    assert max(sizes[-20:]) < 1.2 * max(sizes[20:40])


def test_says_how_the_search_ended() -> None:
    state = told(started(), SearchEnded(search=make_search(status=RunStatus.STOPPED)))
    state.end()
    assert state.snapshot().items() >= {"doing": "Stopped.", "ended": True}.items()
