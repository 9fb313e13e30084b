"""Aliases: movable names for the versions of a model, with every move that was made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from jupyter_mltrain.domain.errors import OptionError

_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasMove:
    """One span of an alias's timeline: which version it stood for, since when, and who said so.

    Attributes:
        number: counts the moves of this alias from 1.
        version: that it stood for; None where it was taken away.
        before: the version of the move before; None where it stood for none.
        moved_at, until: with time zone; until is the next move's moment, None for the one that holds now.
        reason: as it was given, may be empty.
        is_rollback: it went back to what it was, instead of on to another version.
    """

    model: str
    alias: str
    number: int
    version: int | None
    before: int | None
    moved_at: datetime
    until: datetime | None
    user: str
    reason: str
    is_rollback: bool

    @property
    def ref(self) -> str:
        """`digits@champion`."""
        return f"{self.model}@{self.alias}"


def check_alias(alias: str) -> str:
    """Return `alias` if it can name a version and cannot be taken for a number; raise `OptionError` if not."""
    if not _ALIAS.fullmatch(alias):
        raise OptionError(
            "expected an alias of 1 to 100 letters, digits, '.', '_' or '-', beginning with a letter, "
            f"received {alias[:120]!r}: choose another, such as champion"
        )
    return alias


def version_to_go_back_to(moves: Sequence[AliasMove]) -> int | None:
    """Return what an alias stood for before the last move that was not taken back; None for no version.

    Args:
        moves: all of one alias, the oldest first; the last of them stands for a version.
    """
    kept: list[int | None] = [None]
    for move in moves:
        if move.is_rollback:
            kept.pop()
        else:
            kept.append(move.version)
    return kept[-2]
