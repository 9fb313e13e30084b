"""Homes with many runs that nobody had to train."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sample_runs import make_epochs, make_result
from sqlalchemy import insert

from jupyter_mltrain.domain.run import Epoch, Process, Run, RunStatus
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.store.codec import as_mapping
from jupyter_mltrain.store.records import running
from jupyter_mltrain.store.run_rows import epoch_rows, score_rows, tag_rows
from jupyter_mltrain.store.schema import counters, epochs, run_scores, run_tags, runs

HOSTILE = "\"'</script><script>alert(1)</script><img src=x onerror=alert(1)>{x}\n\u202e" + "x" * 10_000
ELSEWHERE = Process(host="lovelace", pid=4711, started=0.0)


def add_run(session: Session, name: str = "digits", **given: Any) -> Run:
    """Record a run that goes on, on another machine."""
    made = {"source": f"%%train {name}\nmodel.fit(x, y)", "options": {}, "tags": {}, "note": "", "facts": {}, "user": "ada"}
    return session.store.runs.create_run(name=name, **({"process": ELSEWHERE} | made | given))


def end_run(
    session: Session, run: Run, *, history: tuple[Epoch, ...] = (), status: RunStatus = RunStatus.COMPLETED, **result: Any
) -> Run:
    """Record how a run ended."""
    return session.store.runs.finish_run(
        run.id, status=status, result=make_result(**({"model_id": None} | result)), epochs=history
    )


def make_runs(home: Path, num_runs: int = 3) -> Session:
    """Return a session with `digits#1`, `digits#2`, …: each trained longer, with a lower learning rate, to a better score.

    They are written in one transaction, as thousands would else take minutes, and have no folders.
    """
    session = Session(str(home))
    rows = list(map(_rows, range(1, num_runs + 1)))
    with session.store.runs._database.write() as connection:
        for table in (runs, run_tags, run_scores, epochs):
            connection.execute(insert(table), [row for each in rows for row in each[table.name]])
        connection.execute(insert(counters).values(kind="run", name="digits", last=num_runs))
    return session


def _rows(number: int) -> dict[str, list[dict[str, Any]]]:
    run_id, started = f"{number:012}", datetime.now(UTC) - timedelta(minutes=30) + timedelta(milliseconds=number)
    result = make_result(
        model_id=None,
        duration=float(number),
        best_score=1 / number,
        best_metrics={"loss": 2 / number, "val_loss": 1 / number},
        hyperparams={"epochs": 6, "learning_rate": 0.1 / number, "optimizer": "adam" if number % 3 else "sgd"},
    )
    run = {
        "id": run_id,
        "name": "digits",
        "number": number,
        "started_at": started,
        "ended_at": started,
        "user": "ada",
        "source": f"%%train digits\nmodel = net({number})",
        "note": "",
        "options": {},
        "facts": {},
        "result": as_mapping(result),
        **running(ELSEWHERE),
        "status": RunStatus.COMPLETED,
    }
    return {
        "runs": [run],
        "run_tags": tag_rows(run_id, {"odd" if number % 2 else "even": ""}),
        "run_scores": score_rows(run_id, result.best_metrics),
        "epochs": epoch_rows(run_id, make_epochs(2 + number % 8, "loss", "accuracy")),
    }
