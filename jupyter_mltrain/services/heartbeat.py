"""Tell other machines that this process lives, while it trains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.services.session import Session

if TYPE_CHECKING:
    from jupyter_mltrain.store.heartbeats import Heartbeats


@contextmanager
def heard_of(session: Session, *, track: bool) -> Iterator[None]:
    """Write life signs of this process until the block ends, if anything is tracked; beside the training."""
    if not track:
        yield
        return
    over = Event()
    Thread(target=_beat, args=(session.store.heartbeats, over), name="mltrain-heartbeat", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _beat(heartbeats: Heartbeats, over: Event) -> None:
    from jupyter_mltrain.store.heartbeats import SECONDS_BETWEEN_BEATS

    while not over.wait(SECONDS_BETWEEN_BEATS):
        with suppress(StoreError):  # the next one may come through
            heartbeats.beat()
