"""The registry in a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.services.aliases import history, standing
from jupyter_mltrain.services.registry import list_models
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.widgets.aliases_view import Timeline
from jupyter_mltrain.widgets.models_view import ModelsList
from jupyter_mltrain.widgets.registry_state import RegistryState
from jupyter_mltrain.widgets.standing_view import StandingView
from jupyter_mltrain.widgets.view import Page, Section, View

if TYPE_CHECKING:
    from jupyter_mltrain.widgets.live_widget import LiveWidget


@dataclass(frozen=True, slots=True, repr=False)
class RegistryPage(Page):
    """The newest version of each model, and the timelines of all aliases."""

    models: ModelsList
    timelines: tuple[Timeline, ...]

    def parts(self) -> Sequence[View]:
        """Return the table and, folded, a timeline a model."""
        return [self.models, *(Section(f"Aliases of {each.model}", (each,)) for each in self.timelines)]


class RegistryView(StandingView):
    """What `%models` shows.

    Args:
        session: where the models are registered.
        live: whether to show more than the table, if there is a kernel to show it.
    """

    def __init__(self, session: Session, *, live: bool) -> None:
        super().__init__(live=live)
        self._session = session
        self._state = RegistryState(session)

    def _page(self) -> RegistryPage:
        standing_now = standing(self._session)
        timelines = tuple(Timeline(name, history(self._session, name)) for name in standing_now)
        return RegistryPage(ModelsList(list_models(self._session), standing_now), timelines)

    def _make_widget(self) -> LiveWidget:
        from jupyter_mltrain.widgets.live_widget import RegistryWidget

        return RegistryWidget(snapshot=self._state.snapshot, receive=self._receive)

    def _do(self, command: Mapping[str, Any]) -> bool:
        self._state.do(command)
        return True

    def _answer(self, widget: LiveWidget, _command: Mapping[str, Any]) -> None:
        widget.send_state("state")
