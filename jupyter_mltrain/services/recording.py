"""What happens in a training, into the store, without holding the training up."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Event as Signal
from threading import Lock, Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_mltrain.domain.errors import StoreAwayError, StoreError
from jupyter_mltrain.domain.events import EpochEnded, Event, FactsKnown, Notice, OnEvent
from jupyter_mltrain.domain.run import Epoch, Failure, Run, RunStatus, TrainingResult
from jupyter_mltrain.store.clock import now

if TYPE_CHECKING:
    from jupyter_mltrain.store.run_store import RunStore

Written = TypeVar("Written")

_SECONDS_BETWEEN_WRITES = 1.0
_SECONDS_BETWEEN_TRIES = 1.0
_WRITTEN = "The run that was kept in memory is written."
_PATIENCE_AT_EXIT = 300.0
_PATIENCE = 60.0  # seconds that whoever waits for a record gives to a store that is away


class Recorder:
    """Listens to a training, passes every event on, and writes facts, epochs and the end, in a thread of its own.

    Epochs are written at most once a second. What cannot be written is kept in memory, said once, and written as soon as it
    can be, after the training too while the process lives, which does not end at once while something is left to write.

    Attributes:
        run: as it was when it began, or when that was recorded.
    """

    def __init__(self, runs: RunStore, run: Run, on_event: OnEvent, create: Callable[[], Run] | None = None) -> None:
        """Record into `run`, then tell `on_event`; `create` records that it begins, where that is not done yet."""
        self._runs, self.run, self._tell, self._create = runs, run, on_event, create
        self._lock, self._due, self._over = Lock(), Signal(), Signal()
        self._facts: dict[str, Any] = {}  # by name, those to write
        self._epochs: list[Epoch] = []
        self._num_written = 0
        self._end: dict[str, Any] | None = None
        self._written: Run | None = None
        self._last_try = monotonic()
        self._trouble = self._untold = self._said = ""
        self._error: Exception | None
        self._completed: Callable[[], TrainingResult] | None = None
        self._begin()

    def _begin(self) -> None:
        self._error = None
        self._over.clear()
        Thread(target=self._write_until_the_end, name="mltrain-recorder", daemon=True).start()

    def on_event(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, FactsKnown):
            with self._lock:
                self._facts |= _kept(event.facts)
            self._due.set()
        elif isinstance(event, EpochEnded):
            self._epochs.append(event.epoch)
            if monotonic() - self._last_try >= _SECONDS_BETWEEN_WRITES:
                self._due.set()
        self._say()
        self._tell(event)

    def finish(
        self,
        *,
        status: RunStatus,
        result: TrainingResult | None,
        failure: Failure | None = None,
        completed: Callable[[], TrainingResult] | None = None,
        is_in_a_hurry: Callable[[], bool] = lambda: False,
    ) -> Run:
        """Record how the run ended, and return it; if that cannot be written for a minute, it is said, and is later.

        Args:
            status: how it ended.
            result: what it came to; None where it failed.
            failure: what ended it.
            completed: does what has to be done before, and returns the result that it has then; it is called in the
                recorder's thread, again and again as long as it raises `StoreError`.
            is_in_a_hurry: asked every second whether to wait no longer.

        Raises:
            MLTrainError: the run is not there any more.
            Exception: what `completed` raised.
        """
        end = {"status": status, "result": result, "failure": failure}
        self._completed, self._end = completed, end
        if self._over.is_set():  # an error has ended it
            self._begin()
        self._due.set()
        until = monotonic() + _PATIENCE
        while not self._over.wait(_SECONDS_BETWEEN_TRIES) and monotonic() < until and not is_in_a_hurry():
            self._say()
        if not self._over.is_set():
            atexit.register(self._over.wait, _PATIENCE_AT_EXIT)
        self._say()
        if self._error is not None:
            raise self._error
        return self._written or self._kept_in_memory(**end)

    @property
    def is_written(self) -> bool:
        """Whether all of the run, its end too, is in the store."""
        return self._written is not None

    def _kept_in_memory(self, **end: Any) -> Run:
        facts = {**self.run.facts, **self._facts}
        return replace(self.run, **end, facts=facts, epochs=(*self.run.epochs, *self._epochs), ended_at=now())

    def _say(self) -> None:
        """Tell of a trouble that is new, and that it is over."""
        if self._untold:
            self._said, self._untold = self._untold, ""
            self._tell(Notice(text=f"The run is kept in memory and will be written when it can be: {self._said}."))
        if self._said and not self._trouble:
            self._said = ""
            self._tell(Notice(text=_WRITTEN))

    def _write_until_the_end(self) -> None:
        while not self._over.is_set():
            self._due.wait(_SECONDS_BETWEEN_TRIES if self._trouble else None)
            self._due.clear()
            self._last_try = monotonic()
            try:
                self._write()
                self._trouble = ""
            except StoreError as error:
                self._trouble = str(error)
                self._untold = "" if self._said else self._trouble
            except Exception as error:  # noqa: BLE001 - it is raised to whoever finishes the run
                self._error = error
            if self._written or self._error:
                self._over.set()

    def _write(self) -> None:
        end = self._end  # first: all that was told before it is there now
        if self._create:
            self.run, self._create = self._create(), None
        self._write_facts()
        epochs = self._epochs[self._num_written :]
        if end is not None:
            if self._completed is not None:
                end["result"], self._completed = self._completed(), None
            self._written = self._runs.finish_run(self.run.id, **end, epochs=epochs)
        elif epochs:
            self._runs.append_epochs(self.run.id, epochs)
        self._num_written += len(epochs)

    def _write_facts(self) -> None:
        with self._lock:
            facts = dict(self._facts)
        if facts:
            self._runs.add_facts(self.run.id, facts)
        with self._lock:
            self._facts = {name: value for name, value in self._facts.items() if facts.get(name) is not value}


def _kept(value: Any) -> Any:
    """Return facts as they are now: the training may change what holds them while they are written."""
    if isinstance(value, Mapping):
        return {key: _kept(item) for key, item in value.items()}
    return list(map(_kept, value)) if isinstance(value, list | tuple) else value


def when_it_can(write: Callable[[], Written], say: Callable[[str], None]) -> Written:
    """Return what `write` does, as soon as the store can be reached; the wait is said.

    Raises:
        StoreError: it cannot for a minute, or for another reason.
    """
    deadline, has_said = monotonic() + _PATIENCE, False
    while True:
        try:
            return write()
        except StoreAwayError as error:
            if monotonic() > deadline:
                raise
            if not has_said:
                say(f"Waited for the store: {error}.")
            has_said = True
            sleep(_SECONDS_BETWEEN_TRIES)
