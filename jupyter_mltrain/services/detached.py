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
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.domain.events import Notice, OnEvent, Paused, TrainControl
from jupyter_mltrain.domain.run import Failure, RunStatus
from jupyter_mltrain.services.freeing import stands_by, where_to_go_on
from jupyter_mltrain.services.heartbeat import heard_of
from jupyter_mltrain.services.recording import when_it_can
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.services.uploading import begin_upload
from jupyter_mltrain.store.processes import process_of, this_process

if TYPE_CHECKING:
    from jupyter_mltrain.domain.run import Run
    from jupyter_mltrain.domain.spec import TrainSpec
    from jupyter_mltrain.store.run_channel import RunChannel

_SECONDS_BETWEEN_LOOKS = 0.2
_PATIENCE = 600.0  # seconds for the upload of its files


def main(home: str, run_id: str, again: str = "") -> None:
    """Train a run that is recorded, and see to it that its end is recorded too.

    Args:
        home: as the session has it.
        run_id: of the run.
        again: anything, where the run was paused and has given its memory back.
    """
    notebook = os.getppid()
    trainer = os.fork()
    if trainer == 0:
        _train(home, run_id, is_again=bool(again))
        return
    interrupts: list[int] = []

    def hand_on(number: int, _frame: object) -> None:
        interrupts.append(number)
        os.kill(trainer, number)

    for number in (signal.SIGTERM, signal.SIGINT):  # they are for the trainer, which ends well
        signal.signal(number, hand_on)
    session = Session(home)
    task = _task(session, run_id)
    ends_with = None if task["outlives"] else notebook
    code = _exit_code(trainer, ends_with=ends_with)
    run, channel = when_it_can(lambda: _run(session, run_id), print)
    if run.status is RunStatus.RUNNING and run.process.pid == os.getpid():  # its trainer has left it
        if stands_by(session, run, channel, interrupts, ends_with=ends_with):
            os.execv(sys.executable, [sys.executable, "-m", __spec__.name, home, run_id, "again"])  # noqa: S606 - our own module
        run = session.store.runs.get(run_id)
    if run.status in (RunStatus.RUNNING, RunStatus.DIED):
        run = session.store.runs.finish_run(
            run_id, status=RunStatus.DIED, result=None, failure=Failure.of_process(code, channel.said)
        )
    channel.end()
    begin_upload(session, run)
    session.store.uploader.finish(_PATIENCE)
    if task["notify"]:
        _notify(task["notify"], session.store.runs.get(run_id))


def _train(home: str, run_id: str, *, is_again: bool) -> None:
    """Do what the trainer does; where the run is paused and gives its memory back, leave it to the parent."""
    faulthandler.enable()
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # a machine that is shut down
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    session = Session(home)
    run = session.store.runs.hand_over(run_id, this_process())
    _, channel = _run(session, run_id)
    is_free = False
    try:
        from jupyter_mltrain.engine.sending import unpack
        from jupyter_mltrain.services.training import train

        task = _task(session, run_id)
        spec, cell = unpack(task["parcel"], channel.parcel)
        control = channel.control()
        if is_again:
            channel.tell(Paused(paused=False))
            where = where_to_go_on(session, run)
        else:
            where = {"resume": run.id} if task["resumes"] else {"begun": run}
        with heard_of(session, track=True), _turn(session, spec, control, channel.tell):
            ended, value = train(session, spec, cell, on_event=channel.tell, control=control, **where)
        is_free = ended.status is RunStatus.RUNNING
        if value is not None:
            print(repr(value))  # noqa: T201 - into what is kept of its output
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is recorded; nobody is there to see it raised
        if when_it_can(lambda: session.store.runs.status(run_id), print)[0] is RunStatus.RUNNING:
            from jupyter_mltrain.services.training import record_failure

            record_failure(partial(session.store.runs.finish_run, run_id), error)
    finally:
        if is_free:
            channel.tell(Paused(paused=True))
            when_it_can(lambda: session.store.runs.hand_over(run_id, process_of(os.getppid())), print)
        else:
            channel.end()


def _notify(notify: str | bytes, run: Run) -> None:
    """Run the user's command, or their function as it was packed; what it raises is kept with the output."""
    if isinstance(notify, str):
        told = {**os.environ, "MLTRAIN_RUN": run.ref, "MLTRAIN_STATUS": run.status.value}
        subprocess.run(notify, shell=True, env=told, check=False)  # noqa: S602 - the user's own command
        return
    try:
        pickle.loads(notify)(run)  # noqa: S301 - of our own parent
    except Exception:  # noqa: BLE001 - it is the user's own
        traceback.print_exc()


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
