"""A paused run that has given its memory back: its process has ended, and the one that waited for it stands by."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.domain.events import Wish
from jupyter_mltrain.domain.run import Run, RunStatus
from jupyter_mltrain.services.heartbeat import heard_of
from jupyter_mltrain.services.session import Session

if TYPE_CHECKING:
    from jupyter_mltrain.store.run_channel import RunChannel

_SECONDS_BETWEEN_LOOKS = 0.2


def stands_by(session: Session, run: Run, channel: RunChannel, interrupts: list[int], *, ends_with: int | None) -> bool:
    """Hold a run until it is asked to go on, or to stop, which its training does as it always does.

    Args:
        session: where it is recorded.
        run: as it was left.
        channel: of the run.
        interrupts: signals that have come already.
        ends_with: the process with which it ends; None where it outlives all.

    Returns:
        whether it goes on; else it was interrupted, which is recorded, and can be resumed.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: interrupts.append(number))
    with heard_of(session, track=True):
        while channel.wish not in (Wish.CONTINUE, Wish.STOP):
            if interrupts or ends_with not in (None, os.getppid()):
                session.store.runs.finish_run(run.id, status=RunStatus.INTERRUPTED, result=run.result)
                return False
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    return True


def where_to_go_on(session: Session, run: Run) -> dict[str, Any]:
    """Return what `train` is told of a run that was left: its checkpoints, or to begin where it came to none."""
    from jupyter_mltrain.engine.checkpoints import files
    from jupyter_mltrain.store.processes import this_process

    if files.paths(run.folder / files.FOLDER):
        return {"resume": run.id}
    return {"begun": session.store.runs.resume_run(run.id, this_process(), num_epochs=0)}
