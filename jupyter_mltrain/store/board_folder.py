"""The folder that TensorBoard reads: for each run that it may show a link to its event files, under a readable name."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.domain.search import Search
from jupyter_mltrain.store.database import store_errors

MOST_RUNS = 160
"""TensorBoard draws none by itself where it knows more than 500, and counts a run's training, validation and hyperparameters."""


@contextmanager
def server_file(home: Path) -> Iterator[Path]:
    """Give the file that tells where this machine's TensorBoard of a home is found; nobody else has it meanwhile.

    Raises:
        StoreError: the folder cannot be written.
    """
    file = home / "board" / f"{socket.gethostname()}.json"
    with ExitStack() as stack:
        with store_errors(file.parent):
            file.parent.mkdir(exist_ok=True)
            fcntl.flock(stack.enter_context(file.with_suffix(".lock").open("w")), fcntl.LOCK_EX)  # it ends with its process
        yield file


def name_in_board(run: Run) -> str:
    """Return the name of a run in TensorBoard: `digits#2`, of a trial `digits#2 trial 7`, which no run is called."""
    return f"{run.trial.search} trial {run.trial.number}" if run.trial else run.ref


def filter_of(chosen: Iterable[Run | Search]) -> str:
    """Return a regular expression for TensorBoard's names of these runs and of the trials of these searches.

    Where none is named it is one for all runs that are no trials.
    """
    names = [f"{each.ref} trial [0-9]+" if isinstance(each, Search) else name_in_board(each) for each in chosen]
    return f"^({'|'.join(name.replace('.', '[.]') for name in names)})(/|$)" if names else "^[^ ]+$"


def link_runs(logs: Path, runs: Iterable[Run]) -> frozenset[str]:
    """Let TensorBoard find these runs, and return the names of those that have event files by now.

    Others that it found before stay, for who else looks at them, unless they have been removed or all are too many.

    Raises:
        StoreError: the folder cannot be written.
    """
    wanted = {name_in_board(run): run.folder / "tensorboard" for run in runs}
    with store_errors(logs):
        logs.mkdir(parents=True, exist_ok=True)
        others = [link for link in logs.iterdir() if link.name not in wanted]
        too_many = len(others) + len(wanted) > MOST_RUNS
        for link in others:
            if too_many or not (logs / link.readlink()).parent.exists():
                link.unlink(missing_ok=True)
        _make_links(logs, wanted)
        return frozenset(name for name, folder in wanted.items() if any(folder.rglob("events.*")))


def _make_links(logs: Path, wanted: Mapping[str, Path]) -> None:
    """Make the links that are missing; they are relative, so that a home can be moved."""
    for name, folder in wanted.items():
        target, link = os.path.relpath(folder, logs), logs / name
        if link.is_symlink() and os.fspath(link.readlink()) != target:  # a run of this name was removed, and another made
            link.unlink(missing_ok=True)
        with suppress(FileExistsError):
            link.symlink_to(target)
