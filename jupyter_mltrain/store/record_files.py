"""What the database holds of a run, a search or a model, once more beside its files: a damaged database is built anew from it.

A file is lines: a checksum, and JSON that it is of. The first has rows of tables as they were, and is written whole or not at
all; those after it add epochs and facts of a run that trains, and are on the disk when the system writes them there. Each is
written before the transaction that it belongs to is committed, so that nothing is in the database alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, select

from jupyter_mltrain.domain.files import whole_file
from jupyter_mltrain.store.codec import dumps, loads
from jupyter_mltrain.store.schema import (
    UtcDateTime,
    alias_moves,
    archived_versions,
    epochs,
    model_versions,
    run_scores,
    run_tags,
    runs,
    searches,
)

NAME = "record.jsonl"
KINDS: Mapping[str, Sequence[tuple[Table, str]]] = {  # folder to tables and the column that has a folder's name
    "searches": ((searches, "id"),),
    "runs": ((runs, "id"), (run_tags, "run_id"), (run_scores, "run_id"), (epochs, "run_id")),
    "models": ((model_versions, "name"), (archived_versions, "name"), (alias_moves, "model")),
}
"""In the order in which they refer to each other."""


def keep(connection: Connection, folder: Path, *, lasting: bool = False) -> None:
    """Write what a transaction leaves of one run, search or model; of a server's database nothing, which has its own copies.

    Args:
        connection: of the transaction.
        folder: `runs/<id>`, `searches/<id>` or `models/<name>` of the home.
        lasting: whether it is to survive a loss of power too; what is written on the way need not.

    Raises:
        OSError: it cannot be written.
    """
    if connection.dialect.name != "sqlite":
        return
    rows = {
        table.name: list(map(_plain, connection.execute(select(table).where(table.c[column] == folder.name)).mappings()))
        for table, column in KINDS[folder.parent.name]
    }
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / NAME, lasting=lasting) as unfinished:
        unfinished.write_bytes(_line(rows))


def add(connection: Connection, folder: Path, **told: Any) -> None:
    """Add `facts`, or rows of `epochs`, that a transaction has written to what is kept of a run.

    Raises:
        OSError: they cannot be written.
    """
    if not (folder / NAME).exists():
        keep(connection, folder)
    elif connection.dialect.name == "sqlite":
        with (folder / NAME).open("ab") as file:
            file.write(b"\n" + _line(told))  # on a line of its own, wherever a process died


def read(file: Path) -> tuple[dict[Table, list[dict[str, Any]]], int]:
    """Return the rows that a file keeps, and how many of its later lines are damaged.

    Raises:
        ValueError: its first line is damaged.
        OSError: it cannot be read.
    """
    first, *more = [line for line in file.read_bytes().split(b"\n") if line] or [b""]
    kept, num_damaged = _content(first), 0
    for line in more:
        try:
            _put(kept, _content(line))
        except ValueError:
            num_damaged += 1
    return {table: list(_rows(table, kept.get(table.name, ()))) for table, _ in KINDS[file.parent.parent.name]}, num_damaged


def _put(kept: dict[str, Any], told: Mapping[str, Any]) -> None:
    if "facts" in told:
        kept["runs"][0]["facts"] |= told["facts"]
    by_number = {epoch["number"]: epoch for epoch in (*kept["epochs"], *told.get("epochs", ()))}
    kept["epochs"] = list(by_number.values())


def _rows(table: Table, rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give rows as the table takes them, what it has no column for left out."""
    moments = {column.name for column in table.c if isinstance(column.type, UtcDateTime)}
    for row in rows:
        known = {name: value for name, value in row.items() if name in table.c}
        yield {name: datetime.fromisoformat(value) if name in moments and value else value for name, value in known.items()}


def _plain(row: RowMapping) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


def _line(content: Any) -> bytes:
    text = dumps(content).encode()
    return sha256(text).hexdigest().encode() + b" " + text + b"\n"


def _content(line: bytes) -> dict[str, Any]:
    checksum, _, text = line.partition(b" ")
    if sha256(text).hexdigest().encode() != checksum:
        raise ValueError("a line of it is damaged")
    content: dict[str, Any] = loads(text.decode())
    return content
