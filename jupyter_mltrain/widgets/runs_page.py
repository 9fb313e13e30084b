"""One page of the runs that are looked for, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from jupyter_mltrain.domain.run import Epoch, Run, RunFilter, RunStatus
from jupyter_mltrain.domain.run_summary import RunOrder, RunSummary
from jupyter_mltrain.services.run_index import RunIndex
from jupyter_mltrain.services.runs import moment
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.widgets import runs_overlay, theme
from jupyter_mltrain.widgets.runs_columns import SHOWN, Column, columns

_PAGE_SIZE = 50
_CURVE_POINTS = 40
_LOSSES = ("loss", "val_loss")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the controls above the table say; the fields are named as in the front end.

    Attributes:
        since: what `moment` takes, or empty.
        page: from 0.
        columns: their ids.
    """

    contains: str = ""
    status: str = ""
    since: str = ""
    sort: str = ""
    descending: bool = False
    page: int = 0
    columns: tuple[str, ...] = SHOWN

    @property
    def order(self) -> RunOrder:
        """What is looked for, and in which order."""
        return RunOrder(contains=self.contains, sort=self.sort, descending=self.descending)

    def changed(self, told: Mapping[str, Any]) -> Look:
        """Return what they say now; whatever is told begins at the first page, unless that is told."""
        known = {field.name: told[field.name] for field in fields(self) if field.name in told}
        return replace(self, **({"page": 0} | known | {"columns": tuple(known.get("columns", self.columns))}))


class RunsPage:
    """The rows that the controls ask for.

    Until the first `refresh` it is what it was made with, so that it is there at once however many runs there are.

    Args:
        session: where the runs are recorded.
        which: the runs to choose among; its page is passed over.
        order: how they are ordered at first.
        first: the first of them.
        total: how many there are.

    Attributes:
        look: what the controls say.
    """

    def __init__(self, session: Session, which: RunFilter, *, order: RunOrder, first: Sequence[Run], total: int) -> None:
        self._session = session
        self._index = RunIndex(session, which)
        self._runs = [RunSummary.of(run) for run in first[:_PAGE_SIZE]]
        self._num_found = self._total = total
        self._curves: dict[str, Sequence[Epoch]] = {}
        self.look = Look(contains=order.contains, sort=order.sort, descending=order.descending)
        self._draw()

    def refresh(self) -> bool:
        """Read what has changed, and find the page anew; return whether any run has changed.

        Raises:
            OptionError: `look.since` is no moment.
            StoreError: the home cannot be read.
            UnknownNameError: there can be no column `look.sort`.
        """
        look = self.look
        has_changed = self._index.refresh([run.id for run in self._runs])
        found = self._index.find(look.order, status=look.status, since=moment(look.since) if look.since else None)
        last = max(0, (len(found) - 1) // _PAGE_SIZE)
        self.look = replace(look, page=min(max(look.page, 0), last))
        first = self.look.page * _PAGE_SIZE
        self._runs = found[first : first + _PAGE_SIZE]
        self._num_found, self._total = len(found), len(self._index)
        self._draw()
        return has_changed

    def fields(self) -> dict[str, Any]:
        """Return the page as JSON."""
        shown = self._shown
        return {
            "columns": [{"id": each.id, "name": each.name, "is_number": each.is_number} for each in shown],
            "choices": [[each.id, each.name, each in shown] for each in self._columns.values() if each.id != "ref"],
            "rows": self._rows,
            "look": {field.name: getattr(self.look, field.name) for field in fields(self.look) if field.name != "columns"},
            "statuses": [status.value for status in RunStatus],
            "page_size": _PAGE_SIZE,
            "found": self._num_found,
            "total": self._total,
            "is_alive": bool(self._index.running) or any(row["is_running"] for row in self._rows),
        }

    @property
    def _shown(self) -> list[Column]:
        return [self._columns[each] for each in dict.fromkeys(("ref", *self.look.columns)) if each in self._columns]

    def _draw(self) -> None:
        self._columns = columns(self._index.metrics, self._index.hyperparams)
        running = [run.id for run in self._runs if run.status is RunStatus.RUNNING]
        unknown = [*running, *(run.id for run in self._runs if run.id not in self._curves)]
        if unknown:
            read = self._session.store.summaries.curves(unknown, _CURVE_POINTS)
            self._curves |= {run_id: read.get(run_id, ()) for run_id in unknown}
        self._rows = [self._row(run, self._curves[run.id]) for run in self._runs]
        for run_id in running:  # whose curves grow
            del self._curves[run_id]

    def _row(self, run: RunSummary, epochs: Sequence[Epoch]) -> dict[str, Any]:
        newest = epochs[-1] if epochs and run.result is None else None
        curve = runs_overlay.metric_points(epochs, _LOSSES)
        return {
            "id": run.id,
            "ref": theme.one_line(run.ref, 120),
            "is_running": run.status is RunStatus.RUNNING,
            "cells": [column.text(run, newest) for column in self._shown[1:]],
            "curve": [curve[name] for name in _LOSSES],
        }
