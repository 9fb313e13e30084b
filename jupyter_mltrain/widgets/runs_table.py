"""The runs in a cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.domain.run import RunFilter
from jupyter_mltrain.domain.run_summary import RunOrder
from jupyter_mltrain.services.runs import list_runs, order_of
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.widgets.runs_state import RunsState
from jupyter_mltrain.widgets.runs_view import RunsList
from jupyter_mltrain.widgets.standing_view import StandingView

if TYPE_CHECKING:
    from jupyter_mltrain.widgets.live_widget import LiveWidget

_MOST_KEPT = 300  # rows that a notebook keeps below a live view, which has them all


class RunsTable(StandingView):
    """What `%runs list` shows.

    Args:
        session: where the runs are recorded.
        which: those to list.
        order: in which order.
        live: whether to show more than the table of one page, if there is a kernel to show it.

    Attributes:
        total: how many there are on all pages.

    Raises:
        OptionError: a page of less than one run.
        UnknownNameError: there is no such search or column; or none fits, and none ever had that name, model or metric.
    """

    def __init__(self, session: Session, which: RunFilter, order: RunOrder, *, live: bool) -> None:
        super().__init__(live=live)
        if self._is_alive:
            which = replace(which, limit=min(which.limit, _MOST_KEPT))
        runs, self.total = list_runs(session, which, order)
        if which.search is not None and runs and runs[0].trial:
            which = replace(which, search=runs[0].trial.search)  # that one still, when there is a newer of its name
        self._session, self._which, self._order = session, which, order
        self._first = runs

    def _page(self) -> RunsList:
        return RunsList(*list_runs(self._session, self._which, self._order))

    def _make_widget(self) -> LiveWidget:
        from jupyter_mltrain.widgets.live_widget import RunsWidget

        order = order_of(self._which, self._order)
        self._state = RunsState(self._session, self._which, order=order, first=self._first, total=self.total)
        return RunsWidget(snapshot=self._state.snapshot, receive=self._receive)

    def _do(self, command: Mapping[str, Any]) -> bool:
        self._state.apply(command)
        return self._state.has_changed

    def _answer(self, widget: LiveWidget, command: Mapping[str, Any]) -> None:
        if command.get("cmd") == "sync":
            widget.send_state("state")
        elif delta := self._state.delta():
            widget.send(delta)
