"""Runs as rows: each record to what the tables hold, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from jupyter_mltrain.domain.run import Epoch, Failure, Process, Run, RunStatus, TrainingResult
from jupyter_mltrain.store.codec import as_mapping, as_record


def run_from(row: Row[Any], *, tags: Mapping[str, str], epochs: tuple[Epoch, ...], folder: Path) -> Run:
    """Return the run of a row of `runs`."""
    return Run(
        id=row.id,
        name=row.name,
        number=row.number,
        status=RunStatus(row.status),
        source=row.source,
        started_at=row.started_at,
        ended_at=row.ended_at,
        user=row.user,
        process=process_from(row),
        options=row.options,
        tags=tags,
        note=row.note,
        facts=row.facts,
        result=None if row.result is None else as_record(TrainingResult, row.result),
        failure=None if row.failure is None else as_record(Failure, row.failure),
        epochs=epochs,
        folder=folder,
    )


def process_from(row: Row[Any]) -> Process:
    """Return the process of a row of `runs`."""
    return Process(host=row.host, pid=row.pid, started=row.process_started)


def epoch_from(row: Row[Any]) -> Epoch:
    """Return the epoch of a row of `epochs`."""
    return Epoch(number=row.number, phase=row.phase, metrics=row.metrics, seconds=row.seconds)


def epoch_rows(run_id: str, epochs: Iterable[Epoch]) -> list[dict[str, Any]]:
    """Return the rows of `epochs`."""
    return [{"run_id": run_id, **as_mapping(epoch)} for epoch in epochs]


def tag_rows(run_id: str, tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the rows of `run_tags`."""
    return [{"run_id": run_id, "key": key, "value": value} for key, value in tags.items()]


def score_rows(run_id: str, result: TrainingResult | None) -> list[dict[str, Any]]:
    """Return the rows of `run_scores`; what is not a number has no place in an order."""
    metrics = {} if result is None else result.best_metrics
    return [
        {"run_id": run_id, "metric": metric, "value": float(value)} for metric, value in metrics.items() if not math.isnan(value)
    ]
