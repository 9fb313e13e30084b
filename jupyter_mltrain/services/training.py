"""Train: the order of steps from a spec and a cell to a recorded run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.domain.errors import MLTrainError, StoreError
from jupyter_mltrain.domain.events import EngineStarting, Notice, OnEvent, RunEnded, TrainControl
from jupyter_mltrain.domain.run import Failure, Run, RunStatus, TrainingOutcome, TrainingResult
from jupyter_mltrain.domain.spec import Cell, TrainSpec
from jupyter_mltrain.engine.interrupts import Interrupts
from jupyter_mltrain.services.forking import fork_of, parent_of
from jupyter_mltrain.services.heartbeat import heard_of
from jupyter_mltrain.services.hyperparameters import trial_values
from jupyter_mltrain.services.origins import keep_origin
from jupyter_mltrain.services.recording import Recorder
from jupyter_mltrain.services.resuming import resumed
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.services.untracked import untracked_run
from jupyter_mltrain.services.uploading import begin_upload, finish_upload
from jupyter_mltrain.services.user import user_name
from jupyter_mltrain.store.clock import now
from jupyter_mltrain.store.processes import this_process
from jupyter_mltrain.store.run_id import new_run_id

if TYPE_CHECKING:
    from jupyter_mltrain.engine.checkpoints.checkpoint import Resumption
    from jupyter_mltrain.store.model_store import ModelStore

_DEFAULT_NAME = "run"


def train(
    session: Session,
    spec: TrainSpec,
    cell: Cell,
    *,
    on_event: OnEvent,
    control: TrainControl,
    resume: str | None = None,
    begun: Run | None = None,
) -> tuple[Run, Any]:
    """Run a cell as one training and record it.

    Args:
        session: where to record.
        spec: what the line asks for.
        cell: the body and its namespace.
        on_event: told what happens, in this thread.
        control: asked between two steps whether to end; where that end is a pause, the run stays running.
        resume: a run to go on with, from its newest checkpoint; `last` is the newest; None for a new run.
        begun: the new run, where that is recorded already.

    Returns:
        the run, and the value of the cell's last expression (None where that is the model or its history).

    Raises:
        MLTrainError: what was asked cannot be done; the run is recorded as failed.
        Exception: whatever the body raises, unchanged; the run is recorded as failed, or as interrupted.
    """
    with Interrupts() as interrupts, heard_of(session, track=spec.track):
        resumption, later = None, None
        if resume:
            run, spec, resumption = resumed(session, resume, spec, cell)
        else:
            run, later = (begun, None) if begun else _created(session, spec, cell)
        recorder = Recorder(session.store.runs, run, on_event, later) if spec.track else None
        try:
            outcome = _train(
                session,
                spec,
                cell,
                run,
                on_event=recorder.on_event if recorder else on_event,
                control=control,
                interrupts=interrupts,
                resumption=resumption,
            )
            if control.free_requested and outcome.status is RunStatus.STOPPED:  # it is only paused
                outcome = replace(outcome, status=RunStatus.RUNNING)
            run = _ended(session, spec, run, outcome, recorder=recorder, interrupts=interrupts)
        except BaseException as error:  # whatever ends a run is recorded, and goes on
            if recorder:
                record_failure(recorder.finish, error)
                begin_upload(session, run)
            raise
        if recorder and recorder.is_written:
            begin_upload(session, run)
            finish_upload(session, on_event)
    run = replace(run, predictor=outcome.predictor)
    on_event(RunEnded(run=run))
    return run, outcome.value


def _train(
    session: Session,
    spec: TrainSpec,
    cell: Cell,
    run: Run,
    *,
    on_event: OnEvent,
    control: TrainControl,
    interrupts: Interrupts,
    resumption: Resumption | None,
) -> TrainingOutcome:
    on_event(EngineStarting(name=run.name))
    from jupyter_mltrain.engine.trainer import train as engine_train

    folder = run.folder if spec.track else None
    values = trial_values(session, spec.hp, spec.name) if spec.hp and not resumption else None
    fork = fork_of(session, run.parent, spec) if run.parent and not (resumption and resumption.has(1)) else None
    if fork and fork.hp and values is None and not resumption:
        values = fork.hp
        on_event(Notice(text=f"The hyperparameters are those of {fork.parent.ref}."))
    return engine_train(
        spec,
        cell,
        folder=folder,
        on_event=on_event,
        control=control,
        interrupts=interrupts,
        values=values,
        resumption=resumption,
        num_before=run.parent.epoch if run.parent else 0,
        fork=fork,
    )


def _ended(
    session: Session, spec: TrainSpec, run: Run, outcome: TrainingOutcome, *, recorder: Recorder | None, interrupts: Interrupts
) -> Run:
    """Record the end, or of a run that is only paused how far it is, when its files are there and its model is registered."""
    if recorder is None:
        return replace(run, status=outcome.status, result=outcome.result, ended_at=now())
    models = session.store.models  # of this home, whichever is set when it is written
    interrupts.received = False  # by which the training may have ended; a further one ends the wait for the store
    run = recorder.finish(
        status=outcome.status,
        result=outcome.result,
        completed=lambda: _with_files(models, spec, recorder.run, outcome),
        is_in_a_hurry=lambda: interrupts.received,
    )
    if spec.keep_checkpoints is None and recorder.is_written:
        _discard_checkpoints(run)
    return run


def _discard_checkpoints(run: Run) -> None:
    """Remove what nobody goes on from."""
    if run.status is RunStatus.COMPLETED:
        from jupyter_mltrain.engine.checkpoints.files import discard

        discard(run.folder)


def _created(session: Session, spec: TrainSpec, cell: Cell) -> tuple[Run, Callable[[], Run] | None]:
    """Record that a run begins; where that cannot be written, return the run nevertheless, and what records it later."""
    try:
        return create(session, spec, cell), None
    except StoreError:
        here = session.again()
        run_id = new_run_id()
        run = replace(untracked_run(session.home / "runs" / run_id, **_about(session, spec, cell)), id=run_id)
        return run, lambda: create(here, spec, cell, unrecorded=run)


def create(session: Session, spec: TrainSpec, cell: Cell, *, unrecorded: Run | None = None) -> Run:
    """Record that a run begins in this process, or has begun when that could not be recorded.

    Raises:
        UnknownNameError, OptionError, ModelFileError: there is nothing that it could be forked from.
        StoreError: it cannot be recorded.
    """
    if not spec.track:
        return untracked_run(session.home, **_about(session, spec, cell))
    run = session.store.runs.create_run(unrecorded=unrecorded, **_about(session, spec, cell))
    keep_origin(run, cell)
    return run


def _about(session: Session, spec: TrainSpec, cell: Cell) -> dict[str, Any]:
    """Return what is known of a run when it begins."""
    parent = parent_of(session, spec.fork) if spec.fork else None
    name = spec.name or spec.register or (parent.ref.partition("#")[0] if parent else _DEFAULT_NAME)
    return {
        "name": name,
        "source": cell.source,
        "options": spec.given(),
        "tags": spec.tags,
        "note": spec.note,
        "facts": {},
        "user": user_name(),
        "process": this_process(),
        "parent": parent,
    }


def _with_files(models: ModelStore, spec: TrainSpec, run: Run, outcome: TrainingOutcome) -> TrainingResult:
    """Write the files that are still to be written, register the model if that was asked for, and return the result."""
    outcome.write_rest()
    if spec.register is None or outcome.best is None or outcome.status is RunStatus.RUNNING:
        return outcome.result
    version = models.register(
        spec.register,
        file=outcome.best,
        signature=outcome.signature,
        num_params=outcome.num_params,
        metrics=outcome.result.best_metrics,
        run=run,
        user=run.user,
    )
    return replace(outcome.result, model_id=version.ref)


def record_failure(finish: Callable[..., Run], error: BaseException) -> None:
    """Let `finish` record that a run has ended with an exception."""
    status = RunStatus.INTERRUPTED if isinstance(error, KeyboardInterrupt) else RunStatus.FAILED
    try:
        finish(status=status, result=None, failure=Failure.of(error))
    except MLTrainError as trouble:
        error.add_note(f"The run could not be marked {status}: {trouble}")
