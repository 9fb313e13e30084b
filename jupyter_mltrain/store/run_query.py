"""A `RunFilter` as SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, select

from jupyter_mltrain.domain.run import RunFilter, lower_is_better
from jupyter_mltrain.store.schema import model_versions, run_scores, run_tags, runs


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
