"""The widgets of the live views: carry their state to the front end and the front end's commands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets


def _joined(*names: str) -> str:
    """Return the files of this folder as one, as a front end takes only one."""
    return "\n".join(Path(__file__).with_name(name).read_text(encoding="utf-8") for name in names)


class LiveWidget(anywidget.AnyWidget):
    """A model whose `state` is asked for whenever it is sent, so that a reloaded page gets the newest.

    Args:
        snapshot: returns the state; may be called in any thread.
        receive: takes a command, `{"cmd": "stop"}` or `{"cmd": "sync"}`; may be called in any thread.

    Attributes:
        cell_id: of the cell that shows it, for views that put cells below; empty where that is not known.
    """

    state = traitlets.Dict().tag(sync=True, to_json=lambda _, widget: widget.snapshot())
    cell_id = traitlets.Unicode().tag(sync=True)

    def __init__(self, *, snapshot: Callable[[], Mapping[str, Any]], receive: Callable[[Mapping[str, Any]], None]) -> None:
        self.snapshot = snapshot
        super().__init__()
        self.on_msg(lambda _widget, content, _buffers: receive(content))

    def __repr__(self) -> str:
        return "LiveWidget()"


class TrainWidget(LiveWidget):
    """Draws `LiveState`."""

    _esm = _joined("dom.js", "follow.js", "curves.js", "live.js", "train_view.js")
    _css = _joined("live.css")


class SearchWidget(LiveWidget):
    """Draws `SearchState`."""

    _esm = _joined("dom.js", "follow.js", "curves.js", "live.js", "trials_chart.js", "trials_table.js", "search_view.js")
    _css = _joined("live.css", "search_view.css")


class RegistryWidget(LiveWidget):
    """Draws `RegistryState`."""

    _esm = _joined("dom.js", "controls.js", "registry_view.js")
    _css = _joined("live.css", "controls.css", "records.css", "registry_view.css")


class RunsWidget(LiveWidget):
    """Draws `RunsState`."""

    _esm = _joined("dom.js", "controls.js", "follow.js", "curves.js", "runs_overlay.js", "runs_view.js")
    _css = _joined("live.css", "controls.css", "records.css", "runs_view.css")


class FormWidget(LiveWidget):
    """Draws `FormState`."""

    _esm = _joined("dom.js", "controls.js", "form_view.js")
    _css = _joined("live.css", "controls.css", "form_view.css")
