"""Files of what has ended, on their way into the folder that machines share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.domain.events import Notice
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.services.session import Session

_PATIENCE = 60.0  # seconds that the end of a training waits for its upload


def begin_upload(session: Session, run: Run) -> None:
    """Let the files of a run that has ended be uploaded, beside what comes next."""
    with suppress(StoreError):  # of a home that cannot be read: what is there now is uploaded when it can be
        session.store.artifacts.has_changed(run)
    session.store.uploader.begin()


def finish_upload(session: Session, on_event: Callable[[Notice], None]) -> None:
    """Upload all files that are to be; what keeps them from it is said, and they are uploaded later."""
    trouble = session.store.uploader.finish(_PATIENCE)
    if trouble:
        on_event(Notice(text=f"The files are kept in {session.home} and will be uploaded when they can be: {trouble}."))
