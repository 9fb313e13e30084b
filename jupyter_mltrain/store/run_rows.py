"""Runs as rows: each record to what the tables hold, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from jupyter_mltrain.domain.run import Epoch, Parent, Run, RunStatus, TrainingResult, Trial
from jupyter_mltrain.domain.run_summary import RunSummary
from jupyter_mltrain.store.codec import as_mapping, as_record
from jupyter_mltrain.store.records import common


def run_from(row: Row[Any], *, tags: Mapping[str, str], epochs: tuple[Epoch, ...], folder: Path) -> Run:
    """Return the run of a row of `runs`."""
    return Run(
        **common(row),
        tags=tags,
        result=_result_from(row),
        epochs=epochs,
        folder=folder,
        trial=_trial_from(row),
        parent=None if row.parent is None else as_record(Parent, row.parent),
    )


def summary_from(row: Row[Any], *, tags: Mapping[str, str]) -> RunSummary:
    """Return the summary of a row that has its columns."""
    return RunSummary(
        id=row.id,
        name=row.name,
        number=row.number,
        status=RunStatus(row.status),
        started_at=row.started_at,
        user=row.user,
        note=row.note,
        tags=tags,
        result=_result_from(row),
        trial=_trial_from(row),
    )


def _result_from(row: Row[Any]) -> TrainingResult | None:
    return None if row.result is None else as_record(TrainingResult, row.result)


def _trial_from(row: Row[Any]) -> Trial | None:
    if row.search_id is None:
        return None
    search = row.name.removesuffix(f"/{row.trial}")
    return Trial(search=search, number=row.trial, values=row.trial_values, scores=row.trial_scores)


def epoch_from(row: Row[Any]) -> Epoch:
    """Return the epoch of a row of `epochs`."""
    return Epoch(number=row.number, phase=row.phase, metrics=row.metrics, seconds=row.seconds)


def epoch_rows(run_id: str, epochs: Iterable[Epoch]) -> list[dict[str, Any]]:
    """Return the rows of `epochs`."""
    return [{"run_id": run_id, **as_mapping(epoch)} for epoch in epochs]


def tag_rows(run_id: str, tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the rows of `run_tags`."""
    return [{"run_id": run_id, "key": key, "value": value} for key, value in tags.items()]


def score_rows(run_id: str, scores: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the rows of `run_scores`; what is not a number has no place in an order."""
    numbers = {metric: float(value) for metric, value in scores.items() if not math.isnan(value)}
    return [{"run_id": run_id, "metric": metric, "value": value} for metric, value in numbers.items()]
