"""A process that trains one run: `python -m jupyter_mltrain.services.detached HOME RUN`, started by `detaching`.

It forks before it has loaded anything. The child trains; the parent waits for it, and records how it died if it does: of a
crash in TensorFlow, or for want of memory, nobody else could tell.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.domain.events import Notice, OnEvent, TrainControl
from jupyter_mltrain.domain.run import Failure, RunStatus
from jupyter_mltrain.services.heartbeat import heard_of
from jupyter_mltrain.services.recording import when_it_can
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.services.uploading import begin_upload

if TYPE_CHECKING:
    from jupyter_mltrain.domain.run import Run
    from jupyter_mltrain.domain.spec import TrainSpec
    from jupyter_mltrain.store.run_channel import RunChannel

_SECONDS_BETWEEN_LOOKS = 0.2
_PATIENCE = 600.0  # seconds for the upload of its files


def main(home: str, run_id: str) -> None:
    """Train a run that is recorded, and see to it that its end is recorded too."""
    notebook = os.getppid()
    trainer = os.fork()
    if trainer == 0:
        _train(home, run_id)
        return
    for number in (signal.SIGTERM, signal.SIGINT):  # they are for the trainer, which ends well
        signal.signal(number, lambda number, _: os.kill(trainer, number))
    session = Session(home)
    task = _task(session, run_id)
    code = _exit_code(trainer, ends_with=None if task["outlives"] else notebook)
    run, channel = when_it_can(lambda: _run(session, run_id), print)
    if run.status in (RunStatus.RUNNING, RunStatus.DIED):
        run = session.store.runs.finish_run(
            run_id, status=RunStatus.DIED, result=None, failure=Failure.of_process(code, channel.said)
        )
    channel.end()
    begin_upload(session, run)
    session.store.uploader.finish(_PATIENCE)
    if task["notify"]:
        told = {**os.environ, "MLTRAIN_RUN": run.ref, "MLTRAIN_STATUS": run.status.value}
        subprocess.run(task["notify"], shell=True, env=told, check=False)  # noqa: S602 - the user's own command


def _train(home: str, run_id: str) -> None:
    """Do what the trainer does."""
    faulthandler.enable()
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # a machine that is shut down
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    from jupyter_mltrain.store.processes import this_process

    session = Session(home)
    run = session.store.runs.hand_over(run_id, this_process())
    _, channel = _run(session, run_id)
    try:
        from jupyter_mltrain.engine.sending import unpack
        from jupyter_mltrain.services.training import train

        task = _task(session, run_id)
        spec, cell = unpack(task["parcel"], channel.parcel)
        control = channel.control()
        where: dict[str, Any] = {"resume": run.id} if task["resumes"] else {"begun": run}
        with heard_of(session, track=True), _turn(session, spec, control, channel.tell):
            _, value = train(session, spec, cell, on_event=channel.tell, control=control, **where)
        if value is not None:
            print(repr(value))  # noqa: T201 - into what is kept of its output
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is recorded; nobody is there to see it raised
        if when_it_can(lambda: session.store.runs.status(run_id), print)[0] is RunStatus.RUNNING:
            from jupyter_mltrain.services.training import record_failure

            record_failure(partial(session.store.runs.finish_run, run_id), error)
    finally:
        channel.end()


@contextmanager
def _turn(session: Session, spec: TrainSpec, control: TrainControl, tell: OnEvent) -> Iterator[None]:
    """Wait until no other run of this kind trains on the devices that this one is to have."""
    from jupyter_mltrain.engine.devices import devices
    from jupyter_mltrain.engine.strategy import choose
    from jupyter_mltrain.store.device_turns import turn

    def is_not_stopped() -> bool:
        control.poll()
        return not control.stop_requested

    def on_wait(device: str) -> None:
        tell(Notice(text=f"It waited for {device}, where another run in a process of its own was training."))

    try:
        with turn(session.home, choose(spec.strategy, devices()).devices, on_wait=on_wait, wait_on=is_not_stopped):
            yield
    except InterruptedError as error:
        raise KeyboardInterrupt(str(error)) from None


def _task(session: Session, run_id: str) -> dict[str, Any]:
    _, channel = _run(session, run_id)
    task: dict[str, Any] = pickle.loads(Path(channel.parcel, "task").read_bytes())  # noqa: S301 - of our own parent
    return task


def _run(session: Session, run_id: str) -> tuple[Run, RunChannel]:
    from jupyter_mltrain.store.run_channel import RunChannel

    run = session.store.runs.get(run_id)
    return run, RunChannel(run.folder)


def _exit_code(trainer: int, *, ends_with: int | None) -> int:
    """Wait for the trainer; interrupt it when the process that it is to end with is gone."""
    while True:
        ended, status = os.waitpid(trainer, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if ends_with not in (None, os.getppid()):
            os.kill(trainer, signal.SIGTERM)
            ends_with = None
        time.sleep(_SECONDS_BETWEEN_LOOKS)


if __name__ == "__main__":
    main(*sys.argv[1:])
