"""What a training in a process of its own tells, as it is read while it is written."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from jupyter_mltrain.domain.events import EpochEnded, FactsKnown, Notice, Paused, PhaseStarted, Progress, Wish
from jupyter_mltrain.domain.run import Epoch
from jupyter_mltrain.store import run_channel
from jupyter_mltrain.store.run_channel import RunChannel

EPOCH = Epoch(number=1, phase=1, metrics={"loss": math.inf, "mae": 0.1}, seconds=0.5)
EVENTS = [
    Notice(text="a\nline, <b> and é\u2028"),
    PhaseStarted(phase=1, num_epochs=3, num_steps=None, first_epoch=1),
    EpochEnded(epoch=EPOCH, best=True),
    Paused(paused=True),
]


def progress(step: int) -> Progress:
    return Progress(epoch=1, step=step, num_steps=9, validating=False, steps_per_second=2.5, metrics={"loss": 0.5}, memory=7)


@pytest.fixture
def channel(tmp_path: Path) -> RunChannel:
    channel = RunChannel(tmp_path)
    assert not channel.exists
    channel.begin()
    return channel


def test_events_come_back_as_they_were_in_their_order(channel: RunChannel) -> None:
    for event in EVENTS[:2]:
        channel.tell(event)
    first, position = channel.told(0)
    channel.tell(FactsKnown(facts={"seed": 1}))  # stands in the record
    for event in EVENTS[2:]:
        channel.tell(event)
    second, position = channel.told(position)
    assert [*first, *second] == EVENTS
    assert channel.told(position) == ([], position)
    assert not channel.has_ended
    channel.end()
    assert channel.has_ended
    assert channel.told(position)[0] == [None]


def test_what_cannot_be_written_comes_with_the_next(channel: RunChannel, tmp_path: Path) -> None:
    channel.tell(EVENTS[0])
    events, away = tmp_path / "events.jsonl", tmp_path / "away"
    events.rename(away)
    events.mkdir()  # whoever runs the tests may write every file
    channel.tell(EVENTS[1])
    channel.tell(EVENTS[2])
    events.rmdir()
    away.rename(events)
    channel.tell(EVENTS[3])
    assert channel.told(0)[0] == EVENTS


def test_half_a_line_is_not_read_yet_and_never_if_its_process_died(channel: RunChannel, tmp_path: Path) -> None:
    channel.tell(EVENTS[0])
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(b'{"kind":"Not')
    events, position = channel.told(0)
    assert events == EVENTS[:1]
    channel.end()
    assert channel.told(position)[0] == [None]


def test_of_progress_only_the_newest_is_kept(channel: RunChannel) -> None:
    assert channel.progress() is None
    channel.tell(progress(1))
    channel.tell(progress(2))
    assert channel.progress() == progress(2)
    assert channel.told(0) == ([], 0)


def test_wishes_arrive_once(channel: RunChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_channel, "_SECONDS_BETWEEN_LOOKS", 0)
    control = channel.control()
    control.poll()
    assert (control.stop_requested, control.pause_requested) == (False, False)
    channel.ask(Wish.PAUSE)
    control.poll()
    assert control.pause_requested
    channel.ask(Wish.CONTINUE)
    control.poll()
    assert not control.pause_requested
    channel.ask(Wish.STOP)
    control.poll()
    assert control.stop_requested


def test_what_begins_anew_was_asked_for_nothing_and_has_told_nothing(channel: RunChannel) -> None:
    channel.ask(Wish.STOP)
    channel.tell(progress(1))
    channel.end()
    channel.begin()
    control = channel.control()
    control.poll()
    assert (channel.progress(), channel.told(0)[0], channel.has_ended, control.stop_requested) == (None, [], False, False)
