"""What is recorded while the store is away, locked or damaged."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from jupyter_mltrain.domain.errors import StoreAwayError, StoreError, UnknownNameError
from jupyter_mltrain.domain.events import EpochEnded, Event, FactsKnown, Notice
from jupyter_mltrain.domain.run import Epoch, Run, RunStatus
from jupyter_mltrain.services import recording
from jupyter_mltrain.services.heartbeat import heard_of
from jupyter_mltrain.services.recording import Recorder, when_it_can
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.store import heartbeats
from jupyter_mltrain.store.processes import this_process


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setattr(recording, "_SECONDS_BETWEEN_WRITES", 0.0)
    monkeypatch.setattr(recording, "_SECONDS_BETWEEN_TRIES", 0.01)
    session = Session(str(tmp_path / "home"))
    yield session
    session.close()


def begun(session: Session) -> Run:
    record: dict[str, Any] = {"source": "", "options": {}, "tags": {}, "note": "", "facts": {"seed": 7}, "user": "me"}
    return session.store.runs.create_run(name="digits", process=this_process(), **record)


def epoch(number: int) -> EpochEnded:
    return EpochEnded(epoch=Epoch(number=number, phase=1, metrics={"loss": 1 / number}, seconds=0.1), best=False)


def notices(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def wait_for(recorder: Recorder) -> None:
    assert recorder._over.wait(20)


def test_facts_are_kept_as_they_were_told_and_the_last_of_a_name_counts(session: Session) -> None:
    events: list[Event] = []
    recorder = Recorder(session.store.runs, begun(session), events.append)
    said = ["first"]
    for number in range(1, 40):
        recorder.on_event(FactsKnown(facts={"said": said, "nested": {"said": said}}))
        recorder.on_event(epoch(number))
        said.append("more")
    run = recorder.finish(status=RunStatus.COMPLETED, result=None)
    assert recorder.is_written
    assert run == session.store.runs.get("digits")
    assert run.facts == {"seed": 7, "said": said[:39], "nested": {"said": said[:39]}}
    assert ([each.number for each in run.epochs], run.status) == (list(range(1, 40)), RunStatus.COMPLETED)
    assert len(events) == 78


def test_a_locked_database_holds_no_training_up(session: Session) -> None:
    recorder = Recorder(session.store.runs, begun(session), lambda event: None)
    with closing(sqlite3.connect(session.home / "mltrain.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for number in (1, 2, 3):
            recorder.on_event(epoch(number))
        assert session.store.runs.get("digits").epochs == ()
        other.execute("ROLLBACK")
    assert len(recorder.finish(status=RunStatus.STOPPED, result=None).epochs) == 3


def test_a_database_that_is_damaged_in_the_middle_is_built_anew_and_that_is_said(session: Session) -> None:
    events: list[Event] = []
    recorder = Recorder(session.store.runs, begun(session), events.append)
    recorder.on_event(FactsKnown(facts={"model": "cnn"}))
    recorder.on_event(epoch(1))
    while not session.store.runs.get("digits").epochs:
        sleep(0.01)
    (session.home / "mltrain.db").write_bytes(b"no database" * 1000)
    recorder.on_event(epoch(2))
    while not list(session.home.glob("mltrain.db.damaged-*")):
        sleep(0.01)
    run = recorder.finish(status=RunStatus.COMPLETED, result=None)
    assert run == session.store.runs.get("digits")
    assert (run.status, len(run.epochs), run.facts) == (RunStatus.COMPLETED, 2, {"seed": 7, "model": "cnn"})
    said, over = notices(events)
    assert said.startswith("The run is kept in memory and will be written when it can be: expected a whole database, ")
    assert "runs: 1, searches: 0, model versions: 0; nothing is missing" in said
    assert over == "The run that was kept in memory is written."


def test_what_cannot_be_written_is_kept_said_and_written_when_it_can_be(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_PATIENCE", 0.3)
    events: list[Event] = []
    recorder = Recorder(session.store.runs, begun(session), events.append)
    database, away = session.home / "mltrain.db", session.home / "away"
    database.rename(away)
    database.mkdir()
    recorder.on_event(FactsKnown(facts={"model": "cnn"}))
    recorder.on_event(epoch(1))
    kept = recorder.finish(status=RunStatus.COMPLETED, result=None)
    assert not recorder.is_written
    assert (kept.status, len(kept.epochs), kept.facts) == (RunStatus.COMPLETED, 1, {"seed": 7, "model": "cnn"})
    assert kept.ended_at is not None
    (said,) = notices(events)
    assert said.startswith("The run is kept in memory and will be written when it can be: expected to read and write")
    database.rmdir()
    away.rename(database)
    wait_for(recorder)
    found = session.store.runs.get("digits")
    assert (found.status, found.epochs, found.facts) == (RunStatus.COMPLETED, kept.epochs, kept.facts)


def test_a_trouble_and_its_end_are_each_said_once(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    tries = threading.Semaphore(0)

    def full(*_: Any) -> None:
        tries.release()
        raise StoreAwayError("the disk is full")

    run = begun(session)
    monkeypatch.setattr(session.store.runs, "append_epochs", full)
    recorder = Recorder(session.store.runs, run, events.append)
    recorder.on_event(epoch(1))
    assert all(tries.acquire(timeout=20) for _ in range(3))
    for number in (2, 3):
        recorder.on_event(epoch(number))
    assert len(recorder.finish(status=RunStatus.COMPLETED, result=None).epochs) == 3
    assert notices(events) == [
        "The run is kept in memory and will be written when it can be: the disk is full.",
        "The run that was kept in memory is written.",
    ]


def test_a_run_that_is_not_there_any_more_is_an_error(session: Session) -> None:
    run = begun(session)
    recorder = Recorder(session.store.runs, run, lambda event: None)
    session.store.runs.finish_run(run.id, status=RunStatus.STOPPED, result=None)
    session.store.runs.remove([run.id])
    with pytest.raises(UnknownNameError):
        recorder.finish(status=RunStatus.COMPLETED, result=None)


def test_whoever_needs_a_record_waits_for_a_store_that_is_away(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [StoreAwayError("no server"), StoreAwayError("no server"), "written"]
    said: list[str] = []

    def write() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    assert when_it_can(write, said.append) == "written"
    assert said == ["Waited for the store: no server."]
    answers[:] = [StoreError("damaged"), "written"]
    with pytest.raises(StoreError, match="damaged"):
        when_it_can(write, said.append)
    monkeypatch.setattr(recording, "_PATIENCE", 0.0)
    answers[:] = [StoreAwayError("no server")] * 1000
    with pytest.raises(StoreAwayError, match="no server"):
        when_it_can(write, said.append)
    assert len(answers) > 990


def test_a_process_that_trains_is_heard_of(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    beats = threading.Semaphore(0)
    monkeypatch.setattr(heartbeats, "SECONDS_BETWEEN_BEATS", 0.01)
    monkeypatch.setattr(session.store.heartbeats, "beat", beats.release)
    with heard_of(session, track=True):
        assert all(beats.acquire(timeout=20) for _ in range(3))
    with heard_of(Session(str(session.home / "none")), track=False):
        assert not (session.home / "none").exists()
