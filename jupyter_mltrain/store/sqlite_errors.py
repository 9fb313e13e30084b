"""What SQLite and files raise, in one sentence each."""

from __future__ import annotations

import errno
from pathlib import Path

from jupyter_mltrain.domain.errors import StoreAwayError, StoreDamagedError, StoreError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def of_sqlite(place: Path | str, error: BaseException) -> StoreError:
    """Return the error for what SQLite raised."""
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreAwayError(
            f"expected to write {place} within 30 seconds, received a lock of another process: try again, or end that process"
        )
    if code == "SQLITE_FULL":
        return _full(place, error)
    unreadable_text = str(error).startswith("Could not decode")  # of the driver itself, which gives no code
    lost_table = str(error).startswith("no such table")
    if code.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")) or unreadable_text or lost_table:
        return damaged(place, error)
    if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return _forbidden(place, error)
    return StoreError(
        f"expected to read and write {place}, received {str(error)!r}: check the disk; %mltrain doctor looks closer"
    )


def of_file(place: Path | str, error: OSError) -> StoreError:
    """Return the error for what the operating system raised."""
    file = error.filename or place
    return _full(file, error) if error.errno in _FULL else _forbidden(file, error)


def damaged(place: Path | str, error: BaseException) -> StoreDamagedError:
    """Return the error for content that cannot have been written so."""
    kind = "SQLite database" if isinstance(place, Path) else "database"
    return StoreDamagedError(
        f"expected a whole {kind} at {place}, received a damaged one ({error}): it was left as it is; put a "
        "copy of it in its place, or move it away to begin a new one"
    )


def _full(place: Path | str, error: BaseException) -> StoreError:
    return StoreAwayError(
        f"expected free space to write {place}, received {str(error)!r}: free some; what was recorded before is kept"
    )


def _forbidden(place: Path | str, error: BaseException) -> StoreError:
    return StoreError(
        f"expected to read and write {place}, received {getattr(error, 'strerror', None) or str(error)!r}: make it writable, or "
        "choose another home with %config MLTrain.home"
    )
