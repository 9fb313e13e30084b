"""The live view of a training, in the cell that trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mltrain.domain.events import Event
from jupyter_mltrain.widgets.live_state import LiveState
from jupyter_mltrain.widgets.live_view import LiveView

if TYPE_CHECKING:
    from jupyter_mltrain.widgets.live_widget import LiveWidget


class TrainView(LiveView[Event]):
    """Show a training while it runs, and leave nothing behind when it ends.

    Args:
        name: of the run, until the run has one of its own.
        live: whether to show anything.
    """

    def __init__(self, name: str, *, live: bool = True) -> None:
        super().__init__(LiveState(name), live=live)

    @staticmethod
    def _widget_class() -> type[LiveWidget]:
        from jupyter_mltrain.widgets.live_widget import TrainWidget

        return TrainWidget
