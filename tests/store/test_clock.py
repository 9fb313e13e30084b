"""A clock that is set while a process works."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import sleep
from unittest.mock import Mock

import pytest
from store_samples import begin, register, some_result

from jupyter_mltrain.domain.run import RunStatus
from jupyter_mltrain.store import clock
from jupyter_mltrain.store.store import Store


def set_by(monkeypatch: pytest.MonkeyPatch, **by: float) -> None:
    monkeypatch.setattr(clock, "datetime", Mock(now=lambda zone: datetime.now(zone) + timedelta(**by)))


def test_one_that_is_set_back_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    this, real = clock.Clock(), datetime.now(UTC)
    before = this.now()
    set_by(monkeypatch, hours=-1)
    moments = [this.now() for _ in range(3)]
    assert [before, *moments] == sorted([before, *moments])
    assert moments[-1] - before <= datetime.now(UTC) - real + timedelta(seconds=0.1)
    set_by(monkeypatch, hours=1)
    assert this.now() >= real + timedelta(hours=1)
    set_by(monkeypatch, days=-2)  # it was wrong before
    assert this.now() < real


def test_a_pause_while_it_is_looked_at_does_not_set_it_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    this = clock.Clock()
    monkeypatch.setattr(clock, "datetime", Mock(now=lambda zone: (sleep(0.01), datetime.now(zone))[1]))
    this.now()
    monkeypatch.undo()
    assert this.now() <= datetime.now(UTC)


def test_a_run_and_its_model_are_of_the_time_that_passed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begin(store)
    first = register(store, run)
    set_by(monkeypatch, hours=-1)
    second = register(store, run, name="second")
    ended = store.runs.finish_run(run.id, status=RunStatus.COMPLETED, result=some_result({"loss": 0.5}))
    assert ended.ended_at
    assert run.started_at < first.created_at < second.created_at < ended.ended_at
    assert store.models.list() == (second, first)
