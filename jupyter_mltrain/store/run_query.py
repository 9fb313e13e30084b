"""A `RunFilter` as SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, select

from jupyter_mltrain.domain.run import RunFilter, lower_is_better
from jupyter_mltrain.store.schema import model_versions, run_scores, run_tags, runs


def page_of(which: RunFilter) -> Select[Any]:
    """Return the query for the runs of one page, in their order."""
    query = _matching(which).order_by(runs.c.started_at.desc(), runs.c.id.desc())
    return query.limit(which.limit).offset(which.offset)


def number_of(which: RunFilter) -> Select[Any]:
    """Return the query for how many runs there are on all pages."""
    return _matching(which).order_by(None).with_only_columns(func.count(), maintain_column_froms=True)


def _matching(which: RunFilter) -> Select[Any]:
    query = select(runs).where(*_conditions(which))
    if which.best is None:
        return query
    has_it = and_(run_scores.c.run_id == runs.c.id, run_scores.c.metric == which.best)
    score = run_scores.c.value
    return query.join(run_scores, has_it).order_by(score if lower_is_better(which.best) else score.desc())


def _conditions(which: RunFilter) -> list[ColumnElement[bool]]:
    conditions = [_has_tag(key, value) for key, value in which.tags.items()]
    if which.name is not None:
        conditions.append(runs.c.name == which.name)
    if which.status is not None:
        conditions.append(runs.c.status == which.status)
    if which.since is not None:
        conditions.append(runs.c.started_at >= which.since)
    if which.model is not None:
        conditions.append(exists().where(model_versions.c.run_id == runs.c.id, model_versions.c.name == which.model))
    return conditions


def _has_tag(key: str, value: str) -> ColumnElement[bool]:
    tag = exists().where(run_tags.c.run_id == runs.c.id, run_tags.c.key == key)
    return tag.where(run_tags.c.value == value) if value else tag
