from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sample_models import make_move
from sample_runs import Page

from jupyter_mltrain.domain.alias import version_to_go_back_to
from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.aliases_view import Timeline, move_line


@pytest.mark.parametrize(
    ("version", "before", "text"),
    [
        (3, None, "digits@champion: digits@3 now, no version before."),
        (3, 2, "digits@champion: digits@3 now, digits@2 before."),
        (None, 3, "digits@champion: no version now, digits@3 before."),
    ],
)
def test_a_move_is_a_sentence(version: int | None, before: int | None, text: str) -> None:
    assert move_line(make_move(version=version, before=before)).text() == text


def test_the_timeline_tells_which_version_from_when_to_when_by_whom_and_why() -> None:
    later = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)
    moves = [
        make_move(number=2, version=None, before=3, moved_at=later, user="bob", reason="", is_rollback=True),
        make_move(until=later, reason="<script>alert('1')</script>"),
    ]
    first, second = theme.moment(make_move().moved_at), theme.moment(later)
    assert Page(Timeline("digits", moves).html()).rows[1:] == [
        ["champion", "", second, "now", "bob", "rolled back", ""],
        ["champion", "digits@3", first, second, "ada", "set", "<script>alert('1')</script>"],
    ]
    assert "<script>alert" not in Timeline("digits", moves).html()


def test_an_empty_timeline_says_how_to_begin_one() -> None:
    told = "No alias of digits was ever set: %models promote digits VERSION ALIAS sets one."
    assert Timeline("digits", []).text() == told


def test_what_was_rolled_back_is_not_gone_back_to() -> None:
    moves = [make_move(version=version) for version in (1, 2, 3)]
    assert version_to_go_back_to(moves) == 2
    moves.append(make_move(version=2, is_rollback=True))
    assert version_to_go_back_to(moves) == 1
    moves.append(make_move(version=1, is_rollback=True))
    assert version_to_go_back_to(moves) is None
    moves.append(make_move(version=3))
    assert version_to_go_back_to(moves) == 1
