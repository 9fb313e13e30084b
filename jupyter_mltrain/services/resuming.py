"""Resume: what a run that was cut short goes on from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.run import Run, RunStatus
from jupyter_mltrain.domain.spec import Cell, TrainSpec
from jupyter_mltrain.services.runs import get_run
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.store.processes import this_process

if TYPE_CHECKING:
    from jupyter_mltrain.engine.checkpoints.checkpoint import Resumption

LAST = "last"


def resumed(session: Session, ref: str, spec: TrainSpec, cell: Cell) -> tuple[Run, TrainSpec, Resumption]:
    """Record that a run goes on in this process.

    Args:
        session: where it is recorded.
        ref: names the run; `last` is the newest.
        spec: what the line asks for besides.
        cell: the body that goes on.

    Returns:
        the run, with the options that it began with, and where it goes on.

    Raises:
        UnknownNameError: there is no such run.
        StoreError: its files are on another machine, and not in the shared folder.
        OptionError: it is completed, a trial, at work in another process, or without a checkpoint; or the line asks for
            other options than it began with.
    """
    run = check_resumable(session, ref, spec)
    spec = spec.going_on(run.options)
    from jupyter_mltrain.engine.checkpoints.checkpoint import Resumption

    resumption = Resumption(run.folder, run.ref, run.parent.epoch if run.parent else 0)
    if run.source.partition("\n")[2] != cell.source.partition("\n")[2]:
        resumption.said.append(
            f"The cell has changed since {run.ref} began; its earlier epochs were trained with the former one."
        )
    run = session.store.runs.resume_run(run.id, this_process(), num_epochs=resumption.num_epochs)
    session.store.artifacts.has_changed(run)
    return run, spec, resumption


def check_resumable(session: Session, ref: str, spec: TrainSpec) -> Run:
    """Return the run that is to go on, as far as the record tells whether it can; see `resumed`."""
    if not spec.track or spec.dry_run:
        other = "--dry-run" if spec.dry_run else "--no-track"
        raise OptionError(f"expected --resume or {other}, received both: leave one out")
    run = get_run(session, None if ref == LAST else ref)
    if run.trial:
        raise OptionError(
            f"expected a run of %%train for --resume, received the trial {run.ref}: "
            f"%%tune --resume {run.trial.search} does it again"
        )
    if run.status is RunStatus.COMPLETED:
        raise OptionError(
            f"expected a run that was cut short for --resume, received {run.ref}, which is completed: "
            "leave --resume out for a new run"
        )
    session.store.runs.check_free(run.id, this_process())
    spec.going_on(run.options)
    session.store.artifacts.bring_run(run)
    return run
