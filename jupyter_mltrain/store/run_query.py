"""A `RunFilter` as SQL."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, select

from jupyter_mltrain.domain.run import RunFilter, RunStatus, lower_is_better
from jupyter_mltrain.store.schema import epochs, model_versions, run_scores, run_tags, runs

_SUMMARY = (
    *("id", "name", "number", "status", "started_at", "user", "note", "result"),
    *("search_id", "trial", "trial_values", "trial_scores"),
)


def page_of(which: RunFilter, search_id: str | None) -> Select[Any]:
    """Return the query for one page, in its order, of the runs of their own or of the trials of a search."""
    newest = (runs.c.started_at.desc(), runs.c.id.desc())
    query = select(runs).where(*_conditions(which, search_id)).limit(which.limit).offset(which.offset)
    if which.best is not None:
        score = run_scores.c.value
        query = query.join(run_scores, _has_score(which.best)).order_by(score if lower_is_better(which.best) else score.desc())
    return query.order_by(*(newest if search_id is None else [runs.c.trial]))


def number_of(which: RunFilter, search_id: str | None) -> Select[Any]:
    """Return the query for how many there are on all pages."""
    query = select(func.count()).select_from(runs).where(*_conditions(which, search_id))
    return query if which.best is None else query.where(exists().where(_has_score(which.best)))


def all_summaries(which: RunFilter, search_id: str | None) -> Select[Any]:
    """Return the query for the rows of summaries on all pages, in no order."""
    query = select(*(runs.c[name] for name in _SUMMARY)).where(*_conditions(which, search_id))
    return query if which.best is None else query.where(exists().where(_has_score(which.best)))


def changed_summaries(which: RunFilter, search_id: str | None, *, since: datetime, ids: Collection[str]) -> Iterator[Select[Any]]:
    """Yield the queries for those that run, that started since a moment, or are among `ids`: one an index."""
    query = all_summaries(which, search_id)
    yield query.where(runs.c.status == RunStatus.RUNNING)
    yield query.where(runs.c.started_at >= since)
    yield query.where(runs.c.id.in_(ids))


def sampled_epochs(run_ids: Collection[str], most: int) -> Select[Any]:
    """Return the query for epochs of each run, the first and at most `most` others at equal distances, and the last."""
    these = select(epochs.c.run_id, func.max(epochs.c.number).label("last")).where(epochs.c.run_id.in_(run_ids))
    ends = these.group_by(epochs.c.run_id).subquery()
    is_kept = ((epochs.c.number - 1) % (ends.c.last // most + 1) == 0) | (epochs.c.number == ends.c.last)
    query = select(epochs).join(ends, epochs.c.run_id == ends.c.run_id).where(is_kept)
    return query.order_by(epochs.c.run_id, epochs.c.number)


def _conditions(which: RunFilter, search_id: str | None) -> list[ColumnElement[bool]]:
    conditions = [runs.c.search_id == search_id]  # `IS NULL` where it is None
    conditions += [_has_tag(key, value) for key, value in which.tags.items()]
    if which.name is not None:
        conditions.append(runs.c.name == which.name)
    if which.status is not None:
        conditions.append(runs.c.status == which.status)
    if which.since is not None:
        conditions.append(runs.c.started_at >= which.since)
    if which.model is not None:
        conditions.append(exists().where(model_versions.c.run_id == runs.c.id, model_versions.c.name == which.model))
    return conditions


def _has_score(metric: str) -> ColumnElement[bool]:
    return and_(run_scores.c.run_id == runs.c.id, run_scores.c.metric == metric)


def _has_tag(key: str, value: str) -> ColumnElement[bool]:
    tag = exists().where(run_tags.c.run_id == runs.c.id, run_tags.c.key == key)
    return tag.where(run_tags.c.value == value) if value else tag
