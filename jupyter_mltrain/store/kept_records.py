"""All that a home's record files keep, put into a new database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import Connection, func, insert, literal, select
from sqlalchemy.exc import IntegrityError

from jupyter_mltrain.store import record_files
from jupyter_mltrain.store.schema import counters, model_versions, runs, searches

_COUNTED = (("runs", runs), ("searches", searches), ("model versions", model_versions))
_NUMBERED = (
    ("search", searches.c.name, searches.c.number),
    ("run", runs.c.name, runs.c.number),  # a trial's number is 1, and no run has its name
    ("model", model_versions.c.name, model_versions.c.version),
)
_MOST_NAMED = 10


def record_paths(home: Path) -> Iterator[Path]:
    """Give the record files of a home, what is referred to before what refers to it."""
    for kind in record_files.KINDS:
        yield from sorted(home.glob(f"{kind}/*/{record_files.NAME}"))


class KeptRecords:
    """Puts the records of a home into a database, and knows which came too late."""

    def __init__(self, home: Path) -> None:
        """Take the home."""
        self._home = home
        self._read: dict[Path, tuple[int, int]] = {}
        self._num_rows: dict[Path, Mapping[str, int]] = {}
        self._missing: list[str] = []

    def fill(self, connection: Connection) -> None:
        """Put all that is kept into empty tables."""
        for path in record_paths(self._home):
            self._read[path] = _stamp(path)
            self._put(connection, path)
        for kind, name, number in _NUMBERED:  # the next numbers come after those that there are
            last = select(literal(kind), name, func.max(number)).group_by(name)
            connection.execute(insert(counters).from_select(["kind", "name", "last"], last))

    def add_late(self, connection: Connection) -> None:
        """Put in place what others have kept since `fill` has read it: they wrote it into the former database."""
        for path in record_paths(self._home):
            if self._read.get(path) != _stamp(path):
                self._put(connection, path, how="OR REPLACE")

    def told(self) -> str:
        """Tell how much there was, and what is missing."""
        nums = {what: sum(each.get(table.name, 0) for each in self._num_rows.values()) for what, table in _COUNTED}
        counts = ", ".join(f"{what}: {num}" for what, num in nums.items())
        folders = sorted(self._home.glob("runs/*"))
        without = [_place(folder) for folder in folders if not (folder / record_files.NAME).exists()]
        missing = [*self._missing, *(f"{place}, which has no record" for place in without)]
        if not missing:
            return f"{counts}; nothing is missing"
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        return f"{counts}; missing: {', '.join(missing[:_MOST_NAMED])}{more}"

    def _put(self, connection: Connection, path: Path, how: str = "") -> None:
        """Insert what belongs together, whole or not at all."""
        try:
            rows, num_damaged = record_files.read(path)
            with connection.begin_nested():
                for table, of_table in rows.items():
                    if of_table:
                        connection.execute(insert(table).prefix_with(how), of_table)
        except (ValueError, KeyError, OSError, IntegrityError):
            self._missing.append(f"{_place(path.parent)}, whose record is damaged or refers to one that is")
            return
        self._num_rows[path] = {table.name: len(of_table) for table, of_table in rows.items()}
        if num_damaged:
            self._missing.append(f"a part of {_place(path.parent)}, whose record is damaged")


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_ino, found.st_size


def _place(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"
