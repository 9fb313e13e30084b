"""The folders that hold the files of runs: one a run, named by its id."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from jupyter_mltrain.store.database import store_errors
from jupyter_mltrain.store.run_id import new_run_id


def make_folder(parent: Path, run_id: str | None = None) -> Path:
    """Make the folder of a new run; its name is the run's id, a new one if none is given."""
    with store_errors(parent):
        if run_id:
            (parent / run_id).mkdir(exist_ok=True)
            return parent / run_id
        while True:
            folder = parent / new_run_id()
            with suppress(FileExistsError):  # an id of the same millisecond: draw again
                folder.mkdir()
                return folder


def remove_folders(folders: Iterable[Path]) -> None:
    """Remove folders with all that is in them."""
    for folder in folders:
        with store_errors(folder), suppress(FileNotFoundError):
            shutil.rmtree(folder)


def empty_folder(folder: Path) -> None:
    """Remove all that is in a folder; make it if it is missing."""
    remove_folders([folder])
    with store_errors(folder):
        folder.mkdir()
