"""What `%mltrain doctor` tells of a home, in plain sentences."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.domain.files import PARTIAL_PREFIX
from jupyter_mltrain.domain.run import RunFilter
from jupyter_mltrain.store import postgres, sqlite
from jupyter_mltrain.store.database import Database
from jupyter_mltrain.store.model_store import ModelStore
from jupyter_mltrain.store.record_files import NAME
from jupyter_mltrain.store.run_store import RunStore
from jupyter_mltrain.store.search_store import SearchStore


def findings(home: Path, database: Database, runs: RunStore, searches: SearchStore, models: ModelStore) -> Iterator[str]:
    """Give one sentence a finding, the home first; trouble while looking is a finding too."""
    yield f"Home: {home}, {_amount(shutil.disk_usage(home).free)} free on its disk."
    try:
        yield from (postgres if database.is_shared else sqlite).findings(database)
        yield _contents(runs, searches, models)
        yield _leftovers(home, runs, models)
        yield from _set_aside(home)
    except StoreError as error:
        yield f"Trouble: {error}."


def _contents(runs: RunStore, searches: SearchStore, models: ModelStore) -> str:
    num_runs, versions = runs.count(RunFilter()), sum(len(models.list(name)) for name in models.names())
    return (
        f"Contents: runs: {num_runs}, searches: {searches.count()}, trials: {len(runs.folders()) - num_runs}, "
        f"models: {len(models.names())}, model versions: {versions}."
    )


def _leftovers(home: Path, runs: RunStore, models: ModelStore) -> str:
    known = set(runs.folders())
    known |= {version.path for name in models.names() for version in models.list(name)}
    known |= set(home.glob(f"models/*/{NAME}"))
    unknown = {path for path in (*home.glob("runs/*"), *home.glob("models/*/*")) if path not in known}
    unknown |= {path for path in home.glob(f"runs/*/{PARTIAL_PREFIX}*") if path.parent in known}
    if not unknown:
        return "Leftovers: none."
    return (
        f"Leftovers of processes that died: {len(unknown)} of {_amount(sum(map(_size, unknown)))}, to be deleted when "
        f"nothing is being trained: {', '.join(str(path.relative_to(home)) for path in sorted(unknown)[:10])}."
    )


def _set_aside(home: Path) -> Iterator[str]:
    for path in sorted(home.glob("mltrain.db.damaged-*[0-9]")):
        yield f"Set aside: {path.name}, a damaged database; delete it when nothing of it is missed."


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _amount(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e8 else f"{num_bytes / 1e6:.1f} MB"
