"""A TensorBoard that runs, and what of it is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_mltrain.domain.run import Process, Run
from jupyter_mltrain.domain.search import Search


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardServer:
    """One TensorBoard, on the loopback address alone.

    Attributes:
        process: that serves.
        port: of 127.0.0.1.
        prefix: first part of its paths, drawn at random, so that nothing else on that port is taken for it: `/3f9c…`.
    """

    process: Process
    port: int
    prefix: str

    @property
    def address(self) -> str:
        """Where it is found on its own machine."""
        return f"http://127.0.0.1:{self.port}{self.prefix}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A TensorBoard and what of it is looked at.

    Attributes:
        server: where it is.
        chosen: the runs, trials and searches that were named; empty for all runs of the home.
        runs: with their epochs, to draw curves of: those chosen, or the newest.
        run_filter: regular expression for the names that TensorBoard gives to the runs looked at.
    """

    server: BoardServer
    chosen: Sequence[Run | Search]
    runs: tuple[Run, ...]
    run_filter: str
