"""Where a cell's output goes once the cell has ended: what a button does later is shown under the same cell."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class CellOutput:
    """The output of the cell that runs when this is made.

    A front end puts a message under the cell whose request it answers. After the page was loaded anew it does not know the
    request any more, and what is shown goes nowhere.
    """

    def __init__(self) -> None:
        self._request = _shell().get_parent()

    @property
    def cell_id(self) -> str:
        """The cell's id in its notebook, empty where the front end does not tell it."""
        return str((self._request.get("metadata") or {}).get("cellId", ""))

    @contextmanager
    def resumed(self) -> Iterator[None]:
        """Let all that is shown and printed go under the cell."""
        shell = _shell()
        before = shell.get_parent()
        shell.set_parent(self._request)
        try:
            yield
        finally:
            shell.set_parent(before)


def _shell() -> Any:
    return sys.modules["IPython"].get_ipython()
