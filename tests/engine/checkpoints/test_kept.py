"""Which states of a run another one can begin with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.run import Epoch, Parent, Process, Run, RunStatus, TrainingResult
from jupyter_mltrain.engine.checkpoints import files
from jupyter_mltrain.engine.checkpoints.checkpoint import Checkpoint
from jupyter_mltrain.engine.checkpoints.kept import at_place, kept_states, places


def epochs(num: int, first: int = 1) -> tuple[Epoch, ...]:
    return tuple(Epoch(number=first + i, phase=1, metrics={"loss": 0.5}, seconds=0.1) for i in range(num))


@pytest.fixture
def run(tmp_path) -> Run:
    """One that died after four epochs, without a file."""
    process = Process(host="lovelace", pid=1, started=0.0)
    about = {"options": {}, "tags": {}, "note": "", "facts": {}, "failure": None, "result": None, "ended_at": None}
    return Run(
        id="d20000000000",
        name="digits",
        number=3,
        status=RunStatus.DIED,
        source="%%train digits",
        started_at=datetime.now(UTC),
        user="ada",
        process=process,
        folder=tmp_path,
        epochs=epochs(4),
        **about,
    )


def keep(run: Run, phase: int, epoch: int, num_epochs: int, step: int = 0) -> None:
    Checkpoint(phase=phase, epoch=epoch, step=step, epochs=epochs(num_epochs)).write(run.folder / files.FOLDER, "all")


def seen(run: Run) -> list[tuple[int, int, str]]:
    return [(state.epoch, state.step, state.path.name.partition(".")[0]) for state in kept_states(run)]


def completed(run: Run, best: int | None) -> Run:
    for name in ("last.keras", "best.weights.h5"):
        (run.folder / name).touch()
    result = TrainingResult(
        epochs=len(run.epochs),
        train_loss=0.5,
        val_loss=None,
        train_metrics={},
        val_metrics={},
        monitor="loss",
        best_epoch=best,
        best_score=0.5,
        best_metrics={},
        duration=1.0,
        hyperparams={},
        strategy="cpu",
        precision="float32",
        plan="epoch",
        reason="",
    )
    return replace(run, status=RunStatus.COMPLETED, result=result)


def test_epochs_are_counted_over_all_phases_and_an_end_of_one_is_no_state(run):
    keep(run, 1, 2, 2)
    Checkpoint(phase=1, epoch=0, is_end=True, epochs=epochs(2)).write(run.folder / files.FOLDER)
    keep(run, 2, 1, 3)
    keep(run, 2, 2, 4, step=7)
    assert seen(run) == [(4, 7, "0002-000002-000000007"), (3, 0, "0002-000001-000000000"), (2, 0, "0001-000002-000000000")]
    assert places(run) == ("3", "2")
    assert [state.parent(run).place for state in at_place(run, "")][:2] == ["after epoch 4 and 7 steps", "after epoch 3"]
    with pytest.raises(OptionError, match="received 4: there is the newest, within an epoch, without a number, 3, 2; --keep"):
        at_place(run, "4")


def test_epochs_of_a_fork_go_on_counting(run):
    fork = replace(run, parent=Parent(id="d1", ref="digits#1", epoch=10), epochs=epochs(4, first=11))
    keep(fork, 1, 13, 3)
    assert seen(completed(fork, 12)) == [
        (14, 0, "last"),
        (13, 0, "0001-000013-000000000"),
        (12, 0, "best"),
    ]


def test_what_knows_most_of_an_epoch_comes_first(run):
    keep(run, 1, 4, 4)
    whole = completed(run, 4)
    assert [name for _, _, name in seen(whole)] == ["0001-000004-000000000", "last", "best"]
    assert [state.has_optimizer for state in at_place(whole, "best")] == [True, True, False]
    assert places(whole) == ("4", "best")
    assert places(completed(run, None)) == ("4",)


def test_the_best_model_of_a_run_without_a_result_is_of_the_epoch_that_it_told_of(run):
    (run.folder / "best.keras").touch()
    assert seen(run) == []
    assert seen(replace(run, facts={"best_epoch": 2})) == [(2, 0, "best")]


def test_damaged_checkpoints_are_passed_over_or_found_when_they_are_looked_at(run):
    keep(run, 1, 1, 1)
    keep(run, 1, 2, 2)
    newest, oldest = files.paths(run.folder / files.FOLDER)
    newest.write_bytes(b"jupyter_mltrain checkpoint 1\n")
    oldest.write_bytes(oldest.read_bytes()[:-1] + b"?")
    (state,) = kept_states(run)
    assert state.epoch == 1
    with pytest.raises(ValueError, match="is damaged"):
        state.check()


def test_of_many_epochs_some_are_said(run):
    for epoch in range(1, 15):
        keep(run, 1, epoch, epoch)
    with pytest.raises(OptionError, match="there is 14, 13, 12, 11, 10, 9, 8, 7, 6, 5 and 4 before; --keep-checkpoints"):
        at_place(run, "20")
