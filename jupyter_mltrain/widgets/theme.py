"""How everything that a cell shows looks: colours, numbers as text, and the one place where text becomes HTML."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Colours of curves, told apart with any kind of colour vision (Okabe and Ito, "Color Universal Design", 2008)."""

SCALE = ("#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#08519c", "#08306b")
"""From the worst to the best: darker with every step, so that lightness alone tells them apart (ColorBrewer's Blues)."""

INK, MUTED, GRID, GROUND = "#1a1a1a", "#595959", "#e3e3e3", "#ffffff"
"""Text, lesser text, grid lines and background of a picture."""

STYLE = f"<style>{' '.join(Path(__file__).with_name('theme.css').read_text('utf-8').split())}</style>"
"""Follows the front end's light or dark theme; where it is stripped, all stays readable as plain HTML.

Its class stands twice, `.mltrain.mltrain`, to weigh more than the front end's own rules for what is inside an output.
"""

_LONGEST_WORD = 60
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    r"""Return `text` with every character that hides or reorders others written as its escape, as in `\u202e`."""
    return _UNSEEN.sub(lambda match: ascii(match[0])[1:-1], text)


def one_line(text: str, width: int) -> str:
    """Return `text` on one line of at most `width` characters."""
    line = visible(text[: 2 * width].replace("\r\n", "\n").replace("\n", "↵").replace("\t", " "))
    return line if len(line) <= width else line[: width - 1] + "…"


def escape(text: str) -> str:
    """Return HTML that shows exactly `text`, in an element or in a quoted attribute."""
    return html.escape(visible(text))


def breaking(text: str) -> str:
    """Return the attribute of an element that breaks words which no line can hold; none for text without such words."""
    return ' style="overflow-wrap:anywhere"' if any(len(word) > _LONGEST_WORD for word in text.split()) else ""


def number(value: float, digits: int = 3) -> str:
    """Return `value` with three significant digits, integers whole: `0.0123`, `12.0`, `1235`, `1.20e-05`."""
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    if value == 0 or 10**digits - 0.5 <= abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:#.{digits}g}".removesuffix(".")


def count(value: int) -> str:
    """Return `12,345`."""
    return f"{value:,}"


def size(num_bytes: float) -> str:
    """Return bytes as people say them: `512 B`, `1.50 MB`, `16.0 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if num_bytes < 1000:
            return f"{number(num_bytes)} {unit}"
        num_bytes /= 1000
    return f"{number(num_bytes)} TB"


def duration(seconds: float) -> str:
    """Return `0.25 s`, `4.2 s`, `3 min 12 s` or `2 h 5 min`."""
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def moment(when: datetime) -> str:
    """Return the reader's local date and time, `2026-03-01 14:05:09`, which also sorts as text."""
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def plural(num: int, what: str) -> str:
    """Return `1 epoch` or `3 epochs`."""
    return f"{count(num)} {what}" + ("" if num == 1 else "s")


def recorded(value: Any) -> str:
    """Return any recorded value as a person would write it: `yes`, `0.001`, `8, 8, 1`, `a: 1, b: 2`."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {recorded(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(recorded, value))
    return str(value) if isinstance(value, str | int | PurePath) else repr(value)
