"""The time of day, which never goes back while a process lives, whoever sets the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic

MOST_SET_BACK = timedelta(days=1)
"""Further ahead than that it is a clock that was wrong when it was looked at."""


class Clock:
    """Goes on from when it was looked at last, where the system's has been set back in between."""

    def __init__(self) -> None:
        """Look at the system's."""
        self._last = datetime.now(UTC), monotonic()

    def now(self) -> datetime:
        """Return the moment, with its time zone."""
        moment, at = self._last
        here = datetime.now(UTC)
        passed = monotonic()  # the later of the two, or what lies between them would be added each time
        expected = moment + timedelta(seconds=passed - at)
        now = expected if here < expected < here + MOST_SET_BACK else here
        self._last = now, passed
        return now


_CLOCK = Clock()


def now() -> datetime:
    """Return the moment, never one before another that this process was given, with its time zone."""
    return _CLOCK.now()
