"""Recorded runs: find, compare and remove them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from jupyter_mltrain.domain.errors import OptionError, UnknownNameError, did_you_mean
from jupyter_mltrain.domain.family import Family, families
from jupyter_mltrain.domain.run import Run, RunFilter, RunStatus, lower_is_better
from jupyter_mltrain.domain.run_summary import RunOrder
from jupyter_mltrain.services.run_index import RunIndex
from jupyter_mltrain.services.session import Session

_AGO = re.compile(r"(\d{1,5})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


_EVERY = RunOrder()


def list_runs(session: Session, which: RunFilter, order: RunOrder = _EVERY) -> tuple[tuple[Run, ...], int]:
    """Return one page of runs without their epochs, and how many there are on all pages.

    Raises:
        OptionError: a page of less than one run.
        UnknownNameError: there is no such search or column; or none fits, and none ever had that name, model or metric.
    """
    if which.limit < 1:
        raise OptionError(f"expected --limit of at least 1, received {which.limit}: leave it out for 50")
    if order == _EVERY:
        found, total = session.store.runs.list(which), session.store.runs.count(which)
    else:
        found, total = _list_ordered(session, which, order)
    if not found:
        _check_names(session, which)
    return found, total


def order_of(which: RunFilter, order: RunOrder) -> RunOrder:
    """Return an order that names a column where the store's own, for what is asked for, is not the newest first."""
    if order.sort or (which.best is None and which.search is None):
        return order
    if which.best is None:
        return replace(order, sort="ref")
    return replace(order, sort=f"metrics.{which.best}", descending=not lower_is_better(which.best))


def _list_ordered(session: Session, which: RunFilter, order: RunOrder) -> tuple[tuple[Run, ...], int]:
    """Return what no database can order by an index."""
    index = RunIndex(session, which)
    index.refresh()
    found = index.find(order_of(which, order))
    page = found[which.offset : which.offset + which.limit]
    return session.store.summaries.with_ids([run.id for run in page]), len(found)


def get_run(session: Session, ref: str | None = None) -> Run:
    """Return a run with its epochs: `"digits#2"`, the newest `"digits"`, a trial `"digits#2/7"`, an id, or the newest of all.

    The newest of all is never a trial.

    Raises:
        UnknownNameError: there is no such run; near misses are suggested.
    """
    if ref is not None:
        return session.store.runs.get(ref)
    newest = session.store.runs.list(RunFilter(limit=1))
    if not newest:
        raise UnknownNameError(f"expected a recorded run, there is none in {session.home}: put %%train on top of a cell")
    return session.store.runs.get(newest[0].id)


def family_trees(session: Session, ref: str | None = None) -> tuple[Family, ...]:
    """Return the families of all runs that were forked, the oldest first; with `ref` that of one run, from its first ancestor on.

    Raises:
        UnknownNameError: there is no such run; near misses are suggested.
    """
    found = families(session.store.runs.families())
    if ref is None:
        return found
    run = get_run(session, ref)
    return tuple(family for family in found if any(each.id == run.id for each in family.runs)) or (Family(run=run),)


def runs_to_compare(session: Session, refs: Sequence[str]) -> tuple[Run, ...]:
    """Return two runs or more with their epochs, in the order given.

    Raises:
        OptionError: they are fewer than two.
        UnknownNameError: one of them does not exist; near misses are suggested.
    """
    found = {run.id: run for run in map(session.store.runs.get, refs)}
    if len(found) < 2:
        raise OptionError(f"expected two runs or more to compare, received {', '.join(refs)}: %runs lists what there is")
    return tuple(found.values())


def remove_runs(session: Session, refs: Sequence[str]) -> tuple[Run, ...]:
    """Remove runs with their files, all or none, and return what they were; models that they registered stay.

    Raises:
        OptionError: one of them is running.
        UnknownNameError: one of them does not exist; near misses are suggested.
    """
    removed = session.store.runs.remove(refs)
    session.store.artifacts.forget(removed)
    return removed


def run_names(session: Session, begun: str = "") -> tuple[str, ...]:
    """Return the names of runs; the newest runs of one name, `digits#12`, where `begun` is that name and a `#`."""
    name, numbered, _ = begun.partition("#")
    if numbered:
        return tuple(run.ref for run in session.store.runs.list(RunFilter(name=name)))
    return session.store.runs.names()


def resumable_names(session: Session) -> tuple[str, ...]:
    """Return the newest runs that were cut short."""
    ended = (RunStatus.COMPLETED, RunStatus.RUNNING)
    return tuple(run.ref for run in session.store.runs.list(RunFilter()) if run.status not in ended)


def metric_names(session: Session, search: str | None = None) -> tuple[str, ...]:
    """Return the metrics of the newest runs, or of the first trials of a search."""
    runs = session.store.runs.list(RunFilter(search=search))
    recorded = [run.result.best_metrics for run in runs if run.result] + [run.trial.scores for run in runs if run.trial]
    return tuple(dict.fromkeys(name for metrics in recorded for name in metrics))


def moment(text: str) -> datetime:
    """Return the moment that is meant by `30m`, `12h`, `2d`, `3w` (ago), `2026-11-01` or `2026-11-01T14:30` (local time).

    Raises:
        OptionError: it is none of these.
    """
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            return datetime.now().astimezone() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:
        raise OptionError(f"expected a time like 2d, 12h or 2026-11-01, received {text!r}: write one of these forms") from error


def _check_names(session: Session, which: RunFilter) -> None:
    if which.name is not None:
        _check_name("run", which.name, session.store.runs.names())
    if which.model is not None:
        _check_name("model", which.model, session.store.models.names())
    if which.best is not None:
        _check_name("metric", which.best, metric_names(session, which.search))


def _check_name(what: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise UnknownNameError(f"no {what} named {name!r}{did_you_mean(name, known)}")
