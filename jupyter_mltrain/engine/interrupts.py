"""The kernel's interrupt as a wish, not a break.

A `KeyboardInterrupt` in the middle of Keras's tracing leaves a model that cannot be trained again, one in the middle of a
TensorFlow call may be swallowed (measured), and one between two steps of the record would leave it half. So while a training
runs, the first interrupt only sets a flag, which is looked at between two steps; a second one breaks at once. The user's own
code is interrupted as it always is.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupts:
    """Holds the interrupt signal while it is entered: a first one sets `received`, but within `immediate`.

    Outside the main thread, which signals never reach, it does nothing.
    """

    def __init__(self) -> None:
        """Start with no interrupt received."""
        self.received = False
        self._is_immediate = False
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
    def immediate(self) -> Iterator[None]:
        """Run the user's own code: an interrupt breaks it, one that was held breaks it before it begins."""
        if self.received:
            raise KeyboardInterrupt
        with self._mode(immediate=True):
            yield

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Within `immediate`, run what must not be broken."""
        with self._mode(immediate=False):
            yield

    @contextmanager
    def _mode(self, *, immediate: bool) -> Iterator[None]:
        before, self._is_immediate = self._is_immediate, immediate
        try:
            yield
        finally:
            self._is_immediate = before

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_immediate or self.received:
            raise KeyboardInterrupt
        self.received = True


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Run what cannot be repeated once it was broken, such as TensorFlow's import; an interrupt comes after it."""
    with Interrupts() as interrupts:
        yield
    if interrupts.received:
        raise KeyboardInterrupt
