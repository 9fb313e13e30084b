"""Many runs at hand: found by any text, ordered by anything, and kept up to date."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import datetime

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.domain.run import RunFilter, RunStatus
from jupyter_mltrain.domain.run_summary import RunOrder, RunSummary
from jupyter_mltrain.services.run_order import hyperparams, ordered, searched
from jupyter_mltrain.services.session import Session


class RunIndex:
    """The summaries of all runs that fit a filter, in memory.

    The first `refresh` reads them all; later ones read what may have changed: what runs, what has started since, what is
    named. Where their number tells that others came or went, all are read again.

    Args:
        session: where they are recorded.
        which: its page is passed over.

    Attributes:
        metrics, hyperparams: the names that any of them has.
    """

    def __init__(self, session: Session, which: RunFilter) -> None:
        self._session, self._which = session, which
        self._runs: dict[str, RunSummary] = {}
        self._texts: dict[str, str] = {}
        self._newest: datetime | None = None
        self.metrics: dict[str, None] = {}
        self.hyperparams: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._runs)

    @property
    def running(self) -> tuple[str, ...]:
        """The ids of those that run."""
        return tuple(run.id for run in self._runs.values() if run.status is RunStatus.RUNNING)

    def refresh(self, ids: Collection[str] = ()) -> bool:
        """Read what may have changed, and the runs with these ids; return whether anything has.

        Raises:
            StoreError: the home cannot be read.
        """
        store, running, before = self._session.store, self.running, self._runs.copy()
        if running:
            with suppress(StoreError):  # who may only read does without
                store.runs.mark_died()
        if self._newest is not None:
            self._take(store.summaries.changed(self._which, since=self._newest, ids={*running, *ids}))
        if self._newest is None or len(self._runs) != store.runs.count(self._which):
            self._runs.clear()
            self._take(store.summaries.all(self._which))
        return self._runs != before

    def find(self, order: RunOrder, *, status: str = "", since: datetime | None = None) -> list[RunSummary]:
        """Return the runs that are looked for, in their order; those without a value in it the newest first.

        Raises:
            UnknownNameError: there can be no such column.
        """
        words = order.contains.casefold().split()
        found = [
            run
            for run in self._runs.values()
            if (not status or run.status == status)
            and (since is None or run.started_at >= since)
            and all(word in self._texts[run.id] for word in words)
        ]
        found.sort(key=lambda run: (run.started_at, run.id), reverse=True)
        return ordered(found, order.sort, descending=order.descending) if order.sort else found

    def _take(self, runs: Iterable[RunSummary]) -> None:
        for run in runs:
            self._runs[run.id] = run
            self._texts[run.id] = searched(run)
            self.metrics |= dict.fromkeys(run.result.best_metrics if run.result else {})
            self.hyperparams |= dict.fromkeys(hyperparams(run))
        self._newest = max((run.started_at for run in self._runs.values()), default=None)
