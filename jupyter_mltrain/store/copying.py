"""One home into another, whatever databases they have."""

from __future__ import annotations

from pathlib import Path

from jupyter_mltrain.domain.copying import CopyReport
from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.store.copied_models import ModelCopier
from jupyter_mltrain.store.copied_runs import RunCopier, copy_alone
from jupyter_mltrain.store.database import store_errors
from jupyter_mltrain.store.store import Store


def copy_home(source: Store, target: Store) -> CopyReport:
    """Copy what is not there: models with aliases and history, searches with trials, runs, and the files of all.

    Each version, search and run is copied whole or not at all, its files compared by checksum; what was there stays as it
    was, so that a copy that was cut short is gone on with by copying again. Numbers that are taken there become the next ones.

    Raises:
        OptionError: both are the same home.
        StoreError: one of the homes cannot be read or written; what was copied until then is there.
    """
    if source.home.resolve() == target.home.resolve() and source.address == target.address:
        raise OptionError(f"expected two homes to copy from and to, received {source.home} twice: name another")

    def bring_version(ref: str) -> None:
        source.artifacts.bring_version(source.models.get(ref))

    def bring_run(ref: str) -> None:
        source.artifacts.bring_run(source.runs.get(ref))

    folders = (source.home / "models", target.home / "models")
    models = ModelCopier(source.database, target.database, folders, bring_version)
    models.copy()
    folders = (source.home / "runs", target.home / "runs")
    runs = RunCopier(source.database, target.database, folders, models.versions, bring_run)
    runs.copy()
    target.uploader.begin()
    return CopyReport(
        runs=runs.num_runs,
        searches=runs.num_searches,
        trials=runs.num_trials,
        versions=models.num_versions,
        moves=models.num_moves,
        there_already=models.num_there_already + runs.num_there_already,
        said=(*models.said, *runs.said),
    )


def copy_run(source: Store, run: Run, file: Path, home: Path) -> None:
    """Make a home that holds one run, and one of its files; a trial is a run of its own there.

    Args:
        source: where the run is recorded.
        run: as it is recorded there.
        file: in its folder.
        home: a folder that is not there yet.

    Raises:
        StoreError: one of the homes cannot be read or written.
    """
    with store_errors(home):
        home.mkdir()
    target = Store(home)
    try:
        copy_alone(run, source.database, target.database, file, home / "runs" / run.id)
    finally:
        target.close()
