"""The live view of a search, in the cell that searches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mltrain.domain.events import SearchEvent
from jupyter_mltrain.widgets.live_view import LiveView
from jupyter_mltrain.widgets.search_state import SearchState

if TYPE_CHECKING:
    from jupyter_mltrain.widgets.live_widget import LiveWidget


class SearchView(LiveView[SearchEvent]):
    """Show a search while it runs, and leave nothing behind when it ends.

    Args:
        name: of the search, until the search has one of its own.
        live: whether to show anything.
    """

    def __init__(self, name: str, *, live: bool = True) -> None:
        super().__init__(SearchState(name), live=live)

    @staticmethod
    def _widget_class() -> type[LiveWidget]:
        from jupyter_mltrain.widgets.live_widget import SearchWidget

        return SearchWidget
