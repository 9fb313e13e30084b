"""What people call versions of models: `digits` for the newest, `digits@3`, or by an alias, `digits@champion`."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, select

from jupyter_mltrain.domain.errors import OptionError, UnknownNameError, did_you_mean
from jupyter_mltrain.store.schema import alias_moves as moves
from jupyter_mltrain.store.schema import archived_versions as archived
from jupyter_mltrain.store.schema import model_versions as versions

_NUMBER = re.compile("[0-9]{1,9}")
_IS_ARCHIVED = and_(archived.c.name == versions.c.name, archived.c.version == versions.c.version)
_ARCHIVAL = (archived.c.archived_at, archived.c.user.label("archived_by"), archived.c.reason.label("archived_because"))
_ALL = select(versions, *_ARCHIVAL).outerjoin(archived, _IS_ARCHIVED)


def all_of(name: str) -> Select[Any]:
    """Select every version of a model, the newest first, archived ones too."""
    return _ALL.where(versions.c.name == name).order_by(versions.c.version.desc())


def newest_of_each() -> Select[Any]:
    """Select the newest version of every model that is not archived, the newest of all first."""
    used = select(versions.c.name, func.max(versions.c.version).label("version")).outerjoin(archived, _IS_ARCHIVED)
    last = used.where(archived.c.name.is_(None)).group_by(versions.c.name).subquery()
    same = and_(versions.c.name == last.c.name, versions.c.version == last.c.version)
    return _ALL.join(last, same).order_by(versions.c.created_at.desc(), versions.c.name)


def version_named(connection: Connection, ref: str) -> Row[Any]:
    """Return the row of the version that `ref` names.

    Raises:
        UnknownNameError: there is none; near misses are suggested.
    """
    name, at, which = ref.partition("@")
    number = int(which) if _NUMBER.fullmatch(which) else aliases_of(connection, name).get(which)
    chosen = versions.c.version == number if at else archived.c.name.is_(None)
    row = connection.execute(all_of(name).where(chosen).limit(1)).first()
    if row is None:
        raise unknown_model(connection, ref)
    return row


def aliases_of(connection: Connection, name: str) -> dict[str, int]:
    """Return the aliases of a model, sorted, with the version that each stands for."""
    return aliases(connection, name).get(name, {})


def aliases(connection: Connection, name: str | None = None) -> dict[str, dict[str, int]]:
    """Return the aliases of every model that has some, or of one, as `aliases_of` does."""
    rows = _standing() if name is None else _standing().where(moves.c.model == name)
    found: dict[str, dict[str, int]] = {}
    for row in sorted(connection.execute(rows), key=lambda row: (row.model, row.alias)):
        found.setdefault(row.model, {})[row.alias] = row.version
    return found


def check_model(connection: Connection, name: str, *, lock: bool = False) -> None:
    """Raise `UnknownNameError` if there is no such model; near misses are suggested.

    Args:
        connection: of a transaction.
        name: of a model.
        lock: let no other transaction that locks it change its aliases and archive until this one ends; SQLite, which has
            one writer at a time, needs and knows no such lock.
    """
    known = select(versions.c.version).where(versions.c.name == name)
    if not connection.execute(known.with_for_update() if lock else known).all():
        raise unknown_model(connection, name)


def check_in_use(row: Row[Any]) -> None:
    """Raise `OptionError` if a version is archived."""
    if row.archived_at is not None:
        raise OptionError(
            f"expected a version in use, received {row.name}@{row.version}, which is archived: "
            f"%models archive {row.name} {row.version} --undo takes it back"
        )


def model_names(connection: Connection) -> tuple[str, ...]:
    """Return the name of every model, sorted."""
    return tuple(sorted(connection.execute(select(versions.c.name).distinct()).scalars()))  # databases order text apart


def unknown_model(connection: Connection, ref: str) -> UnknownNameError:
    """Return the error for a `ref` that names no version."""
    name = ref.partition("@")[0]
    known = [f"{name}@{row.version}" for row in connection.execute(all_of(name).limit(10))]
    known += [f"{name}@{alias}" for alias in aliases_of(connection, name)]
    hint = did_you_mean(ref, known) if known else did_you_mean(name, model_names(connection))
    return UnknownNameError(f"no model named {ref[:120]!r}{hint}")


def _standing() -> Select[Any]:
    """Select model, alias and version of the last move of every alias that stands for a version."""
    keys = (moves.c.model, moves.c.alias)
    last = select(*keys, func.max(moves.c.number).label("number")).group_by(*keys).subquery()
    same = and_(*(moves.c[name] == last.c[name] for name in ("model", "alias", "number")))
    return select(*keys, moves.c.version).join(last, same).where(moves.c.version.is_not(None))
