"""The widget of the live view: carries its state to the front end and the front end's commands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

_FOLDER = Path(__file__).parent


class LiveWidget(anywidget.AnyWidget):
    """A model whose `state` is asked for whenever it is sent, so that a reloaded page gets the newest.

    Args:
        snapshot: returns the state; may be called in any thread.
        receive: takes a command, `{"cmd": "stop"}` or `{"cmd": "sync"}`; may be called in any thread.
    """

    _esm = "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in ("curves.js", "train_view.js"))
    _css = (_FOLDER / "train_view.css").read_text(encoding="utf-8")
    state = traitlets.Dict().tag(sync=True, to_json=lambda _, widget: widget.snapshot())

    def __init__(self, *, snapshot: Callable[[], Mapping[str, Any]], receive: Callable[[Mapping[str, Any]], None]) -> None:
        self.snapshot = snapshot
        super().__init__()
        self.on_msg(lambda _widget, content, _buffers: receive(content))

    def __repr__(self) -> str:
        return "LiveWidget()"
