"""Where the code of a run comes from, kept with the run."""

from __future__ import annotations

from contextlib import suppress

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.domain.spec import Cell


def keep_origin(run: Run, cell: Cell) -> None:
    """Keep what a cell hangs on in the folder of its run, if that is known."""
    from jupyter_mltrain.store.origin_file import write_origin

    if cell.origin:
        with suppress(StoreError):  # it can be trained without, and `%runs reproduce` says that it is missing
            write_origin(run.folder, cell.origin)
