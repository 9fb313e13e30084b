"""What PostgreSQL and its driver raise, in one sentence each.

The codes are those of https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""

from __future__ import annotations

from pathlib import Path

from jupyter_mltrain.domain.errors import StoreAwayError, StoreError

_BY_CODE = {
    "25006": (StoreError, "to write {place}", "write the URL of the server that takes writes"),
    "42501": (StoreError, "to read and write {place}", "ask its owner to grant you that"),
    "53100": (StoreAwayError, "free space to write {place}", "free some on the server"),
    "54000": (StoreError, "names and labels of at most 2000 characters", "shorten them"),
    "55P03": (StoreAwayError, "to write {place} within 30 seconds", "try again: another process writes"),
}
_AWAY = ("08", "53", "57")  # no connection, no resources, shut down; without any code no server has answered
_UNREACHABLE = {
    "password": "put the right one into ~/.pgpass or PGPASSWORD",
    "does not exist": "have it made on the server, or write another in the URL",
    "pg_hba.conf": "have the server's owner let you in",
    "": "start the server, or check host, port and network",
}


def of_postgres(place: Path | str, error: BaseException) -> StoreError:
    """Return the error for what the driver raised."""
    code, text = getattr(error, "sqlstate", None) or "", str(error).partition("\n")[0]
    kind, expected, next_step = StoreError, "to read and write {place}", "%mltrain doctor looks closer"
    if code in _BY_CODE:
        kind, expected, next_step = _BY_CODE[code]
    elif not code or code.startswith(_AWAY):
        kind, expected = StoreAwayError, "to reach {place}"
        next_step = next(step for said, step in _UNREACHABLE.items() if said in text)
    return kind(f"expected {expected.format(place=place)}, received {text!r}: {next_step}")
