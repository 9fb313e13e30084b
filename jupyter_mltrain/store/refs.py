"""What people call runs and searches: `digits` for the newest, `digits#2`, a trial `digits#2/7`, or an id."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from jupyter_mltrain.domain.errors import UnknownNameError, did_you_mean
from jupyter_mltrain.domain.run import RunFilter
from jupyter_mltrain.domain.search import split_trial
from jupyter_mltrain.store.schema import runs, searches

_REF = re.compile(r"(?P<name>.*)#(?P<number>[0-9]{1,9})", re.DOTALL)

_SEARCHES = select(searches.c.id, searches.c.name, searches.c.number)
_RUNS = select(runs.c.id, runs.c.name, runs.c.number)
_OWN_RUNS = _RUNS.where(runs.c.search_id.is_(None))


def run_id_of(connection: Connection, ref: str) -> str:
    """Return the id of the run or trial that `ref` names.

    Raises:
        UnknownNameError: there is none; near misses are suggested.
    """
    row = _find(connection, _RUNS, ref)  # a trial too, by its id and by its name, which is its whole ref
    if row is not None:
        return str(row.id)
    trial = split_trial(ref)
    if trial is None:
        raise unknown_run(connection, ref)
    return _trial_id(connection, *trial)


def search_id_of(connection: Connection, ref: str) -> str:
    """Return the id of the search that `ref` names.

    Raises:
        UnknownNameError: there is none; near misses are suggested.
    """
    row = _find(connection, _SEARCHES, ref)
    if row is None:
        raise unknown_search(connection, ref)
    return str(row.id)


def search_of(connection: Connection, which: RunFilter) -> str | None:
    """Return the id of the search whose trials a filter asks for; None where it asks for runs of their own.

    Raises:
        UnknownNameError: there is no such search; near misses are suggested.
    """
    return None if which.search is None else search_id_of(connection, which.search)


def run_names(connection: Connection) -> tuple[str, ...]:
    """Return every name that a run of its own has, sorted."""
    return _names(connection, _OWN_RUNS)


def search_names(connection: Connection) -> tuple[str, ...]:
    """Return every name that a search has, sorted."""
    return _names(connection, _SEARCHES)


def unknown_run(connection: Connection, ref: str) -> UnknownNameError:
    """Return the error for a `ref` that names no run."""
    return _unknown(connection, _OWN_RUNS, "run", ref)


def unknown_search(connection: Connection, ref: str) -> UnknownNameError:
    """Return the error for a `ref` that names no search."""
    return _unknown(connection, _SEARCHES, "search", ref)


def _find(connection: Connection, rows: Select[Any], ref: str) -> Row[Any] | None:
    columns = rows.selected_columns
    numbered = _REF.fullmatch(ref)
    if numbered:
        this = (columns.name == numbered["name"], columns.number == int(numbered["number"]))
        return connection.execute(rows.where(*this)).first()
    newest = rows.where(columns.name == ref).order_by(columns.number.desc()).limit(1)
    return connection.execute(rows.where(columns.id == ref)).first() or connection.execute(newest).first()


def _trial_id(connection: Connection, search: str, number: int) -> str:
    of_search = runs.c.search_id == search_id_of(connection, search)
    found = connection.execute(select(runs.c.id).where(of_search, runs.c.trial == number)).scalar()
    if found is None:
        known = connection.execute(select(runs.c.trial).where(of_search)).scalars()
        ref = f"{search}/{number}"
        raise UnknownNameError(f"no trial named {ref[:120]!r}{did_you_mean(ref, (f'{search}/{other}' for other in known))}")
    return str(found)


def _names(connection: Connection, rows: Select[Any]) -> tuple[str, ...]:
    name = rows.selected_columns.name
    return tuple(sorted(connection.execute(rows.with_only_columns(name).distinct()).scalars()))  # databases order text apart


def _unknown(connection: Connection, rows: Select[Any], what: str, ref: str) -> UnknownNameError:
    columns, name = rows.selected_columns, ref.partition("#")[0]
    newest = rows.where(columns.name == name).order_by(columns.number.desc()).limit(10)
    known = [f"{name}#{row.number}" for row in connection.execute(newest)]
    return UnknownNameError(f"no {what} named {ref[:120]!r}{did_you_mean(ref, known or _names(connection, rows))}")
