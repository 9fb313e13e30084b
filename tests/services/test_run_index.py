"""Runs in memory: found, ordered, and as the store has them now."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "widgets"))

from sample_home import add_run, end_run, make_runs

from jupyter_mltrain.domain.errors import UnknownNameError
from jupyter_mltrain.domain.run import Process, RunFilter, RunStatus
from jupyter_mltrain.domain.run_summary import RunOrder
from jupyter_mltrain.services.run_index import RunIndex
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.store.processes import this_process


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    session = make_runs(tmp_path / "home")
    yield session
    session.close()


@pytest.fixture
def other(session: Session) -> Iterator[Session]:
    """Another notebook's session of the same home."""
    other = Session(str(session.home))
    yield other
    other.close()


def refs(index: RunIndex, *, status: str = "", since: datetime | None = None, **order: object) -> list[str]:
    return [run.ref for run in index.find(RunOrder(**order), status=status, since=since)]  # type: ignore[arg-type]


def index_of(session: Session, **which: object) -> RunIndex:
    index = RunIndex(session, RunFilter(**which))  # type: ignore[arg-type]
    index.refresh()
    return index


def test_the_newest_are_first_unless_a_column_says_otherwise(session: Session) -> None:
    index = index_of(session)
    assert refs(index) == ["digits#3", "digits#2", "digits#1"]
    assert refs(index, sort="ref") == refs(index, sort="duration") == ["digits#1", "digits#2", "digits#3"]
    assert refs(index, sort="metrics.val_loss") == refs(index, sort="started_at", descending=True)
    assert refs(index, sort="hyperparams.optimizer", descending=True) == ["digits#3", "digits#2", "digits#1"]
    assert (list(index.metrics), list(index.hyperparams)) == (["loss", "val_loss"], ["epochs", "learning_rate", "optimizer"])


def test_runs_without_a_value_are_last_in_both_directions(session: Session) -> None:
    add_run(session, "running")
    end_run(session, add_run(session, "nan"), duration=math.nan)
    index = index_of(session)
    assert refs(index, sort="duration") == ["digits#1", "digits#2", "digits#3", "nan#1", "running#1"]
    assert refs(index, sort="duration", descending=True) == ["digits#3", "digits#2", "digits#1", "nan#1", "running#1"]


def test_values_of_several_kinds_have_an_order(session: Session) -> None:
    for value in ("auto", True, [1, 2], None):
        end_run(session, add_run(session, "odd"), hyperparams={"learning_rate": value})
    assert refs(index_of(session), sort="hyperparams.learning_rate") == [
        *("digits#3", "digits#2", "digits#1"),
        *("odd#2", "odd#3", "odd#1", "odd#4"),
    ]


def test_every_word_must_be_somewhere_in_any_capitals(session: Session) -> None:
    end_run(session, add_run(session, "net", note="Größe ÜBER 9", tags={"stage": "Draft"}), model_id="tumours@4")
    index = index_of(session)
    assert refs(index, contains="größe über") == refs(index, contains="stage=draft ADA") == ["net#1"]
    assert refs(index, contains="tumours@4 completed") == ["net#1"]
    assert refs(index, contains="digits even") == ["digits#2"]
    assert refs(index, contains="digits draft") == []
    assert refs(index, status="completed", since=datetime.now(UTC)) == refs(index, status="failed") == []


def test_a_column_that_cannot_be_is_an_error_that_helps(session: Session) -> None:
    with pytest.raises(UnknownNameError, match=r"no column named 'durtion': did you mean duration\?"):
        refs(index_of(session), sort="durtion")


def test_what_others_begin_end_and_remove_is_seen(session: Session, other: Session) -> None:
    index = index_of(session)
    assert not index.refresh()
    run = add_run(other, "theirs")
    assert index.refresh()
    assert (refs(index)[0], index.running) == ("theirs#1", (run.id,))
    end_run(other, run, status=RunStatus.STOPPED)
    assert index.refresh()
    assert refs(index, status="stopped") == ["theirs#1"]
    other.store.runs.remove(["digits#2"])
    assert index.refresh()
    assert refs(index) == ["theirs#1", "digits#3", "digits#1"]
    other.store.runs.note_model(index.find(RunOrder())[1].id, "digits@1")
    assert index.refresh([index.find(RunOrder())[1].id])
    assert refs(index, contains="digits@1") == ["digits#3"]


def test_what_a_filter_no_longer_fits_leaves(session: Session, other: Session) -> None:
    run = add_run(other, "theirs")
    index = index_of(session, status=RunStatus.RUNNING)
    assert refs(index) == ["theirs#1"]
    end_run(other, run)
    index.refresh()
    assert refs(index) == []


def test_a_run_whose_process_is_gone_has_died(session: Session, other: Session) -> None:
    index = index_of(session)
    gone = Process(host=this_process().host, pid=this_process().pid, started=1.0)
    add_run(other, "gone", process=gone)
    index.refresh()
    index.refresh()
    assert refs(index, status="died") == ["gone#1"]
