"""The registry in a cell: alive where there is a kernel, and a table that stays in the saved notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.services.aliases import history, standing
from jupyter_mltrain.services.registry import list_models
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.widgets.aliases_view import Timeline
from jupyter_mltrain.widgets.live_view import running_kernel, widget_view
from jupyter_mltrain.widgets.models_view import ModelsList
from jupyter_mltrain.widgets.registry_state import RegistryState
from jupyter_mltrain.widgets.view import Page, Section, View

if TYPE_CHECKING:
    from jupyter_mltrain.widgets.live_widget import LiveWidget

_TWIN = """<style>
.jp-OutputArea-child:has(.mltrain-twin):has(+ .jp-OutputArea-child .mlt-registry),
.jp-OutputArea-child:has(.mltrain-twin) + .jp-OutputArea-child:has(> .lm-Panel.jp-OutputArea-output):not(:has(.mlt)) {
  display: none;
}
</style><div class="mltrain-twin"></div>"""
"""Hides the table while the live view below it is there, and what a front end says in its place when it is not."""


@dataclass(frozen=True, slots=True, repr=False)
class RegistryPage(Page):
    """The newest version of each model, and the timelines of all aliases."""

    models: ModelsList
    timelines: tuple[Timeline, ...]

    def parts(self) -> Sequence[View]:
        """Return the table and, folded, a timeline a model."""
        return [self.models, *(Section(f"Aliases of {each.model}", (each,)) for each in self.timelines)]


class RegistryView:
    """What `%models` shows.

    Args:
        session: where the models are registered.
        live: whether to show more than the table, if there is a kernel to show it.
    """

    def __init__(self, session: Session, *, live: bool) -> None:
        self._session, self._live = session, live
        self._state = RegistryState(session)
        self._widget: LiveWidget | None = None
        self._twin: Any = None

    def show(self) -> None:
        """Show the table and over it, where there is a kernel, the live view."""
        from IPython.display import display

        if not self._live or running_kernel() is None:
            display(self._page())
            return
        from jupyter_mltrain.widgets.live_widget import RegistryWidget

        self._twin = display(self._bundle(), raw=True, display_id=True)
        self._widget = RegistryWidget(snapshot=self._state.snapshot, receive=self._receive)
        display(widget_view(self._widget), raw=True)

    def _receive(self, command: Mapping[str, Any]) -> None:
        """Do what a button asks for, bring the table that stays up to date, and show what came of it."""
        assert self._widget is not None
        self._state.do(command)
        self._twin.update(self._bundle(), raw=True)  # first: whoever sees the answer may save
        self._widget.send_state("state")

    def _page(self) -> RegistryPage:
        standing_now = standing(self._session)
        timelines = tuple(Timeline(name, history(self._session, name)) for name in standing_now)
        return RegistryPage(ModelsList(list_models(self._session), standing_now), timelines)

    def _bundle(self) -> dict[str, str]:
        bundle: dict[str, str] = self._page()._repr_mimebundle_()
        return {**bundle, "text/html": bundle["text/html"] + _TWIN}
