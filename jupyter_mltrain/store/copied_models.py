"""Models on their way from one home into another: versions with their files, and the histories of their aliases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from jupyter_mltrain.domain.errors import OptionError, StoreError
from jupyter_mltrain.domain.files import settle
from jupyter_mltrain.store.copied_files import Copy, copied
from jupyter_mltrain.store.database import Database, claim
from jupyter_mltrain.store.model_store import check_capitals, suffix_of
from jupyter_mltrain.store.record_files import keep
from jupyter_mltrain.store.schema import alias_moves, archived_versions, model_versions

_IDENTITY = ("name", "sha256", "run_id", "created_at")  # a version's number may be another in another home
_MOVE = ("moved_at", "user", "reason", "is_rollback")


class ModelCopier:
    """Copies models.

    Attributes:
        versions: name and number here of each version to its number there.
        num_versions, num_moves, num_there_already: how many.
        said: sentences on what got another number and on what was left out.
    """

    def __init__(self, source: Database, target: Database, folders: tuple[Path, Path], bring: Callable[[str], None]) -> None:
        """Copy from `source` to `target`.

        Args:
            source: where they are.
            target: where they are to be.
            folders: with the files of models, here and there.
            bring: given `digits@3`, has its file here if it can be, or raises `StoreError`.
        """
        self._source, self._target, (self._from, self._to), self._bring = source, target, folders, bring
        self.versions: dict[tuple[str, int], int] = {}
        self.num_versions = self.num_moves = self.num_there_already = 0
        self.said: list[str] = []

    def copy(self) -> None:
        """Copy every version that is not there, each whole or not at all, then the moves of aliases that are not there."""
        with self._source.read() as connection:
            rows = connection.execute(select(model_versions).order_by(model_versions.c.name, model_versions.c.version)).all()
            archived = {(row.name, row.version): row for row in connection.execute(select(archived_versions))}
            moves = connection.execute(select(alias_moves)).all()
        for row in rows:
            self._copy_version(row, archived.get((row.name, row.version)))
        moves = sorted(moves, key=lambda move: (move.model, move.alias, move.number))
        for (model, alias), history in groupby(moves, lambda move: (move.model, move.alias)):
            self._copy_moves(model, alias, list(history))

    def _copy_version(self, row: Row[Any], archival: Row[Any] | None) -> None:
        number = self._number_there(row)
        if number is not None:
            self.versions[row.name, row.version] = number
            self.num_there_already += 1
            return
        file = self._from / row.name / row.file
        try:
            self._have(row, file)
            with copied(file, self._to / row.name) as copy, self._target.write() as connection:
                if copy.sha256 != row.sha256:
                    raise OptionError("its file was changed or damaged since")
                self._insert(connection, row, archival, copy)
        except OptionError as error:
            self.said.append(f"{row.name}@{row.version} was left out: {error}.")

    def _have(self, row: Row[Any], file: Path) -> None:
        try:
            self._bring(f"{row.name}@{row.version}")
        except StoreError as error:
            raise OptionError(str(error)) from error
        if not file.is_file():
            raise OptionError("its file is missing")

    def _number_there(self, row: Row[Any]) -> int | None:
        same = [model_versions.c[name] == row._mapping[name] for name in _IDENTITY]  # noqa: SLF001 - SQLAlchemy's public name
        with self._target.read() as connection:
            return connection.execute(select(model_versions.c.version).where(*same)).scalar()

    def _insert(self, connection: Connection, row: Row[Any], archival: Row[Any] | None, copy: Copy) -> None:
        check_capitals(connection, row.name)
        number = claim(connection, "model", row.name, row.version)
        target = self._to / row.name / f"{number}{suffix_of(Path(row.file))}"
        settle(copy.path, target)
        numbered = {"version": number}
        connection.execute(insert(model_versions), {**row._mapping, **numbered, "file": target.name})  # noqa: SLF001
        if archival is not None:
            connection.execute(insert(archived_versions), {**archival._mapping, **numbered})  # noqa: SLF001
        keep(connection, target.parent, lasting=True)
        self.versions[row.name, row.version] = number
        self.num_versions += 1
        if number != row.version:
            self.said.append(f"{row.name}@{row.version} is {row.name}@{number} there.")

    def _copy_moves(self, model: str, alias: str, history: list[Row[Any]]) -> None:
        ref = f"{model}@{alias}"
        try:
            here = [self._moved(move) for move in history]
        except KeyError:
            self.said.append(f"{ref} was left out: a version that it stood for is not there.")
            return
        with self._target.write() as connection:
            there = list(_moves(connection, model, alias))
            if there[: len(here)] != here[: len(there)]:
                self.said.append(f"{ref} was left out: it has another history there.")
                return
            rows = [{"model": model, "alias": alias, "number": number, **move} for number, move in enumerate(here, start=1)]
            for row in rows[len(there) :]:
                connection.execute(insert(alias_moves), row)
            keep(connection, self._to / model, lasting=True)
            self.num_moves += len(rows[len(there) :])

    def _moved(self, move: Row[Any]) -> dict[str, Any]:
        version = None if move.version is None else self.versions[move.model, move.version]
        return {"version": version, **{name: move._mapping[name] for name in _MOVE}}  # noqa: SLF001


def _moves(connection: Connection, model: str, alias: str) -> Iterator[dict[str, Any]]:
    this = (alias_moves.c.model == model, alias_moves.c.alias == alias)
    for move in connection.execute(select(alias_moves).where(*this).order_by(alias_moves.c.number)):
        yield {name: move._mapping[name] for name in ("version", *_MOVE)}  # noqa: SLF001
