"""Aliases: one move in a sentence, and the timeline of all moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_mltrain.domain.alias import AliasMove
from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.table import Cell, Table, Value
from jupyter_mltrain.widgets.view import Line, Page, View

_COLUMNS = ("alias", "version", "from", "until", "moved by", "how", "reason")


def move_line(move: AliasMove) -> Line:
    """Return what an alias stands for since a move, and what it stood for before."""
    return Line(f"{_named(move, move.version)} now, {_named(move, move.before)} before.", lead=move.ref)


def how(move: AliasMove) -> str:
    """Return how an alias came to stand where it does: `set`, `moved` or `rolled back`."""
    if move.is_rollback:
        return "rolled back"
    return "set" if move.before is None else "moved"


@dataclass(frozen=True, slots=True, repr=False)
class Timeline(Page):
    """What `%models history` shows: which version an alias stood for, from when to when, by whom and why.

    Attributes:
        model: whose aliases they are.
        moves: in the order to be shown.
    """

    model: str
    moves: Sequence[AliasMove]

    def parts(self) -> Sequence[View]:
        """Return the table, or what to do first."""
        if not self.moves:
            return [Line(f"No alias of {self.model} was ever set: %models promote {self.model} VERSION ALIAS sets one.")]
        return [Table(_COLUMNS, [_row(move) for move in self.moves])]


def _row(move: AliasMove) -> tuple[Value, ...]:
    version = None if move.version is None else f"{move.model}@{move.version}"
    since = Cell(theme.moment(move.moved_at), move.moved_at.timestamp())
    until = "now" if move.until is None else theme.moment(move.until)
    return (move.alias, version, since, until, move.user, how(move), move.reason)


def _named(move: AliasMove, version: int | None) -> str:
    return "no version" if version is None else f"{move.model}@{version}"
