"""One home folder, opened: its database and its files."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.store import sqlite
from jupyter_mltrain.store.alias_store import AliasStore
from jupyter_mltrain.store.database import store_errors
from jupyter_mltrain.store.findings import findings
from jupyter_mltrain.store.migrate import upgrade
from jupyter_mltrain.store.model_store import ModelStore
from jupyter_mltrain.store.run_store import RunStore
from jupyter_mltrain.store.search_store import SearchStore


class Store:
    """Everything that is kept of runs, searches and models in one folder.

    Any number of processes may have one home open; threads and forked processes may share a store.

    Attributes:
        home: the folder, absolute.
        runs: its runs.
        searches: its searches.
        models: its registered models.
        aliases: the movable names of their versions.
    """

    def __init__(self, home: Path) -> None:
        """Open the home, make or upgrade what is needed, and mark the runs and searches whose process is gone as died.

        Raises:
            StoreError: the home cannot be read, made or upgraded, or is of a newer version.
        """
        self.home = home.absolute()
        _make_home(self.home)
        self._database = sqlite.open_database(self.home / "mltrain.db")
        upgrade(self._database)
        self.runs = RunStore(self._database, self.home / "runs")
        self.searches = SearchStore(self._database, self.home / "runs")
        self.models = ModelStore(self._database, self.home / "models")
        self.aliases = AliasStore(self._database)
        with suppress(StoreError):  # on a full disk, or one that may only be read, what there is can still be read
            self.runs.mark_died()
            self.searches.mark_died()

    def findings(self) -> tuple[str, ...]:
        """Tell in plain sentences how the home is and how it is protected."""
        return tuple(findings(self.home, self._database, self.runs, self.searches, self.models))

    def close(self) -> None:
        """Let go of the database; the records that it gave stay valid."""
        self._database.close()


def _make_home(home: Path) -> None:
    with store_errors(home):
        if not home.exists():  # a folder of the user's own gets no .gitignore: it would hide their files
            home.mkdir(parents=True, exist_ok=True)
            (home / ".gitignore").write_text("*\n")
        for part in ("runs", "models"):
            (home / part).mkdir(exist_ok=True)
