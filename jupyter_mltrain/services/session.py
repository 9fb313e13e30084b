"""The one place where a store and an engine meet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mltrain.domain.address import StoreAddress, is_address
from jupyter_mltrain.engine.quiet import quieten
from jupyter_mltrain.services.home import find_home, find_store

if TYPE_CHECKING:
    from jupyter_mltrain.store.store import Store


class Session:
    """A home and what is open of it; made once when the extension loads, and handed on.

    Making one imports neither TensorFlow nor SQLAlchemy and creates no file.

    Attributes:
        folder: what is chosen as home, without what a shared database adds.
        url: of the shared database, maybe with a password; empty for none.
    """

    def __init__(self, home: str = "", url: str = "") -> None:
        """Choose the home and its database: what is given, else what `find_home` and `find_store` find."""
        quieten()
        self.folder, self.url = find_home(home), find_store(url)
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
    def store(self) -> Store:
        """The open store; the home is created on first use.

        Raises:
            OptionError: the database is no URL of one.
            StoreError: it cannot be opened.
        """
        if self._store is None:
            from jupyter_mltrain.store.store import Store

            self._store = Store(self.home, self.address)
        return self._store

    def open(self, place: str) -> Store:
        """Return the store of another home: a path, or the URL of a database, whose files are in this one's folder.

        Raises:
            OptionError: it is a URL of something else.
            StoreError: it cannot be opened.
        """
        from jupyter_mltrain.store.store import Store

        address = StoreAddress(place) if is_address(place) else None
        return Store(self.folder / address.folder if address else find_home(place), address)

    def again(self) -> Session:
        """Return another session of the same home, which stays there whatever this one is set to."""
        return Session(str(self.folder), self.url)

    def close(self) -> None:
        """Close the store, if it is open; it opens again on next use."""
        if self._store is not None:
            self._store.close()
            self._store = None
