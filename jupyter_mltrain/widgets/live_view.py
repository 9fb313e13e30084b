"""A live view in the cell that works: what a training's and a search's have in common."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import ExitStack
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, Self

from jupyter_mltrain.domain.events import TrainControl, Wish
from jupyter_mltrain.widgets.pump import PumpControl
from jupyter_mltrain.widgets.state import EventT, State

if TYPE_CHECKING:
    from jupyter_mltrain.widgets.live_widget import LiveWidget

_SECONDS_BETWEEN_MESSAGES = 0.1
NOTHING = {"text/plain": ""}
"""An output that takes no room, and that strict nbval and nbconvert accept."""


class LiveView(Generic[EventT]):
    """Show something while it runs, and leave nothing behind when it ends.

    Without a kernel it shows nothing, and `control` is one that nobody uses. A subclass says what the widget is.

    Args:
        state: folds the events that are told.
        live: whether to show anything.

    Attributes:
        control: to be given to what runs, with `on_event`.
    """

    def __init__(self, state: State[EventT], *, live: bool) -> None:
        self.control = TrainControl()
        self._state = state
        self._live = live
        self._widget: LiveWidget | None = None
        self._stack = ExitStack()
        self._next_message = 0.0
        self._sync_asked = False

    @staticmethod
    @abstractmethod
    def _widget_class() -> type[LiveWidget]:
        """Return the widget that draws the state; called only where there is a kernel, as its import is heavy."""

    def __enter__(self) -> Self:
        """Show the view, if there is a kernel to show it."""
        kernel = running_kernel() if self._live else None
        if kernel is not None:
            with ExitStack() as stack:
                self._show(kernel, stack)
                self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the view away; where its output cannot be reached any more, after a reload, it says how all ended."""
        self._stack.close()

    def on_event(self, event: EventT) -> None:
        """Show what happened, at most ten times a second."""
        if self._widget is not None:
            self._state.apply(event)
            self._send_if_due()

    def _show(self, kernel: Any, stack: ExitStack) -> None:
        from IPython.display import display

        self._widget = widget = self._widget_class()(snapshot=self._state.snapshot, receive=self._receive)
        handle = display(widget_view(widget), raw=True, display_id=True)
        stack.callback(handle.update, NOTHING, raw=True)
        stack.callback(self._finish)
        self.control = stack.enter_context(
            PumpControl(kernel, comm_id=widget.model_id, receive=self._receive, idle=self._send_if_due)
        )

    def _receive(self, command: Mapping[str, Any]) -> None:
        """Note what the front end asks for, in whatever thread."""
        match command.get("cmd"):
            case "stop" | "pause" | "continue" as wish:
                self.control.request(Wish(wish))
            case "sync":
                self._sync_asked = True

    def _finish(self) -> None:
        self._state.end()
        self._send()

    def _send_if_due(self) -> None:
        if monotonic() >= self._next_message:
            self._send()

    def _send(self) -> None:
        assert self._widget is not None
        self._next_message = monotonic() + _SECONDS_BETWEEN_MESSAGES
        if self.control.stop_requested:
            self._state.stop()
        if self._sync_asked:
            self._sync_asked = False
            self._widget.send_state("state")
        elif delta := self._state.delta():
            self._widget.send(delta)


def widget_view(widget: LiveWidget) -> dict[str, Any]:
    """Return the output that shows a widget, and leaves nothing where there is none."""
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {**NOTHING, "application/vnd.jupyter.widget-view+json": view}


def running_kernel() -> Any:
    """Return the ipykernel that runs this code, or None; IPython is not imported for it."""
    ipython = sys.modules.get("IPython")
    return getattr(ipython.get_ipython(), "kernel", None) if ipython else None
