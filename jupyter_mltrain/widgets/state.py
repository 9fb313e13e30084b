"""What every live view's state is: folded events, sent once whole and then as what has changed."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

EventT = TypeVar("EventT")


class State(ABC, Generic[EventT]):
    """Fold events into a snapshot and the deltas that follow it, as JSON.

    Every delta has the number `seq`, one higher than the one before; a snapshot has that of the last delta that it contains:
    a receiver that misses a number asks for a snapshot. What is in a list has numbers of its own, so that it may come twice.

    Args:
        name: of what is shown, until it has one of its own.
    """

    def __init__(self, name: str) -> None:
        self._about: dict[str, Any] = {
            "name": name,
            "doing": "Starting…",  # empty while the work that was asked for goes on
            "ended": False,
            "stopping": False,
            "notices": [],
        }
        self._seq = 0
        self._sent: dict[str, Any] = {}

    @abstractmethod
    def apply(self, event: EventT) -> None:
        """Take in an event."""

    @abstractmethod
    def _fields(self) -> dict[str, Any]:
        """Return all that is sent again whenever it has changed."""

    @abstractmethod
    def _lists(self) -> dict[str, Any]:
        """Return the lists, as whole as a snapshot has them; may be called in any thread."""

    @abstractmethod
    def _new_in_lists(self) -> dict[str, Any]:
        """Return what has come to the lists since the last call, empty if nothing has."""

    def stop(self) -> None:
        """Say that it was asked to end after the running step."""
        self._about["stopping"] = True

    def end(self, how: str = "Ended.") -> None:
        """Say that nothing more will come; the first word on how it ended stays."""
        if not self._about["ended"]:
            self._about |= {"ended": True, "doing": how}

    def snapshot(self) -> dict[str, Any]:
        """Return all that is known; may be called in any thread."""
        return {"seq": self._seq, **self._fields(), **self._lists()}

    def delta(self) -> dict[str, Any] | None:
        """Return what is new since the last delta, or None."""
        changed = self.changed()
        if not changed:
            return None
        self._seq += 1
        return {"seq": self._seq, **changed}

    def changed(self) -> dict[str, Any]:
        """Return what is new since the last call, without a number."""
        fields = self._fields()
        changed = {key: value for key, value in fields.items() if key not in self._sent or self._sent[key] != value}
        self._sent = fields
        return changed | self._new_in_lists()


def rounded(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Return the metrics with five digits; None stands for a value that JSON has not."""
    return {name: significant(value, 5) for name, value in metrics.items()}


def significant(value: float | None, digits: int) -> float | None:
    """Shorten a number; None stands for one that JSON has not."""
    return float(f"{value:.{digits}g}") if value is not None and math.isfinite(value) else None
