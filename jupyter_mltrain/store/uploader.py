"""The thread that uploads what is to be, beside what else happens."""

from __future__ import annotations

from threading import Event, Lock, Thread

from jupyter_mltrain.store.artifact_cache import ArtifactCache

_SECONDS_BETWEEN_TRIES = 20.0


class Uploader:
    """Uploads what is pending, and tries again while it cannot, as long as the process lives; a later process goes on.

    Attributes:
        trouble: why it cannot; empty if it could.
    """

    def __init__(self, cache: ArtifactCache) -> None:
        """Upload for `cache`."""
        self._cache, self._lock = cache, Lock()
        self._due, self._tried = Event(), Event()
        self._thread: Thread | None = None
        self._is_closed = False
        self.trouble = ""

    def begin(self) -> None:
        """Begin with what is pending, if anything can be; return at once."""
        if self._cache.address is None:
            return
        with self._lock:
            self._tried.clear()
            self._due.set()
            if self._thread is None:
                self._thread = Thread(target=self._work, name="mltrain-upload", daemon=True)
                self._thread.start()

    def finish(self, seconds: float) -> str:
        """Upload what is pending; return why that has not come to its end within so many seconds, or an empty text."""
        if self._cache.address is None:
            return ""
        self.begin()
        return self.trouble if self._tried.wait(seconds) else f"it takes longer than {seconds:g} s"

    def close(self) -> None:
        """Try no more."""
        self._is_closed = True
        self._due.set()

    def _work(self) -> None:
        while True:
            self._due.clear()
            try:
                self._cache.upload()
                self.trouble = ""
            except Exception as error:  # noqa: BLE001 - whatever it is, what is pending stays so, and it is said
                self.trouble = str(error) or repr(error)
            with self._lock:
                if not self._due.is_set():
                    self._tried.set()
                if self._is_closed or (self._tried.is_set() and not self.trouble):
                    self._thread = None
                    return
            self._due.wait(_SECONDS_BETWEEN_TRIES)
