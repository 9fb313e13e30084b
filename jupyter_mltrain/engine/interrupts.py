"""The kernel's interrupt as a wish, not a break.

A `KeyboardInterrupt` in the middle of Keras's tracing leaves a model that cannot be trained again, and one in the middle of
a TensorFlow call may be swallowed (measured). So while a training runs, the first interrupt only sets a flag, which is
looked at between two steps; a second one breaks at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupts:
    """Decides what the interrupt signal does while it is entered; outside `deferred` it does what it always did.

    Outside the main thread, which signals never reach, it does nothing.
    """

    def __init__(self) -> None:
        """Start with no interrupt received."""
        self.received = False
        self._depth = 0
        self._previous: Any = None

    def __enter__(self) -> Interrupts:
        """Take the signal over."""
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        """Give the signal back."""
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let a first interrupt wait: `received` is set and the code goes on."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._depth and not self.received:
            self.received = True
        else:
            raise KeyboardInterrupt
