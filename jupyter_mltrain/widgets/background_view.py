"""A run that trains in a process of its own, in any cell of any notebook of its home: live, then what came of it."""

from __future__ import annotations

import contextvars
import re
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.domain.errors import MLTrainError
from jupyter_mltrain.domain.events import Notice, Progress, Wish
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.services.background import BackgroundRun
from jupyter_mltrain.widgets.curves import CurvesPicture
from jupyter_mltrain.widgets.live_state import LiveState
from jupyter_mltrain.widgets.live_view import NOTHING, running_kernel, widget_view
from jupyter_mltrain.widgets.run_view import RunResult, group
from jupyter_mltrain.widgets.view import Page, Verbatim, View

if TYPE_CHECKING:
    from jupyter_mltrain.widgets.live_widget import LiveWidget

_SECONDS_BETWEEN_LOOKS = 0.2
_PACKAGE = Path(__file__).parents[1]
_FRAMES = re.compile(r'^(?=  File ")', re.MULTILINE)
_MOST_OF_OUTPUT = 5000  # characters, while it trains
_LOOKS_BETWEEN_QUESTIONS = 25  # whether its process still lives


@dataclass(frozen=True, slots=True, repr=False)
class BackgroundResult(Page):
    """What a run came to, what its process printed, and what went wrong.

    Attributes:
        notices: sentences for the user.
        output: as it was printed.
    """

    run: Run
    notices: tuple[str, ...]
    output: str

    def parts(self) -> Sequence[View]:
        """Return the result, and what there is besides."""
        failure = self.run.failure
        besides = (
            group("Output", Verbatim(self.output) if self.output else None, unfolded=True),
            group("Failure", Verbatim(_without_ours(failure.traceback)) if failure else None, unfolded=True),
        )
        return [*RunResult(self.run, self.notices).parts(), *filter(None, besides)]


class BackgroundView:
    """Show a run while it trains, in a thread of its own, and its result when it has ended.

    Args:
        background: the run.
        live: whether to follow it, where there is a kernel to show that; what has ended is shown in any case.
    """

    def __init__(self, background: BackgroundRun, *, live: bool = True) -> None:
        self._background, self._live = background, live
        self._state = LiveState(background.ref)
        self._widget: LiveWidget | None = None
        self._notices: list[str] = []
        self._position = 0
        self._progress: Progress | None = None
        self._has_ended = False

    def show(self) -> None:
        """Show it in the running cell."""
        from IPython.display import display

        if self._background.done:
            self._look()
            display(*self._result())
        elif self._live and running_kernel() is not None:
            self._follow()

    def _follow(self) -> None:
        from IPython.display import display

        from jupyter_mltrain.widgets.live_widget import TrainWidget

        self._look()
        self._widget = TrainWidget(snapshot=self._state.snapshot, receive=self._receive)
        outputs = [
            display(widget_view(self._widget), raw=True, display_id=True),
            display(NOTHING, raw=True, display_id=True),  # for the curves
        ]
        context = contextvars.copy_context()  # says which cell's the outputs are
        threading.Thread(target=context.run, args=(self._follow_to_its_end, outputs), daemon=True).start()

    def _follow_to_its_end(self, outputs: list[Any]) -> None:
        num_looks = 0
        while not self._has_ended:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            num_looks += 1
            try:
                self._look()
                if num_looks % _LOOKS_BETWEEN_QUESTIONS == 0 and self._background.done:
                    self._has_ended = True
            except (MLTrainError, OSError):  # the run was removed, or its home is not to be reached
                self._has_ended = True
            if self._has_ended:
                self._state.end(f"{self._background.status.capitalize()}.")
            self._send()
        for output, view in zip(outputs, self._result(), strict=False):
            output.update(view)

    def _look(self) -> None:
        """Take in what has happened since the last time."""
        events, self._position = self._background.events(self._position)
        for event in events:
            if event is None:
                self._has_ended = True
            else:
                if isinstance(event, Notice):
                    self._notices.append(event.text)
                self._state.apply(event)
        self._state.print(self._background.output[-_MOST_OF_OUTPUT:])
        progress = self._background.progress()
        if progress not in (None, self._progress):
            self._progress = progress
            self._state.apply(progress)

    def _result(self) -> list[Any]:
        run = self._background.run
        result = BackgroundResult(run, tuple(self._notices), self._background.output)
        return [result, *([CurvesPicture((run,))] if run.epochs else [])]

    def _receive(self, command: Mapping[str, Any]) -> None:
        """Hand on what the front end asks for."""
        assert self._widget is not None
        match command.get("cmd"):
            case "sync":
                self._widget.send_state("state")
            case "stop" | "pause" | "continue" as wish:
                with suppress(MLTrainError):  # it has ended meanwhile
                    self._background.ask(Wish(wish))

    def _send(self) -> None:
        assert self._widget is not None
        if delta := self._state.delta():
            self._widget.send(delta)


def _without_ours(traceback: str) -> str:
    """Leave the frames of this package out, but for one that raised by itself."""
    *head, last = _FRAMES.split(traceback)
    return "".join(part for part in head if not part.startswith(f'  File "{_PACKAGE}')) + last
