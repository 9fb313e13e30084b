"""The one place where errors become short: a line for ours, the user's own lines for the user's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from jupyter_mltrain.domain.errors import MLTrainError

_PACKAGE = str(Path(__file__).parents[1])


@contextmanager
def shown_short(shell: Any, *, short: bool) -> Iterator[None]:
    """Let IPython show what is raised inside without the frames of IPython and of this package.

    The exception goes on as it is, so that the kernel, nbval, nbconvert and papermill see an error, and debuggers the whole
    traceback.
    """
    try:
        yield
    except MLTrainError as error:
        if short:
            _render(error, [f"{type(error).__name__}: {error}"])
        raise
    except SyntaxError:
        raise  # IPython shows these short by itself
    except Exception as error:
        users = _users_frames(error.__traceback__)
        if short and users is not None:
            _render(error, shell.InteractiveTB.structured_traceback(type(error), error, users))
        raise


def _render(error: Exception, lines: list[str]) -> None:
    error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]


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
