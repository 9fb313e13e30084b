"""The one place where errors become short: a line for ours, the user's own lines for the user's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from jupyter_mltrain.domain.errors import MLTrainError
from jupyter_mltrain.magics.settings import MLTrain

_PACKAGE = str(Path(__file__).parents[1])


def show_ours_short(shell: Any, settings: MLTrain) -> None:
    """Let IPython show every error of ours, from a magic or from a call, in one line while `short_errors` is set."""

    def render(error: MLTrainError) -> list[str]:
        if settings.short_errors:
            return [f"{type(error).__name__}: {error}"]
        return list(shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__))

    MLTrainError._render_traceback_ = render  # type: ignore[attr-defined]


@contextmanager
def users_shown_short(shell: Any, *, short: bool) -> Iterator[None]:
    """Let IPython show what the user's code raises inside without the frames of IPython and of this package.

    The exception goes on as it is, so that the kernel, nbval, nbconvert and papermill see an error, and debuggers the whole
    traceback.
    """
    try:
        yield
    except (MLTrainError, SyntaxError):
        raise  # these are shown short without us
    except Exception as error:  # whatever the user's code raises goes on
        users = _users_frames(error.__traceback__)
        if short and users is not None:
            lines = shell.InteractiveTB.structured_traceback(type(error), error, users)
            error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
        raise


def _users_frames(traceback: TracebackType | None) -> TracebackType | None:
    """Return the frames from the user's cell on, without ours among them; None if the cell is not in there."""
    frames = []
    while traceback is not None:
        frames.append(traceback)
        traceback = traceback.tb_next
    names = [frame.tb_frame.f_code.co_filename for frame in frames]
    ours = [index for index, name in enumerate(names) if name.startswith(_PACKAGE)]
    entered = next((index for index in ours if frames[index].tb_frame.f_code.co_qualname == "NotebookCell.run"), None)
    if entered is None:
        return None
    chain = None
    for index in range(len(frames) - 1, entered, -1):
        if index not in ours:
            frame = frames[index]
            chain = TracebackType(chain, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return chain
