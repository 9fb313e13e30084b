"""One home folder, opened: its database and its files."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from jupyter_mltrain.domain.address import ArtifactAddress, StoreAddress
from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.domain.run import RunStatus
from jupyter_mltrain.store import postgres
from jupyter_mltrain.store.alias_store import AliasStore
from jupyter_mltrain.store.artifact_cache import ArtifactCache
from jupyter_mltrain.store.database import Database, store_errors
from jupyter_mltrain.store.findings import findings
from jupyter_mltrain.store.heartbeats import Heartbeats
from jupyter_mltrain.store.migrate import upgrade
from jupyter_mltrain.store.model_store import ModelStore
from jupyter_mltrain.store.rebuilding import open_or_rebuild
from jupyter_mltrain.store.run_store import RunStore
from jupyter_mltrain.store.run_summaries import RunSummaries
from jupyter_mltrain.store.search_store import SearchStore
from jupyter_mltrain.store.uploader import Uploader


class Store:
    """Everything that is kept of runs, searches and models: files in one folder, records in a database there or on a server.

    Any number of processes may have one home open, and with a server any number of machines, which share the folder or have
    a folder of artifacts in common; threads and forked processes may share a store.

    Attributes:
        home: the folder, absolute.
        address: of the database; None where it is SQLite's in the folder.
        runs: its runs.
        summaries: many of them at once.
        searches: its searches.
        models: its registered models.
        aliases: the movable names of their versions.
        heartbeats: the life signs of processes that train.
        artifacts: the home's files as a part of the shared ones.
        uploader: uploads those.
        database: what keeps the records.
    """

    def __init__(self, home: Path, address: StoreAddress | None = None, artifacts: ArtifactAddress | None = None) -> None:
        """Open the home, make or upgrade what is needed, and mark the runs and searches whose process is gone as died.

        What a process that is gone has not uploaded to `artifacts` is from now on.

        Raises:
            StoreError: the home cannot be read, made or upgraded, or is of a newer version.
            MissingExtraError: the driver of the server's database is not installed.
        """
        self.home, self.address = home.absolute(), address
        self.database = _open(self.home, address)
        self.runs = RunStore(self.database, self.home / "runs")
        self.summaries = RunSummaries(self.database, self.home / "runs")
        self.searches = SearchStore(self.database, self.home / "runs")
        self.artifacts = ArtifactCache(self.home, artifacts, self._ended)
        self.uploader = Uploader(self.artifacts)
        self.models = ModelStore(self.database, self.home / "models", self.artifacts)
        self.aliases = AliasStore(self.database, self.home / "models")
        self.heartbeats = Heartbeats(self.database)
        with suppress(StoreError):  # on a full disk, or one that may only be read, what there is can still be read
            self.runs.mark_died()
            self.searches.mark_died()
        self.uploader.begin()

    def _ended(self, run_ids: Collection[str]) -> frozenset[str]:
        found = self.summaries.with_ids(list(run_ids))
        return frozenset(run.id for run in found if run.status is not RunStatus.RUNNING)

    def findings(self) -> tuple[str, ...]:
        """Tell in plain sentences how the home is and how it is protected."""
        return tuple(findings(self.home, self.database, self.runs, self.searches, self.models))

    def close(self) -> None:
        """Let go of the database; the records that it gave stay valid."""
        self.uploader.close()
        self.database.close()


def _open(home: Path, address: StoreAddress | None) -> Database:
    if address is None:
        _make_home(home)
        return open_or_rebuild(home / "mltrain.db")
    database = postgres.open_database(address)
    upgrade(database)
    _make_home(home)  # where the server cannot be reached nothing is left behind
    return database


def _make_home(home: Path) -> None:
    with store_errors(home):
        if not home.exists():  # a folder of the user's own gets no .gitignore: it would hide their files
            home.mkdir(parents=True, exist_ok=True)
            (home / ".gitignore").write_text("*\n")
        for part in ("runs", "models"):
            (home / part).mkdir(exist_ok=True)
