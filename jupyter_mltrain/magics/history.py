"""The cells that ran in this session."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

_MARK = "__jupyter_mltrain__"  # among the names that the shell hides, which `%reset` takes away with all that cells made


def history_of(shell: Any) -> History | None:
    """Return the history of a shell in which the extension is loaded, else None."""
    magics = shell.magics_manager.registry.get("TrainMagics")
    return magics.history if magics else None


class History:
    """Tells the text of the cells that ran without an error before the one that runs now, in their order."""

    def __init__(self, shell: Any, on_cell: Callable[[str], object]) -> None:
        """Listen to the cells that follow.

        Args:
            shell: whose own history tells of the cells that ran before.
            on_cell: given each cell once it ran, to be ready for it; what it raises is left unsaid.
        """
        self._on_cell = on_cell
        self._manager, self._events, self._hidden = shell.history_manager, shell.events, shell.user_ns_hidden
        self._num_gone = 0
        self._running, self._num_calls = "", 0
        self._num_before = max(0, len(self._raw) - 1)  # the last one, which loads the extension, still runs
        self._failed = set(getattr(self._manager, "exceptions", ()))
        self._hidden[_MARK] = True
        self._events.register("pre_run_cell", self._on_begin)
        self._events.register("post_run_cell", self._on_end)

    def cells(self) -> tuple[str, ...]:
        """Return them, as they were typed."""
        before = enumerate(self._raw[: self._num_before])
        return tuple(cell for index, cell in before if cell and index >= self._num_gone and index not in self._failed)

    def call(self) -> tuple[str, int]:
        """Return the cell that runs, as it was typed, and how many times that was asked for in it; no text where none runs."""
        self._num_calls += 1
        return self._running, self._num_calls

    def close(self) -> None:
        """Listen no longer."""
        self._events.unregister("pre_run_cell", self._on_begin)
        self._events.unregister("post_run_cell", self._on_end)

    @property
    def _raw(self) -> list[str]:
        return self._manager.input_hist_raw if self._manager else []

    def _on_begin(self, info: Any) -> None:
        self._running, self._num_calls = getattr(info, "raw_cell", ""), 0
        self._num_before = len(self._raw)
        if _MARK not in self._hidden:
            self._hidden[_MARK] = True
            self._num_gone = self._num_before

    def _on_end(self, result: Any) -> None:
        self._running = ""
        index, self._num_before = self._num_before, len(self._raw)
        if index == self._num_before:  # it is not kept in the shell's history
            return
        if not (result and result.success):
            self._failed.add(index)
            return
        with suppress(Exception):  # of any code that people write
            self._on_cell(self._raw[index])
