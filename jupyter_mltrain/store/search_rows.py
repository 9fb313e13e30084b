"""Searches as rows: how they are read, and what a row is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, func, select

from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.domain.search import Search
from jupyter_mltrain.store.records import common
from jupyter_mltrain.store.schema import runs, searches

_NUM_TRIALS = select(func.count()).where(runs.c.search_id == searches.c.id).scalar_subquery().label("num_trials")


def select_searches() -> Select[Any]:
    """Return the query for all that `search_from` needs; the oracle's state, which may be long, is not among it."""
    return select(*(column for column in searches.c if column is not searches.c.state), _NUM_TRIALS)


def search_from(row: Row[Any], trials: Sequence[Run] = ()) -> Search:
    """Return the search of a row of `select_searches`."""
    return Search(**common(row), tags=row.tags, num_trials=row.num_trials, trials=tuple(trials))
