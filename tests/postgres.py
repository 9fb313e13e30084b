"""A PostgreSQL server of the tests' own, on 127.0.0.1 alone, in a folder that goes with it.

Its text is ordered by the rules of a language, as most servers' is, and its connections need a password.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import delete

from jupyter_mltrain.domain.address import StoreAddress
from jupyter_mltrain.store.schema import metadata
from jupyter_mltrain.store.store import Store

_SETTINGS = "-c fsync=off -c shared_buffers=16MB -c max_connections=60 -c timezone=Asia/Tokyo"


def programs() -> Path | None:
    """Return the folder of initdb and its like; Debian keeps them out of the path."""
    initdb = shutil.which("initdb") or next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)), None)
    return Path(initdb).parent if initdb else None


def _user() -> pwd.struct_passwd:
    """Return who runs a server where the tests run as root, whom PostgreSQL refuses."""
    return next(user for name in ("postgres", "nobody") for user in pwd.getpwall() if user.pw_name == name)


class Server:
    """One server with any number of databases."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self._folder, self._bin, self.password = folder, bin_folder, secrets.token_hex(8)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (folder / "password").write_text(self.password)
        self._own()
        self._run("initdb", "-U", "ada", "-A", "scram-sha-256", f"--pwfile={folder / 'password'}", "-E", "UTF8",
                  "--locale=C", "--no-sync", *self._ordered_as_english())  # fmt: skip
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"{_SETTINGS} -c listen_addresses=127.0.0.1 -p {self.port} -c unix_socket_directories={self._folder}"
        self._run("pg_ctl", "start", "--wait", "--silent", "-o", options, "-l", str(self._folder / "log"))

    def stop(self) -> None:
        """Stop it at once, in the middle of whatever its clients do."""
        self._run("pg_ctl", "stop", "-m", "immediate", "--silent")

    def address(self, database: str = "team", user: str = "ada", password: str | None = None) -> StoreAddress:
        return StoreAddress(f"postgresql://{user}:{password or self.password}@127.0.0.1:{self.port}/{database}")

    def execute(self, *statements: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Execute statements, and return the rows of the last."""
        import psycopg

        with psycopg.connect(self.address(database).url, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def new_database(self, name: str = "team") -> StoreAddress:
        """Make a database without tables, in place of the one of that name."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
        return self.address(name)

    def _ordered_as_english(self) -> tuple[str, ...]:
        known = subprocess.run([self._bin / "initdb", "--help"], capture_output=True, text=True, check=True).stdout
        return ("--locale-provider=icu", "--icu-locale=en-US") if "--locale-provider" in known else ()  # from version 15

    def _own(self) -> None:
        if os.geteuid() == 0:
            for path in (self._folder, *self._folder.iterdir()):
                shutil.chown(path, _user().pw_uid, _user().pw_gid)

    def _run(self, program: str, *arguments: str) -> None:
        user = {"user": _user().pw_uid, "group": _user().pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        command = [self._bin / program, "-D", self._folder / "data", *arguments]
        subprocess.run(command, cwd=self._folder, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, **user)


@contextmanager
def server() -> Iterator[Server]:
    """Give a server; without PostgreSQL the test is skipped, but not in continuous integration."""
    bin_folder = programs()
    if bin_folder is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no PostgreSQL for the tests of a shared store, and .ci/test.py could install none")
        pytest.skip("there is no PostgreSQL on this machine")
    folder = Path(tempfile.mkdtemp(prefix="mltrain-postgres-"))
    try:
        started = Server(folder, bin_folder)
        yield started
        started.stop()
    finally:
        shutil.rmtree(folder)


def emptied(store: Store) -> Store:
    """Return the store without anything in it; to make one anew for each test would take ten times as long."""
    with store.database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))
    for folder in (store.home / "runs", store.home / "models"):
        shutil.rmtree(folder)
        folder.mkdir()
    return store
