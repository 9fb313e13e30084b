from __future__ import annotations

import pytest

from jupyter_mltrain.domain.events import Progress
from jupyter_mltrain.widgets.pace import Pace, SearchPace


def progress(*, step: int = 10, num_steps: int | None = 50, rate: float = 5.0, validating: bool = False) -> Progress:
    return Progress(epoch=1, step=step, num_steps=num_steps, validating=validating, steps_per_second=rate, metrics={}, memory=0)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(clock)


def test_before_the_first_step_nothing_is_said(pace: Pace) -> None:
    assert pace.epoch_seconds(None) is None
    assert pace.left_in_epoch(None) is None


def test_the_first_epoch_is_judged_by_its_steps(pace: Pace) -> None:
    assert pace.epoch_seconds(progress()) == 10
    assert pace.left_in_epoch(progress()) == 8


@pytest.mark.parametrize("unknown", [progress(num_steps=None), progress(rate=0.0)])
def test_steps_without_number_or_rate_say_nothing(pace: Pace, unknown: Progress) -> None:
    assert pace.epoch_seconds(unknown) is None
    assert pace.left_in_epoch(unknown) is None


def test_how_long_the_first_validation_takes_is_not_known(pace: Pace) -> None:
    assert pace.left_in_epoch(progress(validating=True)) is None


def test_later_epochs_are_judged_by_those_before(pace: Pace, clock: Clock) -> None:
    for seconds in (30.0, 4.0, 4.0):
        pace.end_epoch(seconds)
    clock.now += 1.5
    assert pace.epoch_seconds(progress()) == 4
    assert pace.left_in_epoch(progress()) == 2.5
    clock.now += 60
    assert pace.left_in_epoch(progress()) == 0
    assert pace.epoch_seconds(progress()) == 61.5


def test_a_new_phase_starts_anew(pace: Pace, clock: Clock) -> None:
    pace.end_epoch(4.0)
    pace.start_phase()
    assert pace.epoch_seconds(None) is None
    assert pace.left_in_epoch(progress(step=25)) == 5


@pytest.fixture
def search(clock: Clock) -> SearchPace:
    return SearchPace(clock)


def run_trials(search: SearchPace, clock: Clock, *seconds: float) -> None:
    for number, lasts in enumerate(seconds, 1):
        search.start_trial(number)
        clock.now += lasts
        search.end_trial(number)


def test_before_a_trial_has_ended_nothing_is_said_of_the_search(search: SearchPace) -> None:
    search.start_trial(1)
    assert search.left(9) is None


def test_trials_to_come_take_the_mean_of_those_before_and_the_first_is_soon_forgotten(search: SearchPace, clock: Clock) -> None:
    run_trials(search, clock, 60)
    assert search.left(2) == 120
    run_trials(search, clock, 2, 4)
    assert search.left(10) == 30


def test_old_trials_are_forgotten(search: SearchPace, clock: Clock) -> None:
    run_trials(search, clock, *[10] * 20, *[2] * 10)
    assert search.left(5) == 10


def test_the_running_trial_counts_by_what_is_left_of_it(search: SearchPace, clock: Clock) -> None:
    run_trials(search, clock, 10)
    search.start_trial(2)
    clock.now += 4
    assert search.left(1) == 16
    clock.now += 100
    assert search.left(1) == 10


def test_trials_side_by_side_share_the_work_but_the_last_one_has_to_end(search: SearchPace, clock: Clock) -> None:
    for number in (1, 2):
        search.start_trial(number)
    clock.now += 10
    for number in (1, 2):
        search.end_trial(number)
    assert search.left(6) == 30
    search.start_trial(3)
    assert search.left(0) == 10


def test_the_end_of_a_trial_that_never_began_tells_nothing(search: SearchPace) -> None:
    search.end_trial(7)
    assert search.left(1) is None


def test_a_pause_does_not_count(pace: Pace, clock: Clock) -> None:
    pace.end_epoch(10)
    clock.now += 4
    pace.pause(paused=True)
    clock.now += 100
    assert (pace.epoch_seconds(None), pace.left_in_epoch(None)) == (10, 6)
    pace.pause(paused=False)
    clock.now += 1
    assert pace.left_in_epoch(None) == 5
