"""Runs and searches on their way from one home into another, each whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Table, insert, select, update

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.domain.run import Run, RunStatus
from jupyter_mltrain.store.copied_files import copied_folder, copy_file, move_folder
from jupyter_mltrain.store.database import Database, claim
from jupyter_mltrain.store.record_files import keep
from jupyter_mltrain.store.schema import epochs, model_versions, run_scores, run_tags, runs, searches


class RunCopier:
    """Copies runs, and searches with their trials.

    Attributes:
        num_runs, num_searches, num_trials, num_there_already: how many.
        said: sentences on what got another number and on what was left out.
    """

    def __init__(
        self,
        source: Database,
        target: Database,
        folders: tuple[Path, Path],
        versions: Mapping[tuple[str, int], int],
        bring: Callable[[str], None],
    ) -> None:
        """Copy from `source` to `target`.

        Args:
            source: where they are.
            target: where they are to be.
            folders: with the files of runs, here and there.
            versions: numbers of their models.
            bring: given the id of a run, has its files here, or raises `StoreError`.
        """
        self._source, self._target, (self._from, self._to), self._bring = source, target, folders, bring
        self._versions = versions
        self.num_runs = self.num_searches = self.num_trials = self.num_there_already = 0
        self.said: list[str] = []

    def copy(self) -> None:
        """Copy all that have ended and are not there."""
        for table, kind in ((searches, "search"), (runs, "run")):
            chosen = select(table).order_by(table.c.started_at, table.c.id)
            with self._source.read() as connection:
                rows = connection.execute(chosen if table is searches else chosen.where(runs.c.search_id.is_(None))).all()
            for row in rows:
                if self._is_there(table, row.id):
                    self.num_there_already += 1
                elif row.status == RunStatus.RUNNING:
                    self.said.append(f"{row.name}#{row.number} was left out: it is running; copy again when it has ended.")
                else:
                    self._copy(row, table, kind)

    def _is_there(self, table: Table, row_id: str) -> bool:
        with self._target.read() as connection:
            return connection.execute(select(table.c.id).where(table.c.id == row_id)).first() is not None

    def _copy(self, row: Row[Any], table: Table, kind: str) -> None:
        members = [row] if table is runs else self._trials(row.id)
        try:
            for each in members:
                self._bring(each.id)
        except StoreError as error:
            self.said.append(f"{row.name}#{row.number} was left out: {error}.")
            return
        with ExitStack() as stack:
            folders = {each.id: stack.enter_context(copied_folder(self._from / each.id, self._to)) for each in members}
            connection = stack.enter_context(self._target.write())
            number = claim(connection, kind, row.name, row.number)
            if table is searches:
                connection.execute(insert(searches), {**row._mapping, "number": number})  # noqa: SLF001 - SQLAlchemy's public name
                keep(connection, self._to.with_name("searches") / row.id, lasting=True)
            for each in members:
                self._insert(connection, each, _numbered(each, row, number))
                move_folder(folders[each.id], self._to / each.id)
                keep(connection, self._to / each.id, lasting=True)
        self._count(row, members, table, number)

    def _trials(self, search_id: str) -> list[Row[Any]]:
        with self._source.read() as connection:
            return list(connection.execute(select(runs).where(runs.c.search_id == search_id).order_by(runs.c.trial)))

    def _insert(self, connection: Connection, row: Row[Any], numbered: Mapping[str, Any]) -> None:
        referring = {"result": self._result(row.result), "parent": _parent(connection, row.parent)}
        record = {**row._mapping, **numbered, **referring}  # noqa: SLF001
        connection.execute(insert(runs), record)
        for table in (run_tags, run_scores, epochs):
            with self._source.read() as source:
                rows = [dict(each) for each in source.execute(select(table).where(table.c.run_id == row.id)).mappings()]
            if rows:
                connection.execute(insert(table), rows)
        made = update(model_versions).where(model_versions.c.run_id == row.id)
        connection.execute(made.values(run_ref=_ref_there(connection, row.id)))
        for name in connection.execute(
            select(model_versions.c.name).where(model_versions.c.run_id == row.id).distinct()
        ).scalars():
            keep(connection, self._to.with_name("models") / name, lasting=True)

    def _result(self, result: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Return a result with the number that the version has there which the run registered."""
        name, _, version = ((result or {}).get("model_id") or "").partition("@")
        if not name:
            return result
        there = self._versions.get((name, int(version)))
        return {**(result or {}), "model_id": None if there is None else f"{name}@{there}"}

    def _count(self, row: Row[Any], members: list[Row[Any]], table: Table, number: int) -> None:
        if table is runs:
            self.num_runs += 1
        else:
            self.num_searches += 1
            self.num_trials += len(members)
        if number != row.number:
            kind = "" if table is runs else "The search "
            self.said.append(f"{kind}{row.name}#{row.number} is {row.name}#{number} there.")


def copy_alone(run: Run, source: Database, target: Database, file: Path, folder: Path) -> None:
    """Copy the record of a run, as one that has ended and hangs on no search, with one of its files, into a folder."""
    with source.read() as connection:
        row = connection.execute(select(runs).where(runs.c.id == run.id)).one()
        its_epochs = [dict(each) for each in connection.execute(select(epochs).where(epochs.c.run_id == run.id)).mappings()]
    record = {**row._mapping, "search_id": None, "trial": None, "trial_values": None, "trial_scores": None}  # noqa: SLF001
    if run.trial:
        name = run.ref.replace("#", "-").replace("/", "-")
        record |= {"name": name, "facts": {**run.facts, "hp": run.trial.values}}
    if run.status is RunStatus.RUNNING:
        record["status"] = RunStatus.STOPPED
    there = folder / file.relative_to(run.folder)
    there.parent.mkdir(parents=True)
    copy_file(file, there)
    with target.write() as connection:
        claim(connection, "run", record["name"], record["number"])
        connection.execute(insert(runs), record)
        if its_epochs:
            connection.execute(insert(epochs), its_epochs)
        keep(connection, folder, lasting=True)


def _parent(connection: Connection, parent: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return what a run was forked from, under its name there, if it is there."""
    ref = _ref_there(connection, parent["id"]) if parent else None
    return {**parent, "ref": ref} if parent and ref else parent


def _ref_there(connection: Connection, run_id: str) -> str | None:
    row = connection.execute(select(runs.c.name, runs.c.number, runs.c.search_id).where(runs.c.id == run_id)).first()
    if row is None:
        return None
    return str(row.name) if row.search_id else f"{row.name}#{row.number}"


def _numbered(row: Row[Any], owner: Row[Any], number: int) -> dict[str, Any]:
    """Return what a new number changes in a run, or in a trial of the search `owner`."""
    if row.search_id is None:
        return {"number": number}
    status = RunStatus.DIED if row.status == RunStatus.RUNNING else row.status  # its search has ended
    return {"name": f"{owner.name}#{number}/{row.trial}", "status": status}
