"""Runs in processes of their own that want the same device of a machine take turns."""

from __future__ import annotations

import fcntl
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from jupyter_mltrain.store.database import store_errors

_SECONDS_BETWEEN_LOOKS = 0.1


@contextmanager
def turn(home: Path, devices: Iterable[str], *, on_wait: Callable[[str], None], wait_on: Callable[[], bool]) -> Iterator[None]:
    """Have devices for a while in which no other process that asks for them here has them; it ends with the process at last.

    Args:
        home: whose runs take turns.
        devices: names of them.
        on_wait: told the name of a device that has to be waited for.
        wait_on: asked again and again whether to wait any longer.

    Raises:
        InterruptedError: it said no.
        StoreError: the folder cannot be written.
    """
    with ExitStack() as stack:
        for device in sorted(devices):  # in one order, so that no two wait for each other
            file = home / "turns" / f"{socket.gethostname()}-{device.replace(':', '-')}.lock"
            with store_errors(file.parent):
                file.parent.mkdir(exist_ok=True)
                lock = stack.enter_context(file.open("w"))
            if not _took(lock):
                on_wait(device)
                while not _took(lock):
                    if not wait_on():
                        raise InterruptedError(f"stopped while it waited for {device}")
                    time.sleep(_SECONDS_BETWEEN_LOOKS)
        yield


def _took(lock: IO[str]) -> bool:
    """Take a lock if it is free, and tell."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
