"""Recorded searches: find and remove them, and their trials as a data frame."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_mltrain.domain.errors import MissingExtraError, OptionError, UnknownNameError
from jupyter_mltrain.domain.run import Run, RunFilter
from jupyter_mltrain.domain.search import Search
from jupyter_mltrain.services.runs import get_run, remove_runs
from jupyter_mltrain.services.session import Session

Found = TypeVar("Found")

if TYPE_CHECKING:
    import pandas as pd


def list_searches(session: Session, *, limit: int = 50, offset: int = 0) -> tuple[tuple[Search, ...], int]:
    """Return one page of searches without their trials, the newest first, and how many there are on all pages.

    Raises:
        OptionError: a page of less than one search.
    """
    if limit < 1:
        raise OptionError(f"expected --limit of at least 1, received {limit}: leave it out for 50")
    found = session.store.searches.list(limit, offset)
    return tuple(map(_with_framer, found)), session.store.searches.count()


def get_search(session: Session, ref: str | None = None) -> Search:
    """Return a search with its trials and their epochs: `"digits#2"`, the newest `"digits"`, an id, or the newest of all.

    Raises:
        UnknownNameError: there is no such search; near misses are suggested.
    """
    if ref is not None:
        return _with_framer(session.store.searches.get(ref))
    newest = session.store.searches.list(limit=1)
    if not newest:
        raise UnknownNameError(f"expected a recorded search, there is none in {session.home}: put %%tune on top of a cell")
    return _with_framer(session.store.searches.get(newest[0].id))


def remove_searches(session: Session, refs: Sequence[str]) -> tuple[Search, ...]:
    """Remove searches with their trials and files, all or none, and return what they were; registered models stay.

    Raises:
        OptionError: one of them is running.
        UnknownNameError: one of them does not exist; near misses are suggested.
    """
    removed = session.store.searches.remove(refs)
    session.store.artifacts.forget([trial for search in removed for trial in search.trials])
    return tuple(map(_with_framer, removed))


def run_or_search(session: Session, ref: str | None = None) -> Run | Search:
    """Return what a name stands for: a run, a trial or a search; the one that began last where both bear the name.

    Raises:
        UnknownNameError: there is neither; near misses are suggested.
    """
    run, search = _found(get_run, session, ref), _found(get_search, session, ref)
    found = [each for each in (run, search) if each is not None]
    return max(found, key=lambda each: each.started_at) if found else get_run(session, ref)


def remove_all(session: Session, refs: Sequence[str]) -> tuple[Run | Search, ...]:
    """Remove runs, and searches with their trials; what is no run's name may be a search's.

    Raises:
        OptionError: one of them is running.
        UnknownNameError: one of them does not exist; near misses are suggested.
    """
    searches = [ref for ref in refs if _found(get_run, session, ref) is None and _found(get_search, session, ref) is not None]
    runs = [ref for ref in refs if ref not in searches]
    removed = remove_runs(session, runs) if runs else ()
    return (*removed, *(remove_searches(session, searches) if searches else ()))


def _found(get: Callable[[Session, str | None], Found], session: Session, ref: str | None) -> Found | None:
    try:
        return get(session, ref)
    except UnknownNameError:
        return None


def search_names(session: Session, begun: str = "") -> tuple[str, ...]:
    """Return the names of searches, or what may follow a name that is `begun`.

    That is the newest searches of the name after a `#`, as `digits#12`, and the trials of the search after a `/`, as
    `digits/7` or `digits#12/7`.
    """
    search, in_search, _ = begun.rpartition("/")
    if in_search:
        return _trial_names(session, search)
    name, numbered, _ = begun.partition("#")
    if numbered:
        return tuple(search.ref for search in session.store.searches.list(name=name))
    return session.store.searches.names()


def frame_of(search: Search) -> pd.DataFrame:
    """Return a data frame with a row a trial, in their order.

    Columns: `trial` (its number) and `status`, the values as `hp.*`, the scores under the names of their metrics, `epochs` and
    `duration`, in seconds.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError(
            'expected pandas for search.frame(), it is not installed: pip install "jupyter-mltrain[frames]"'
        ) from error
    trials = [run.trial for run in search.trials if run.trial]
    values = [f"hp.{name}" for trial in trials for name in trial.values]
    scores = [metric for trial in trials for metric in trial.scores]
    columns = dict.fromkeys(("trial", "status", *values, *scores, "epochs", "duration"))
    return pd.DataFrame([_row(run) for run in search.trials], columns=list(columns))


def _row(run: Run) -> dict[str, Any]:
    assert run.trial is not None
    epochs, duration = (run.result.epochs, run.result.duration) if run.result else (len(run.epochs), None)
    row = {"trial": run.trial.number, "status": run.status.value, "epochs": epochs, "duration": duration}
    return row | {f"hp.{name}": value for name, value in run.trial.values.items()} | dict(run.trial.scores)


def _trial_names(session: Session, search: str) -> tuple[str, ...]:
    try:
        trials = session.store.runs.list(RunFilter(search=search, limit=sys.maxsize))
    except UnknownNameError:
        return ()
    return tuple(f"{search}/{run.trial.number}" for run in trials if run.trial)


def _with_framer(search: Search) -> Search:
    return replace(search, framer=frame_of)
