"""Tables: plain HTML that a small script of its own makes sortable, searchable and paged where scripts may run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.view import View

_TEXT_CELL, _HTML_CELL = 48, 300  # characters shown of a cell that is longer
_LONG_NAME, _LONG_VALUE = 48, 1000  # characters of a name that has several lines, of a value that scrolls
_TEXT_ROWS = 50


@dataclass(frozen=True, slots=True)
class Cell:
    """A number that is shown in its own way: `Cell("1.50 MB", 1_500_000)` sorts by its value."""

    shown: str
    value: float


Value = str | float | Cell | None


@dataclass(frozen=True, slots=True, repr=False)
class Table(View):
    """Rows under column headers; the first column names the row.

    Attributes:
        rows: as many values as there are columns each; numbers are shown with three significant digits, None is empty.
        caption: one line above the table.
        sortable: headers sort; more than 10 rows can be searched, more than 50 are paged.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    caption: str = ""
    sortable: bool = True

    def text(self) -> str:
        """Return aligned columns; long cells and rows past the fiftieth are cut."""
        lines = [[_shown(value, _TEXT_CELL) for value in row] for row in (self.columns, *self.rows[:_TEXT_ROWS])]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        numeric = self._numeric()
        text = [
            "  " + "  ".join(c.rjust(w) if n else c.ljust(w) for c, w, n in zip(line, widths, numeric, strict=True)).rstrip()
            for line in lines
        ]
        more = len(self.rows) - _TEXT_ROWS
        caption = [theme.visible(self.caption)] if self.caption else []
        return "\n".join(caption + text + ([f"  … and {more} more"] if more > 0 else []))

    def html(self) -> str:
        """Return the table, and the script if it is sortable."""
        caption = f"<caption>{theme.escape(self.caption)}</caption>" if self.caption else ""
        heads = "".join(_head("col", column) for column in self.columns)
        numeric = self._numeric()
        script = f"<script>{_script()}</script>" if self.sortable and len(self.rows) > 1 else ""
        marks = ["mltrain-sortable"] * bool(script) + [f"mltrain-n{i}" for i, is_number in enumerate(numeric, 1) if is_number]
        body = "".join(_row(row, sortable=self.sortable) for row in self.rows)
        return (
            f'{_alignment(numeric)}<div class="mltrain-table"><table class="{" ".join(marks)}">{caption}'
            f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>{script}"
        )

    def _numeric(self) -> list[bool]:
        """Tell which columns hold numbers."""
        return [any(isinstance(row[i], float | int | Cell) for row in self.rows) for i in range(len(self.columns))]


@dataclass(frozen=True, slots=True, repr=False)
class Fields(View):
    """Names and their values, nothing cut; empty ones are left out."""

    pairs: Sequence[tuple[str, str | None]]

    def text(self) -> str:
        """Return a line each."""
        pairs = self._filled()
        names = [theme.one_line(name, _HTML_CELL) for name, _ in pairs]
        width = min(_LONG_NAME, max(map(len, names), default=0))
        return "\n".join(
            f"  {name:<{width}}  {theme.one_line(value, 10_000)}" for name, (_, value) in zip(names, pairs, strict=True)
        )

    def html(self) -> str:
        """Return a table of two columns."""
        left = "text-align:left"  # not left to the theme: front ends that strip it set cells to the right
        rows = "".join(
            f'<tr>{_head("row", name, style=left)}<td style="{left}">{_scrolling(value)}</td></tr>'
            for name, value in self._filled()
        )
        return f'<div class="mltrain-table"><table class="mltrain-fields"><tbody>{rows}</tbody></table></div>'

    def _filled(self) -> list[tuple[str, str]]:
        return [(name, value) for name, value in self.pairs if value]


def _shown(value: Value, width: int) -> str:
    if value is None:
        return ""
    if isinstance(value, Cell):
        return value.shown
    return theme.one_line(value, width) if isinstance(value, str) else theme.number(value)


def _row(row: Sequence[Value], *, sortable: bool) -> str:
    """Return a row, with what to sort it by.

    Its cells end where the next begins, which HTML allows and which saves half the bytes of a long table.
    """
    name, *values = row
    cells = "".join(f"<td{_sort_key(value) if sortable else ''}>{theme.escape(_shown(value, _HTML_CELL))}" for value in values)
    return f"<tr>{_head('row', name, _sort_key(name) if sortable else '')}{cells}</tr>"


def _head(scope: str, name: Value, attributes: str = "", style: str = "") -> str:
    """Return a header cell; names stand on one line unless they are very long."""
    if isinstance(name, str) and len(name) > _LONG_NAME:
        style += ";white-space:normal;overflow-wrap:anywhere;min-width:14em"
    style = f' style="{style}"' if style else ""
    return f'<th scope="{scope}"{attributes}{style}>{theme.escape(_shown(name, _HTML_CELL))}</th>'


def _scrolling(value: str) -> str:
    if len(value) <= _LONG_VALUE:
        return theme.escape(value)
    return f'<div style="max-height:15em;overflow:auto" tabindex="0">{theme.escape(value)}</div>'


def _sort_key(value: Value) -> str:
    """Return the attribute that a cell is sorted by, if its text would not do."""
    if value is None or isinstance(value, str | int):
        return ""
    number = value.value if isinstance(value, Cell) else value
    key = str(number) if isinstance(number, int) else f"{number:.6g}"
    return "" if key == _shown(value, 0) else f' data-key="{key}"'


def _alignment(numeric: Sequence[bool]) -> str:
    """Return the rule that sets columns of numbers to the right: one a table instead of one a cell."""
    columns = ",".join(
        f".mltrain.mltrain .mltrain-n{i} tr>:nth-child({i})" for i, is_number in enumerate(numeric, 1) if is_number
    )
    return f"<style>{columns}{{text-align:right;white-space:nowrap}}</style>" if columns else ""


@cache
def _script() -> str:
    return Path(__file__).with_name("table.js").read_text("utf-8")
