"""TensorBoard in a cell: itself where a browser reaches it, and what stays of it in the saved notebook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

from jupyter_mltrain.domain.board import Board
from jupyter_mltrain.domain.search import Search
from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.curves import CurvesPicture
from jupyter_mltrain.widgets.picture import PictureView
from jupyter_mltrain.widgets.search_picture import SearchPicture
from jupyter_mltrain.widgets.view import Line, View

_UNREACHED = (
    "This page cannot reach TensorBoard. Has the kernel ended since? Run the cell again. Is the Jupyter server another "
    "machine? Install jupyter-server-proxy there, or forward its port {port}. The curves are shown below."
)


@dataclass(frozen=True, slots=True, repr=False)
class BoardView(View):
    """What `%runs board` shows: a line, and under it TensorBoard, put there by a script that first looks where it is reached.

    A saved notebook keeps the line; its script shows nothing of a TensorBoard that is gone.

    Attributes:
        is_in_browser: whether there is one that shows it; else the line tells the address.
    """

    board: Board
    is_in_browser: bool

    def text(self) -> str:
        """Return the line, the same each time in a notebook."""
        return self._line().text()

    def html(self) -> str:
        """Return the line and the script."""
        server = self.board.server
        where = {
            "port": server.port,
            "prefix": server.prefix,
            "query": f"?{urlencode({'runFilter': self.board.run_filter})}#timeseries",
            "title": self.text(),
            "unreached": _UNREACHED.format(port=server.port),
        }
        data = theme.escape(json.dumps(where))
        return f'{self._line().html()}<div class="mltrain-board" data-board="{data}"></div><script>{_script()}</script>'

    def _line(self) -> Line:
        what = ", ".join(each.ref for each in self.board.chosen) or "the runs of this home"
        at = "" if self.is_in_browser else f" at {self.board.server.address}"
        return Line(f"{what}{at}.", lead="TensorBoard")


def pictures(board: Board) -> Iterator[PictureView]:
    """Yield what shows the same runs without TensorBoard: their curves, and a picture of each search."""
    if any(run.epochs for run in board.runs):
        yield CurvesPicture(board.runs)
    yield from (SearchPicture(each) for each in board.chosen if isinstance(each, Search))


@cache
def _script() -> str:
    return Path(__file__).with_name("board.js").read_text("utf-8")
