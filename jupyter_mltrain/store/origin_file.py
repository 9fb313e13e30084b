"""The file in a run's folder that keeps where its code comes from.

It stands beside the record and not in it: it may be long, and no list of runs needs it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jupyter_mltrain.domain.files import whole_file
from jupyter_mltrain.domain.origin import Origin
from jupyter_mltrain.store.codec import as_mapping, as_record, dumps, loads
from jupyter_mltrain.store.database import store_errors

_NAME = "origin.json"


def write_origin(folder: Path, origin: Origin) -> None:
    """Keep it in a run's folder.

    Raises:
        StoreError: it cannot be written.
    """
    with store_errors(folder), whole_file(folder / _NAME) as unfinished:
        unfinished.write_text(dumps(as_mapping(origin)), "utf-8")


def read_origin(folder: Path) -> Origin | None:
    """Return what is kept in a run's folder; None where nothing is.

    Raises:
        StoreError: it cannot be read.
    """
    file = folder / _NAME
    with store_errors(folder):
        if not file.exists():
            return None
        origin = as_record(Origin, loads(file.read_text("utf-8")))
    return replace(origin, cells=tuple(origin.cells), left_out=tuple(origin.left_out))
