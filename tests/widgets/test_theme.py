from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jupyter_mltrain.widgets import theme


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0123456, "0.0123"),
        (0.5, "0.500"),
        (1.0, "1.00"),
        (99.96, "100"),
        (999.7, "1000"),
        (123456.7, "123457"),
        (12345678.0, "1.23e+07"),
        (0.0000123, "1.23e-05"),
        (-0.0812, "-0.0812"),
        (0.0, "0"),
        (12810, "12810"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_numbers_have_three_significant_digits_and_integers_all(value: float, text: str) -> None:
    assert theme.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.25 s"), (4.21, "4.2 s"), (59.97, "1 min 0 s"), (192, "3 min 12 s"), (3599.6, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert theme.duration(seconds) == text


def test_sizes_counts_and_plurals() -> None:
    assert [theme.size(n) for n in (512, 1_500_000, 16 * 10**9)] == ["512 B", "1.50 MB", "16.0 GB"]
    assert theme.count(1234567) == "1,234,567"
    assert [theme.plural(n, "epoch") for n in (1, 2)] == ["1 epoch", "2 epochs"]


def test_moments_are_local_and_sort_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [datetime(2026, 3, day, 14, 5, 9, tzinfo=UTC) for day in (2, 11)]
    texts = [theme.moment(moment) for moment in moments]
    assert texts == sorted(texts)
    assert datetime.fromisoformat(texts[0]).astimezone(UTC) == moments[0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "yes"),
        (0.0010000000474974513, "0.001"),
        ([None, 8, 8], "none, 8, 8"),
        ({"commit": "0a1b", "dirty": False}, "commit: 0a1b, dirty: no"),
        (Path("a") / "b", "a/b"),
        ({1}, "{1}"),
    ],
)
def test_recorded_values_are_written_as_a_person_would(value: object, text: str) -> None:
    assert theme.recorded(value) == text


def test_html_is_escaped_for_elements_and_for_attributes() -> None:
    assert theme.escape("<script>'\"&") == "&lt;script&gt;&#x27;&quot;&amp;"


def test_characters_that_hide_or_reorder_text_are_shown_as_escapes() -> None:
    assert theme.visible("a\u202eb\x1b[31m\x00\ud800") == r"a\u202eb\x1b[31m\x00\ud800"
    assert theme.visible("שלום\tعربي\n👩\u200d🔬") == "שלום\tعربي\n👩\u200d🔬"


def test_one_line_is_one_line_and_no_longer_than_asked() -> None:
    assert theme.one_line("a\r\nb\nc\td", 20) == "a↵b↵c d"
    assert theme.one_line("x" * 10_000, 10) == "xxxxxxxxx…"
    assert theme.one_line("x" * 10, 10) == "x" * 10
