"""Train: the order of steps from a spec and a cell to a recorded run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.domain.errors import MLTrainError
from jupyter_mltrain.domain.events import EngineStarting, Notice, OnEvent, RunEnded, TrainControl
from jupyter_mltrain.domain.run import Failure, Run, RunStatus, TrainingOutcome
from jupyter_mltrain.domain.spec import Cell, TrainSpec
from jupyter_mltrain.engine.interrupts import Interrupts
from jupyter_mltrain.services.forking import fork_of, parent_of
from jupyter_mltrain.services.heartbeat import heard_of
from jupyter_mltrain.services.hyperparameters import trial_values
from jupyter_mltrain.services.origins import keep_origin
from jupyter_mltrain.services.recording import Recorder, when_it_can
from jupyter_mltrain.services.resuming import resumed
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.services.untracked import untracked_run
from jupyter_mltrain.services.uploading import begin_upload, finish_upload
from jupyter_mltrain.services.user import user_name
from jupyter_mltrain.store.processes import this_process

if TYPE_CHECKING:
    from jupyter_mltrain.domain.model import ModelVersion
    from jupyter_mltrain.engine.checkpoints.checkpoint import Resumption

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
        run, spec, resumption = (
            resumed(session, resume, spec, cell) if resume else (begun or create(session, spec, cell), spec, None)
        )
        recorder = Recorder(session.store.runs, run, on_event) if spec.track else None
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
            run = _ended(session, spec, run, outcome, recorder=recorder, on_event=on_event)
        except BaseException as error:  # whatever ends a run is recorded, and goes on
            if recorder:
                record_failure(recorder.finish, error)
                begin_upload(session, run)
            raise
        if recorder:
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
    session: Session, spec: TrainSpec, run: Run, outcome: TrainingOutcome, *, recorder: Recorder | None, on_event: OnEvent
) -> Run:
    """Register the model if that was asked for, and record the end; of a run that is only paused, how far it is."""
    version = None if outcome.status is RunStatus.RUNNING else _register(session, spec, run, outcome, on_event)
    result = replace(outcome.result, model_id=version.ref if version else None)
    if recorder is None:
        return replace(run, status=outcome.status, result=result, ended_at=datetime.now(UTC))
    run = recorder.finish(status=outcome.status, result=result)
    if spec.keep_checkpoints is None and recorder.is_written:
        _discard_checkpoints(run)
    return run


def _discard_checkpoints(run: Run) -> None:
    """Remove what nobody goes on from."""
    if run.status is RunStatus.COMPLETED:
        from jupyter_mltrain.engine.checkpoints.files import discard

        discard(run.folder)


def create(session: Session, spec: TrainSpec, cell: Cell) -> Run:
    """Record that a run begins in this process.

    Raises:
        UnknownNameError, OptionError, ModelFileError: there is nothing that it could be forked from.
    """
    parent = parent_of(session, spec.fork) if spec.fork else None
    name = spec.name or spec.register or (parent.ref.partition("#")[0] if parent else _DEFAULT_NAME)
    if spec.track:
        run = session.store.runs.create_run(
            name=name,
            source=cell.source,
            options=spec.given(),
            tags=spec.tags,
            note=spec.note,
            facts={},
            user=user_name(),
            process=this_process(),
            parent=parent,
        )
        keep_origin(run, cell)
        return run
    return untracked_run(
        session.home,
        name=name,
        source=cell.source,
        user=user_name(),
        process=this_process(),
        options=spec.given(),
        tags=spec.tags,
        note=spec.note,
        facts={},
    )


def _register(session: Session, spec: TrainSpec, run: Run, outcome: TrainingOutcome, on_event: OnEvent) -> ModelVersion | None:
    if spec.register is None or outcome.best is None:
        return None
    register = partial(
        session.store.models.register,
        spec.register,
        file=outcome.best,
        signature=outcome.signature,
        num_params=outcome.num_params,
        metrics=outcome.result.best_metrics,
        run=run,
        user=run.user,
    )
    return when_it_can(register, lambda text: on_event(Notice(text=text)))


def record_failure(finish: Callable[..., Run], error: BaseException) -> None:
    """Let `finish` record that a run has ended with an exception."""
    status = RunStatus.INTERRUPTED if isinstance(error, KeyboardInterrupt) else RunStatus.FAILED
    try:
        finish(status=status, result=None, failure=Failure.of(error))
    except MLTrainError as trouble:
        error.add_note(f"The run could not be marked {status}: {trouble}")
