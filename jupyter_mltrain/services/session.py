"""The one place where a store and an engine meet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mltrain.domain.address import ArtifactAddress, StoreAddress, is_address
from jupyter_mltrain.engine.quiet import quieten
from jupyter_mltrain.services.home import find_artifacts, find_home, find_store

if TYPE_CHECKING:
    from jupyter_mltrain.store.store import Store


class Session:
    """A home and what is open of it; made once when the extension loads, and handed on.

    Making one imports neither TensorFlow nor SQLAlchemy and creates no file.

    Attributes:
        folder: what is chosen as home, without what a shared database adds.
        url: of the shared database, maybe with a password; empty for none.
        artifacts_url: of the folder with the files that machines share, likewise.
    """

    def __init__(self, home: str = "", url: str = "", artifacts: str = "") -> None:
        """Choose the home, its database and shared files: what is given, else what the functions of `home` find."""
        quieten()
        self.folder, self.url, self.artifacts_url = find_home(home), find_store(url), find_artifacts(artifacts)
        self._store: Store | None = None

    @property
    def home(self) -> Path:
        """The folder `.mltrain/`, which may not exist yet; with a shared database, the folder in it that is that database's."""
        address = self.address
        return self.folder / address.folder if address else self.folder

    @home.setter
    def home(self, home: str | Path) -> None:
        self.close()
        self.folder = find_home(str(home))

    @property
    def address(self) -> StoreAddress | None:
        """The database that several people and machines share; None for SQLite in the home.

        Raises:
            OptionError: what is set is no URL of one.
        """
        return StoreAddress(self.url) if self.url else None

    @address.setter
    def address(self, url: str) -> None:
        self.close()
        self.url = find_store(url)

    @property
    def artifacts(self) -> ArtifactAddress | None:
        """The folder that keeps the files of runs and models for all machines; None where the home alone does.

        Raises:
            OptionError: what is set is no URL of one.
        """
        return ArtifactAddress(self.artifacts_url) if self.artifacts_url else None

    @artifacts.setter
    def artifacts(self, url: str) -> None:
        self.close()
        self.artifacts_url = find_artifacts(url)

    @property
    def store(self) -> Store:
        """The open store; the home is created on first use.

        Raises:
            OptionError: the database, or the folder of the shared files, is no URL of one.
            StoreError: it cannot be opened.
        """
        if self._store is None:
            from jupyter_mltrain.store.store import Store

            self._store = Store(self.home, self.address, self.artifacts)
        return self._store

    def open(self, place: str) -> Store:
        """Return the store of another home: a path, or the URL of a database, whose files are in this one's folder.

        Raises:
            OptionError: it is a URL of something else.
            StoreError: it cannot be opened.
        """
        from jupyter_mltrain.store.store import Store

        address = StoreAddress(place) if is_address(place) else None
        home = self.folder / address.folder if address else find_home(place)
        return Store(home, address, self.artifacts if address or home == self.home else None)

    def again(self) -> Session:
        """Return another session of the same home, which stays there whatever this one is set to."""
        other = Session(str(self.folder))
        other.url, other.artifacts_url = self.url, self.artifacts_url
        return other

    def close(self) -> None:
        """Close the store, if it is open; it opens again on next use."""
        if self._store is not None:
            self._store.close()
            self._store = None
