"""Versions of models and moves of aliases as the store gives them, to be shown."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from jupyter_mltrain.domain.alias import AliasMove
from jupyter_mltrain.domain.model import ModelVersion, Signature, TensorSpec
from jupyter_mltrain.domain.run import Process
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.store.schema import model_versions

VERSION = ModelVersion(
    name="digits",
    version=3,
    path=Path("home") / "models" / "digits" / "3.keras",
    sha256="9f86d081884c7d659a2feaa0c55ad015",
    size=156_000,
    signature=Signature(
        inputs=(TensorSpec(name="image", shape=(None, 8, 8), dtype="float32"),),
        outputs=(TensorSpec(name="digit", shape=(None, 10), dtype="float32"), TensorSpec(name="<b>", shape=(1,), dtype="bool")),
    ),
    num_params=12810,
    metrics={"loss": 0.0123, "val_loss": 0.0812},
    run_id="01jzabc00003",
    run_ref="digits#3",
    user="ada",
    created_at=datetime(2026, 3, 1, 14, 5, 9, tzinfo=UTC),
)

DATA = {"x": {"kind": "array", "shape": [1437, 8, 8], "dtype": "float32", "content": "xxh3:9f86d081"}}


def make_move(**changes: Any) -> AliasMove:
    """Return the first move of `digits@champion`, to version 3."""
    move = {
        "model": "digits",
        "alias": "champion",
        "number": 1,
        "version": 3,
        "before": None,
        "moved_at": datetime(2026, 3, 1, 14, 5, 9, tzinfo=UTC),
        "until": None,
        "user": "ada",
        "reason": "fewer errors",
        "is_rollback": False,
    }
    return AliasMove(**(move | changes))


def make_registry(home: Path, num_versions: int = 3, name: str = "digits") -> Session:
    """Return a session in whose registry a model has versions of a layer of as many units as their numbers."""
    session = Session(str(home))
    made = {"name": name, "source": "", "options": {}, "tags": {}, "note": "", "facts": {"data": DATA}, "user": "ada"}
    run = session.store.runs.create_run(process=Process(host="lovelace", pid=4711, started=0.0), **made)
    file = run.folder / "best.keras"
    for number in range(1, num_versions + 1):
        layer = {"class_name": "Dense", "config": {"name": "dense", "units": number}}
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {"layers": [layer]}}))
        given = {"signature": VERSION.signature, "num_params": 650, "metrics": {"val_loss": 1 / number}, "user": "ada"}
        session.store.models.register(name, file=file, run=run, **given)
    return session


def add_versions(session: Session, num: int, name: str = "digits") -> Session:
    """Record that many versions more, like the newest; in one transaction and without files, as thousands would take minutes."""
    with session.store.runs._database.write() as connection:
        rows = connection.execute(select(model_versions).where(model_versions.c.name == name)).mappings()
        newest = max(rows, key=lambda row: int(row["version"]))
        connection.execute(insert(model_versions), [{**newest, "version": newest["version"] + i + 1} for i in range(num)])
    return session
