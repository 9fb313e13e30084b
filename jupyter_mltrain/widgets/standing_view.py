"""A page that stays in the saved notebook, and over it, where there is a kernel, a live view."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.domain.errors import MLTrainError
from jupyter_mltrain.widgets.cell_output import CellOutput
from jupyter_mltrain.widgets.live_view import running_kernel, widget_view
from jupyter_mltrain.widgets.view import Page

if TYPE_CHECKING:
    from jupyter_mltrain.widgets.live_widget import LiveWidget

_TWIN = """<style>
.jp-OutputArea-child:has(.mltrain-twin):has(+ .jp-OutputArea-child .mlt),
.jp-OutputArea-child:has(.mltrain-twin) + .jp-OutputArea-child:has(> .lm-Panel.jp-OutputArea-output):not(:has(.mlt)) {
  display: none;
}
</style><div class="mltrain-twin"></div>"""
"""Hides the page while the live view below it is there, and what a front end says in its place when it is not."""


class StandingView(ABC):
    """Show a page and over it, where there is a kernel, a live view that takes commands.

    Args:
        live: whether to show more than the page, if there is a kernel to show it.
    """

    def __init__(self, *, live: bool) -> None:
        self._is_alive = live and running_kernel() is not None
        self._widget: LiveWidget | None = None
        self._twin: Any = None
        if self._is_alive:
            self._output = CellOutput()

    @abstractmethod
    def _page(self) -> Page:
        """Return what stays, as all is now."""

    @abstractmethod
    def _make_widget(self) -> LiveWidget:
        """Return the widget; called only where there is a kernel, as its import is heavy."""

    @abstractmethod
    def _do(self, command: Mapping[str, Any]) -> bool:
        """Do what the front end asks for; return whether the page may be another now."""

    @abstractmethod
    def _answer(self, widget: LiveWidget, command: Mapping[str, Any]) -> None:
        """Show what came of it."""

    def show(self) -> None:
        """Show both, or what there is."""
        from IPython.display import display

        if not self._is_alive:
            display(self._page())
            return
        self._twin = display(self._bundle(), raw=True, display_id=True)
        self._widget = self._make_widget()
        self._widget.cell_id = self._output.cell_id
        display(widget_view(self._widget), raw=True)

    def _receive(self, command: Mapping[str, Any]) -> None:
        """Do a command and bring the page that stays up to date before the answer: whoever sees that may save."""
        assert self._widget is not None
        try:
            if self._do(command):
                with suppress(MLTrainError):  # the live view says it
                    self._twin.update(self._bundle(), raw=True)
        finally:  # the front end waits for it, whatever has happened
            self._answer(self._widget, command)

    def _bundle(self) -> dict[str, str]:
        bundle: dict[str, str] = self._page()._repr_mimebundle_()
        return {**bundle, "text/html": bundle["text/html"] + _TWIN}
