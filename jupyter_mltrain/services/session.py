"""The one place where a store and an engine meet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mltrain.engine.quiet import quieten
from jupyter_mltrain.services.home import find_home

if TYPE_CHECKING:
    from jupyter_mltrain.store.store import Store


class Session:
    """A home and what is open of it; made once when the extension loads, and handed on.

    Making one imports neither TensorFlow nor SQLAlchemy and creates no file.
    """

    def __init__(self, home: str = "") -> None:
        """Choose the home: `home`, else what `find_home` finds."""
        quieten()
        self._home = find_home(home)
        self._store: Store | None = None

    @property
    def home(self) -> Path:
        """The folder `.mltrain/`, which may not exist yet."""
        return self._home

    @home.setter
    def home(self, home: str | Path) -> None:
        self.close()
        self._home = find_home(str(home))

    @property
    def store(self) -> Store:
        """The open store; the home is created on first use.

        Raises:
            StoreError: it cannot be opened.
        """
        if self._store is None:
            from jupyter_mltrain.store.store import Store

            self._store = Store(self._home)
        return self._store

    def close(self) -> None:
        """Close the store, if it is open; it opens again on next use."""
        if self._store is not None:
            self._store.close()
            self._store = None
