"""The aliases of one home's models, and every move that they made."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from jupyter_mltrain.domain.alias import AliasMove, check_alias, version_to_go_back_to
from jupyter_mltrain.domain.errors import ConflictError, UnknownNameError, did_you_mean
from jupyter_mltrain.store.database import Database
from jupyter_mltrain.store.model_refs import aliases, aliases_of, check_in_use, check_model, version_named
from jupyter_mltrain.store.record_files import keep
from jupyter_mltrain.store.schema import alias_moves as table


class AliasStore:
    """Movable names for versions of models, in MLflow's sense: an alias stands for one version, a version may have several.

    Threads and processes may use it at once. Whoever moves an alias says where they saw it; if somebody has moved it since,
    nothing is written. Moves are only ever added, each begins where the one before ends, and none is earlier than the one
    before, so that a timeline has no gap and no overlap even if a clock was set back.

    Every method raises `StoreError` if the home cannot be read or written, and `UnknownNameError` if there is no such model
    or version.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        """Keep moves in `database`; `folder` holds the files of models."""
        self._database = database
        self._folder = folder

    def standing(self, model: str | None = None) -> dict[str, dict[str, int]]:
        """Return model to alias to the version that it stands for, of one model or of all that have aliases."""
        with self._database.read() as connection:
            return aliases(connection) if model is None else {model: aliases_of(connection, model)}

    def history(self, model: str, alias: str | None = None) -> tuple[AliasMove, ...]:
        """Return the moves of one alias of a model, or of all, alias by alias, the oldest first.

        Raises:
            UnknownNameError: there never was such an alias.
        """
        with self._database.read() as connection:
            check_model(connection, model)
            moves = _moves(connection, model, alias)
            if alias is not None and not moves:
                raise _unknown_alias(connection, model, alias)
            return moves

    def move(self, model: str, alias: str, version: int, *, seen: int | None, reason: str, user: str) -> AliasMove:
        """Let `alias` stand for a version; where it does already, nothing is written and its last move is returned.

        Args:
            model: its name.
            alias: what is to stand for the version.
            version: its number.
            seen: the version at which the mover saw the alias, None for none.
            reason: why, for whoever reads the history.
            user: who.

        Raises:
            ConflictError: the alias does not stand for `seen` any more.
            OptionError: the alias cannot be one, or the version is archived.
        """
        check_alias(alias)
        with self._database.write() as connection:
            moves = _moves_to_change(connection, model, alias)
            _check_seen(model, alias, moves, seen)
            if not moves or moves[-1].version != version:
                check_in_use(version_named(connection, f"{model}@{version}"))
                _add(connection, model, alias, moves, version=version, reason=reason, user=user, is_rollback=False)
                keep(connection, self._folder / model, lasting=True)
            return _moves(connection, model, alias)[-1]

    def roll_back(self, model: str, alias: str, *, seen: int | None, reason: str, user: str) -> AliasMove:
        """Let `alias` stand for what it stood for before its last move that was not rolled back; the first one is undone too.

        Args:
            model: its name.
            alias: what is to go back.
            seen: the version at which the mover saw the alias.
            reason: why, for whoever reads the history.
            user: who.

        Raises:
            ConflictError: the alias does not stand for `seen` any more.
            OptionError: the version to go back to was archived meanwhile.
            UnknownNameError: the alias stands for no version.
        """
        with self._database.write() as connection:
            moves = _moves_to_change(connection, model, alias)
            _check_seen(model, alias, moves, seen)
            if not moves or moves[-1].version is None:
                raise _unknown_alias(connection, model, alias)
            version = version_to_go_back_to(moves)
            if version is not None:
                check_in_use(version_named(connection, f"{model}@{version}"))
            _add(connection, model, alias, moves, version=version, reason=reason, user=user, is_rollback=True)
            keep(connection, self._folder / model, lasting=True)
            return _moves(connection, model, alias)[-1]


def _moves_to_change(connection: Connection, model: str, alias: str) -> tuple[AliasMove, ...]:
    check_model(connection, model, lock=True)
    return _moves(connection, model, alias)


def _moves(connection: Connection, model: str, alias: str | None) -> tuple[AliasMove, ...]:
    rows = select(table).where(table.c.model == model)
    chosen = connection.execute(rows if alias is None else rows.where(table.c.alias == alias))
    found = sorted(chosen, key=lambda row: (row.alias, row.number))
    return tuple(move for _, group in groupby(found, lambda row: row.alias) for move in _spans(list(group)))


def _spans(rows: list[Row[Any]]) -> list[AliasMove]:
    """Return the moves of one alias with where each came from and how long it held."""
    return [
        AliasMove(
            model=row.model,
            alias=row.alias,
            number=row.number,
            version=row.version,
            before=last.version if last else None,
            moved_at=row.moved_at,
            until=following.moved_at if following else None,
            user=row.user,
            reason=row.reason,
            is_rollback=row.is_rollback,
        )
        for last, row, following in zip([None, *rows], rows, [*rows[1:], None], strict=False)
    ]


def _check_seen(model: str, alias: str, moves: tuple[AliasMove, ...], seen: int | None) -> None:
    now = moves[-1].version if moves else None
    if now == seen:
        return
    last = f", moved by {moves[-1].user}" if moves else ""
    raise ConflictError(
        f"expected {model}@{alias} to stand for {_told(seen)} still, received {_told(now)}{last}: "
        f"look at %models history {model} {alias} and decide anew"
    )


def _told(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"


def _unknown_alias(connection: Connection, model: str, alias: str) -> UnknownNameError:
    return UnknownNameError(f"no alias of {model} named {alias[:120]!r}{did_you_mean(alias, aliases_of(connection, model))}")


def _add(
    connection: Connection,
    model: str,
    alias: str,
    moves: tuple[AliasMove, ...],
    *,
    version: int | None,
    reason: str,
    user: str,
    is_rollback: bool,
) -> None:
    row = {
        "model": model,
        "alias": alias,
        "number": len(moves) + 1,
        "version": version,
        "moved_at": max([datetime.now(UTC), *(move.moved_at for move in moves)]),
        "user": user,
        "reason": reason,
        "is_rollback": is_rollback,
    }
    connection.execute(insert(table), row)
