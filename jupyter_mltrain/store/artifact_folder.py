"""The folder that a team's machines share, behind an fsspec URL; what is in it is there whole, or not at all.

An artifact is a number of files that belong together, at a place such as `runs/<id>`. Each file lies under its checksum and
is never changed. The manifest, which tells the checksums, is written when all files are there, and put in its place in one
step, so that whoever finds one finds all, and a new one takes over from the old.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Any

from jupyter_mltrain.domain.address import ArtifactAddress
from jupyter_mltrain.domain.errors import MissingExtraError, MLTrainError, StoreAwayError, StoreError
from jupyter_mltrain.domain.files import partial_path, sha256_of

_MANIFEST = "manifest.json"

Manifest = Mapping[str, str]
"""Relative path of each file of an artifact to its SHA-256."""


class ArtifactFolder:
    """Artifacts at their places.

    Threads and processes may use it at once; of several that write one artifact, the last one's stays.

    Every method raises `StoreAwayError` if the folder cannot be reached or refuses, and `MissingExtraError` if a package that
    its URL needs is not installed.
    """

    def __init__(self, address: ArtifactAddress) -> None:
        """Take where it is; it is first looked at when it is used."""
        self.address = address

    def manifest(self, place: str) -> Manifest | None:
        """Return what is whole at a place; None where nothing is."""
        with self._errors():
            try:
                content = json.loads(self._files.cat_file(self._path(place, _MANIFEST)))
            except (FileNotFoundError, json.JSONDecodeError):  # or one that is being written, where that is not one step
                self._check_mounted()
                return None
        return _checked(content)

    def write(self, place: str, files: Mapping[str, Path]) -> Manifest:
        """Put files at a place in place of what is there; those that it has already are not sent again."""
        before = self.manifest(place) or {}
        manifest = {name: sha256_of(path) for name, path in files.items()}
        with self._errors():
            for name, checksum in manifest.items():
                if before.get(name) != checksum:
                    self._make(self._file(place, name, checksum), partial(self._put, files[name]))
            self._make(self._path(place, _MANIFEST), partial(self._put_manifest, manifest))
            for name, checksum in before.items() - manifest.items():
                with suppress(OSError):  # it stays, and nobody looks for it
                    self._files.rm_file(self._file(place, name, checksum))
        return manifest

    def read(self, place: str, manifest: Manifest, folder: Path) -> None:
        """Copy the files of an artifact into a folder, and compare their checksums.

        Raises:
            StoreError: one of them is damaged.
        """
        for name, checksum in manifest.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._errors():
                self._files.get_file(self._file(place, name, checksum), str(target))
            if sha256_of(target) != checksum:
                raise StoreError(
                    f"expected {name} of {place} in {self.address} as it was uploaded (SHA-256 {checksum[:12]}…), received a "
                    "changed or damaged file: put a copy in its place, or train again"
                )

    def remove(self, place: str) -> None:
        """Remove an artifact, the manifest first."""
        with self._errors(), suppress(FileNotFoundError):
            self._files.rm_file(self._path(place, _MANIFEST))
            self._files.rm(self._path(place), recursive=True)

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        try:
            import fsspec
        except ImportError as error:
            raise MissingExtraError(
                'expected fsspec for shared files, it is not installed: pip install "jupyter-mltrain[artifacts]"'
            ) from error
        try:
            files, root = fsspec.core.url_to_fs(self.address.url, use_listings_cache=False)
        except ImportError as error:
            raise MissingExtraError(
                f"expected the package for {self.address}, it is not installed ({error}): install it with pip"
            ) from error
        return files, root.rstrip("/")

    @property
    def _files(self) -> Any:
        return self._opened[0]

    def _path(self, place: str, *parts: str) -> str:
        return "/".join((self._opened[1], place, *parts))

    def _file(self, place: str, name: str, checksum: str) -> str:
        return self._path(place, checksum[:16], name)

    def _check_mounted(self) -> None:
        """Raise `FileNotFoundError` if the shared folder is one of this machine's own, and not there: a disk may be missing."""
        if "file" in self._files.protocol and not self._files.isdir(self._opened[1]):
            raise FileNotFoundError("there is no such folder")

    def _make(self, path: str, write: Callable[[str], None]) -> None:
        """Write to a path; where folders have to be made for it, make them, but for the shared one itself."""
        try:
            write(path)
        except FileNotFoundError:
            if not self._files.isdir(self._opened[1]):
                raise
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            write(path)

    def _put(self, file: Path, path: str) -> None:
        self._files.put_file(str(file), path)

    def _put_manifest(self, manifest: Manifest, path: str) -> None:
        unfinished = f"{path.rpartition('/')[0]}/{partial_path(Path(path)).name}"
        self._files.pipe_file(unfinished, json.dumps(manifest).encode())
        self._files.mv(unfinished, path)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except MLTrainError:
            raise
        except Exception as error:  # each package behind a URL has exceptions of its own
            cause = self.address.hidden(str(error)).partition("\n")[0] or type(error).__name__
            raise StoreAwayError(
                f"expected to read and write {self.address}, received {cause!r}: check that it is there, the network, and who may"
            ) from error


def _checked(content: Any) -> Manifest:
    """Return a manifest, if no file in it would be written elsewhere than it is said.

    Raises:
        StoreError: it is no manifest, or one would.
    """
    paths = [PurePosixPath(name) for name in content] if isinstance(content, dict) else [PurePosixPath("/")]
    if any(path.is_absolute() or ".." in path.parts or "\\" in str(path) for path in paths):
        raise StoreError("expected a manifest of files in their folder, received another: the shared folder was changed")
    return dict(content)
