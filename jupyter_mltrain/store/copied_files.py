"""Files on their way into a home: copied beside their place, compared by checksum, then moved there in one step."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.domain.files import PARTIAL_PREFIX, partial_path, sha256_of
from jupyter_mltrain.store.database import store_errors
from jupyter_mltrain.store.record_files import NAME

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A file that was copied, and what was read for it."""

    path: Path
    sha256: str
    size: int


@contextmanager
def copied(file: Path, folder: Path) -> Iterator[Copy]:
    """Give a copy of a file in `folder`, before a transaction begins, so that others need not wait for a large file."""
    partial = partial_path(folder / file.name)
    try:
        with store_errors(partial):
            folder.mkdir(exist_ok=True)
            copy = _copy(file, partial)
        yield copy
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def copied_folder(source: Path, parent: Path) -> Iterator[Path]:
    """Give a copy of a folder with all that is in it, beside where it is to be; nothing of it stays if it is not moved there.

    Raises:
        StoreError: a file cannot be copied, or its copy is not what was read.
    """
    partial = partial_path(parent / source.name)
    try:
        with store_errors(partial):
            partial.mkdir()
            for path in sorted(source.rglob("*")):
                _copy_into(path, partial / path.relative_to(source))
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def move_folder(partial: Path, target: Path) -> None:
    """Move a copied folder to its place; what is there, a process left that died before it could record it."""
    with store_errors(target):
        shutil.rmtree(target, ignore_errors=True)
        partial.replace(target)


def _copy_into(path: Path, target: Path) -> None:
    if path.is_dir():
        target.mkdir()
    elif path.is_file() and path.name != NAME and not path.name.startswith(PARTIAL_PREFIX):
        copy_file(path, target)


def copy_file(path: Path, target: Path) -> None:
    """Copy a file to where none is.

    Raises:
        StoreError: it cannot be copied, or its copy is not what was read.
    """
    with store_errors(target):
        copy = _copy(path, target)
        if sha256_of(target) != copy.sha256:
            raise StoreError(f"expected {target} to be what {path} is, received another content: check the disk")


def _copy(file: Path, partial: Path) -> Copy:
    digest = hashlib.sha256()
    with file.open("rb") as source, partial.open("xb") as target:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
        return Copy(path=partial, sha256=digest.hexdigest(), size=target.tell())
