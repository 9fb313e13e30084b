from __future__ import annotations

import pytest

from jupyter_mltrain.domain.events import Progress
from jupyter_mltrain.widgets.pace import Pace


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
