"""The words for moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.services.runs import moment


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("2d", timedelta(days=2)),
        ("3w", timedelta(weeks=3)),
    ],
)
def test_a_moment_may_be_a_while_ago(text, ago):
    now = datetime.now().astimezone()
    assert abs(now - ago - moment(text)) < timedelta(seconds=5)


def test_a_moment_may_be_a_date_or_a_time_of_this_place():
    assert moment("2026-11-01") == datetime(2026, 11, 1).astimezone()
    assert moment("2026-11-01T14:30") == datetime(2026, 11, 1, 14, 30).astimezone()
    assert moment("2026-11-01T14:30+02:00") == datetime(2026, 11, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["soon", "2 days", "d", "-1d", "2026-13-01", ""])
def test_other_words_are_refused(text):
    with pytest.raises(OptionError, match="expected a time like 2d, 12h or 2026-11-01"):
        moment(text)
