"""The files of a home, and the shared folder of which they are then a part.

Everything is written in the home. What has ended goes to the shared folder from there, and comes from it to the homes of
other machines when it is asked for. A mark in the home tells what is the same in both; what has none is still to be uploaded,
so that nothing is lost when a process dies or the folder is away.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from jupyter_mltrain.domain.address import ArtifactAddress
from jupyter_mltrain.domain.errors import StoreAwayError, StoreError
from jupyter_mltrain.domain.files import PARTIAL_PREFIX, partial_path, sha256_of, whole_file
from jupyter_mltrain.domain.model import ModelVersion
from jupyter_mltrain.domain.run import Run, RunStatus
from jupyter_mltrain.store.artifact_folder import ArtifactFolder, Manifest
from jupyter_mltrain.store.copied_files import move_folder
from jupyter_mltrain.store.database import store_errors
from jupyter_mltrain.store.record_files import NAME
from jupyter_mltrain.store.run_folders import remove_folders

_ONLY_HERE = (
    "parcel",
    "wish",
    "progress.json",
    NAME,
)  # what a process that trains is asked and tells, and the home's own records


class ArtifactCache:
    """The files of runs and models here, and in the shared folder; without one every method does nothing.

    Threads and processes may use it at once.

    Args:
        home: of the store.
        address: of the shared folder; None where there is none.
        ended: returns those of the ids of runs whose runs have ended.
    """

    def __init__(self, home: Path, address: ArtifactAddress | None, ended: Callable[[Collection[str]], Collection[str]]) -> None:
        self._home, self._ended, self.address = home, ended, address
        self._shared = ArtifactFolder(address) if address else None
        self._marks = home / "artifacts" / (address.key if address else "none")

    def pending(self) -> list[str]:
        """Return what is still to be uploaded: `runs/<id>` of runs that have ended, `models/<name>/<file>`.

        Raises:
            StoreError: the home cannot be read.
        """
        if self._shared is None:
            return []
        with store_errors(self._home):
            ids = [name.partition("/")[2] for name in self._unmarked("runs/*")]
            models = self._unmarked("models/*/*")
        ended = self._ended(ids) if ids else ()
        return [*models, *(f"runs/{run_id}" for run_id in ids if run_id in ended)]

    def upload(self) -> None:
        """Upload all that is still to be; one process of a home does so at a time.

        Raises:
            StoreError: the folder cannot be reached, or the home not be read; what is not uploaded stays to be.
        """
        if self._shared is None or not self.pending():
            return
        with self._locked("upload"):
            for name in self.pending():
                with suppress(FileNotFoundError):  # it was removed meanwhile
                    self._upload(name)

    def has_changed(self, run: Run) -> None:
        """Take note that the files of a run are newer here than in the shared folder from now on."""
        if self._shared is not None:
            with store_errors(self._home):
                self._mark_of(f"runs/{run.id}").unlink(missing_ok=True)

    def bring_run(self, run: Run) -> None:
        """Have the newest files of a run here that there are; where the shared folder is away, those that are here do.

        Raises:
            StoreError: they are not here, and not in the shared folder, or cannot be had from it.
        """
        name = f"runs/{run.id}"
        if self._shared is None or (run.folder.exists() and self._marked(name) is None):
            return
        try:
            manifest = self._shared.manifest(name)
        except StoreAwayError:
            if run.folder.exists():
                return
            raise
        if run.folder.exists() and manifest in (None, self._marked(name)):
            return
        if manifest is None:
            host = run.process.host
            when = "its training has ended" if run.status is RunStatus.RUNNING else "its home is opened there"
            raise StoreError(f"expected the files of {run.ref} in {self.address}, received none: {host} uploads them when {when}")
        with self._locked("bring"):
            self._bring_folder(name, manifest)

    def bring_version(self, version: ModelVersion) -> None:
        """Have the file of a version here.

        Raises:
            StoreError: it is not here, and not in the shared folder, or cannot be had from it.
        """
        name = _name_of(version.path)
        if self._shared is None or version.path.exists():
            return
        place = _place_of_version(name, version.sha256)
        manifest = self._shared.manifest(place)
        if manifest is None:
            raise StoreError(f"the file is not in {self.address} either, where the machine that registered it has to upload it")
        with store_errors(version.path), self._locked("bring"):
            version.path.parent.mkdir(exist_ok=True)
            self._bring_file(place, manifest, version.path)
        self._mark(name, manifest)

    def forget(self, runs: Collection[Run]) -> None:
        """Remove from the shared folder the files of runs that were removed, as far as it can be reached."""
        if self._shared is None:
            return
        for run in runs:
            self.has_changed(run)
            with suppress(StoreAwayError):
                self._shared.remove(f"runs/{run.id}")

    def _unmarked(self, pattern: str) -> list[str]:
        here = {str(path.relative_to(self._home)) for path in self._home.glob(pattern) if _is_artifact(path)}
        marked = (str(path.relative_to(self._marks)) for path in self._marks.glob(f"{pattern}.json"))
        return sorted(here - {name.removesuffix(".json") for name in marked})

    def _upload(self, name: str) -> None:
        assert self._shared is not None
        path = self._home / name
        if path.is_dir():
            self._mark(name, self._shared.write(name, _files_of(path)))
            if not self._ended([path.name]):  # it goes on meanwhile
                self._mark_of(name).unlink(missing_ok=True)
        else:
            self._mark(name, self._shared.write(_place_of_version(name, sha256_of(path)), {path.name: path}))

    def _bring_folder(self, name: str, manifest: Manifest) -> None:
        assert self._shared is not None
        target = self._home / name
        partial = partial_path(target)
        try:
            with store_errors(partial):
                partial.mkdir()
                self._shared.read(name, manifest, partial)
            self._mark(name, manifest)
            move_folder(partial, target)
        finally:
            remove_folders([partial])

    def _bring_file(self, place: str, manifest: Manifest, target: Path) -> None:
        assert self._shared is not None
        partial = partial_path(target)
        try:
            partial.mkdir()
            self._shared.read(place, manifest, partial)
            with whole_file(target) as unfinished:
                (partial / target.name).replace(unfinished)
        finally:
            remove_folders([partial])

    def _marked(self, name: str) -> Manifest | None:
        with store_errors(self._home):
            try:
                marked: Manifest = json.loads(self._mark_of(name).read_text("utf-8"))
            except FileNotFoundError:
                return None
        return marked

    def _mark(self, name: str, manifest: Manifest) -> None:
        mark = self._mark_of(name)
        with store_errors(self._home):
            mark.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(mark) as unfinished:
                unfinished.write_text(json.dumps(manifest), "utf-8")

    def _mark_of(self, name: str) -> Path:
        return self._marks / f"{name}.json"

    @contextmanager
    def _locked(self, what: str) -> Iterator[None]:
        """Let no other thread or process of this home do the same until the block ends."""
        with store_errors(self._home):
            self._marks.mkdir(parents=True, exist_ok=True)
            lock = (self._marks / f"{what}.lock").open("w")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _name_of(file: Path) -> str:
    return f"models/{file.parent.name}/{file.name}"


def _place_of_version(name: str, checksum: str) -> str:
    """Return where the file of a version lies: by its content too, as another database may have one of its name and number."""
    return f"{name}-{checksum[:16]}"


def _files_of(folder: Path) -> Mapping[str, Path]:
    """Return the files of a run that others may want, by their paths in its folder."""
    found = ((path.relative_to(folder), path) for path in sorted(folder.rglob("*")) if path.is_file() and _is_artifact(path))
    return {name.as_posix(): path for name, path in found if name.parts[0] not in _ONLY_HERE}


def _is_artifact(path: Path) -> bool:
    return path.name not in _ONLY_HERE and not path.name.startswith(PARTIAL_PREFIX)
