"""Start a training in a process of its own."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.domain.spec import Cell, TrainSpec
from jupyter_mltrain.services.background import BackgroundRun
from jupyter_mltrain.services.resuming import check_resumable
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.services.training import create, record_failure
from jupyter_mltrain.store.processes import this_process

Notify = str | Callable[[Run], object] | None


def detach(
    session: Session, spec: TrainSpec, cell: Cell, *, resume: str | None = None, outlives: bool = True, notify: Notify = None
) -> BackgroundRun:
    """Record a run and train it in a process of its own, which is sent what the cell uses of the notebook.

    Args:
        session: where to record.
        spec: what the line asks for.
        cell: the body and its namespace; large arrays of it are mapped, not copied.
        resume: a run to go on with in place of a new one; `last` is the newest.
        outlives: whether it goes on when this process has ended; else it is then interrupted, and can be resumed.
        notify: a function that is given the run when it has ended, in its process; it is sent with what it uses. Or a shell
            command, which finds `MLTRAIN_RUN` and `MLTRAIN_STATUS` in its environment.

    Raises:
        OptionError: the run is not to be recorded, or cannot be resumed; or something that the cell uses cannot be sent: it
            is named, and the run is recorded as failed.
    """
    if not spec.track or spec.dry_run:
        other = "--dry-run" if spec.dry_run else "--no-track"
        raise OptionError(f"expected a run that is recorded for another process, received {other}: leave it out")
    run = _begun(session, spec, cell, resume)
    try:
        _start(session, spec, cell, run, {"resumes": bool(resume), "outlives": outlives, "notify": notify})
    except BaseException as error:  # an interrupt too
        record_failure(partial(session.store.runs.finish_run, run.id), error)
        raise
    return BackgroundRun(session, run)


def _begun(session: Session, spec: TrainSpec, cell: Cell, resume: str | None) -> Run:
    if resume is None:
        return create(session, spec, cell)
    run = check_resumable(session, resume, spec)
    return session.store.runs.hand_over(run.id, this_process())


def _start(session: Session, spec: TrainSpec, cell: Cell, run: Run, task: dict[str, object]) -> None:
    from jupyter_mltrain.engine.environment import search_path
    from jupyter_mltrain.engine.sending import pack, pack_function
    from jupyter_mltrain.store.run_channel import RunChannel

    channel = RunChannel(run.folder)
    channel.begin()
    parcel = pack(spec, cell, channel.parcel)
    if callable(task["notify"]):
        task = {**task, "notify": pack_function(task["notify"], "--notify")}
    Path(channel.parcel, "task").write_bytes(pickle.dumps({**task, "parcel": parcel}))
    shared = {"MLTRAIN_STORE": session.url, "MLTRAIN_ARTIFACTS": session.artifacts_url}
    with channel.output.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "jupyter_mltrain.services.detached", session.folder, run.id],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONPATH": search_path(), "MPLBACKEND": "agg", **shared},
            start_new_session=True,  # neither the kernel's interrupts nor its end are for it
        )
    threading.Thread(target=process.wait, name=f"end of {run.ref}", daemon=True).start()  # so that no zombie stays
