"""What happens in a training, into the store, without holding the training up."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.domain.events import EpochEnded, Event, FactsKnown, OnEvent
from jupyter_mltrain.domain.run import Epoch

if TYPE_CHECKING:
    from jupyter_mltrain.store.run_store import RunStore

_SECONDS_BETWEEN_WRITES = 1.0


class Recorder:
    """Listens to a training, writes facts and epochs, and passes every event on.

    Epochs are written at most once a second. What cannot be written waits for the next time; `pending` is what is left.
    """

    def __init__(self, runs: RunStore, run_id: str, on_event: OnEvent) -> None:
        """Record into `run_id`, then tell `on_event`."""
        self._runs, self._run_id, self._tell = runs, run_id, on_event
        self._written = monotonic()
        self.pending: list[Epoch] = []

    def on_event(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, FactsKnown):
            self._runs.add_facts(self._run_id, event.facts)
        elif isinstance(event, EpochEnded):
            self.pending.append(event.epoch)
            if monotonic() - self._written >= _SECONDS_BETWEEN_WRITES:
                self._write()
        self._tell(event)

    def _write(self) -> None:
        self._written = monotonic()
        try:
            self._runs.append_epochs(self._run_id, self.pending)
        except StoreError:
            return
        self.pending = []
