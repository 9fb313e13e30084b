"""What is open, and whether all is well: sentences for a person, and for a report of a fault."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.domain.run import Run, RunFilter, RunStatus
from jupyter_mltrain.domain.search import Search
from jupyter_mltrain.services.session import Session

_PACKAGES = ("jupyter-mltrain", "tensorflow", "keras", "tensorboard", "numpy", "ipython", "ipykernel", "ipywidgets", "anywidget")


def status(session: Session) -> tuple[str, ...]:
    """Return where runs and models are recorded, how many there are, and what is being trained.

    Raises:
        StoreError: the home cannot be read.
    """
    store, running = session.store, _running(session)
    newest = store.runs.list(RunFilter(limit=1))
    return (
        *_places(session),
        f"Runs: {store.runs.count(RunFilter())}" + (f", the newest {newest[0].ref} ({newest[0].status})." if newest else "."),
        f"Models: {', '.join(store.models.names()) or 'none'}.",
        f"Being trained: {', '.join(map(_name, running)) or 'none'}.",
    )


def findings(session: Session) -> tuple[str, ...]:
    """Return what can be known of versions, home and processes; trouble while looking is a finding too."""
    try:
        died: tuple[Run | Search, ...] = (*session.store.runs.mark_died(), *session.store.searches.mark_died())
        return (_versions(), *session.store.findings(), *_artifacts(session), *_processes(session, died))
    except StoreError as error:
        return (_versions(), *_places(session), f"Trouble: {error}.")


def _places(session: Session) -> tuple[str, ...]:
    store = (f"Store: {session.address}.",) if session.address else ()
    return (f"Home: {session.home}.", *store, *_artifacts(session))


def _artifacts(session: Session) -> tuple[str, ...]:
    """Tell where the files are that machines share, and which are not there yet."""
    if session.artifacts is None:
        return ()
    try:
        num_pending, trouble = len(session.store.artifacts.pending()), session.store.uploader.trouble
    except StoreError as error:
        num_pending, trouble = 0, str(error)
    waiting = f", {num_pending} runs or models to be uploaded" if num_pending else ""
    return (f"Artifacts: {session.artifacts}{waiting}{f': {trouble}' if trouble else ''}.",)


def _versions() -> str:
    """Read from what is installed, without importing any of it."""
    found = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    return f"Versions: Python {platform.python_version()} on {platform.platform()}, {found}."


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _processes(session: Session, died: tuple[Run | Search, ...]) -> Iterator[str]:
    for each in died:
        kind = "search" if isinstance(each, Search) else "run"
        yield f"Process {each.process.pid} ended without a word: its {kind} {each.ref} is marked {each.status}."
    running = _running(session)
    for each in running:
        yield f"Process {each.process.pid} on {each.process.host} trains {_name(each)}."
    if not running:
        yield "Processes: none trains."


def _running(session: Session) -> tuple[Run | Search, ...]:
    runs = session.store.runs.list(RunFilter(status=RunStatus.RUNNING))
    return (*runs, *session.store.searches.list(status=RunStatus.RUNNING))


def _name(each: Run | Search) -> str:
    return f"search {each.ref}" if isinstance(each, Search) else each.ref
