"""Files that are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PARTIAL_PREFIX = ".partial-"


@contextmanager
def whole_file(path: Path, *, lasting: bool = True) -> Iterator[Path]:
    """Give a temporary path to write to, and move it to `path` when the block ends well.

    After the block the new content is on the disk under `path`. If the block raises, or the process dies, `path` is
    what it was before; a process that dies leaves a file that begins with `PARTIAL_PREFIX` in the same folder.

    Args:
        path: where the file belongs; its folder must exist. The temporary name ends with this file's whole name,
            because writers (Keras among them) choose their format by the suffix.
        lasting: whether the new content survives a loss of power too, for which the disk is waited for.
    """
    partial = partial_path(path)
    try:
        yield partial
        if lasting:
            settle(partial, path)
        else:
            partial.replace(path)
    finally:
        with suppress(OSError):  # where nothing may be written, not even the absence of a file is told
            partial.unlink()


def partial_path(path: Path) -> Path:
    """Return a new temporary path beside `path`, so that moving it there is one step of the file system."""
    return path.with_name(f"{PARTIAL_PREFIX}{secrets.token_hex(4)}-{path.name}")


def settle(partial: Path, path: Path) -> None:
    """Move the finished file `partial` to `path` in the same folder, safe against a loss of power."""
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":  # cannot open a folder, and keeps the order of renames by itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Return the checksum of a file, as text.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
