"""Versions of a model looked at closely: are their files whole, what differs, and copies of them for other programs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.comparison import VersionComparison, pair_layers
from jupyter_mltrain.domain.errors import ModelFileError, OptionError, UnknownNameError
from jupyter_mltrain.domain.export import ExportFormat, check_target
from jupyter_mltrain.domain.files import whole_file
from jupyter_mltrain.domain.model import ModelVersion, Verification
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.services.registry import get_model, load_version, versions_of
from jupyter_mltrain.services.session import Session


def verify(session: Session, name: str, version: int | str | None = None) -> tuple[Verification, ...]:
    """Compare the file of one version, or of every version of a model, with the checksum that was registered.

    Raises:
        UnknownNameError: there is no such model or version.
    """
    which = versions_of(session, name) if version is None else (get_model(session, f"{name}@{version}"),)
    return tuple(Verification(version=each, trouble=_trouble(session, each)) for each in which)


def run_of(session: Session, version: ModelVersion) -> Run | None:
    """Return the run that made a version, None where that was removed."""
    try:
        return session.store.runs.get(version.run_id)
    except UnknownNameError:
        return None


def compare(session: Session, name: str, first: int | str, second: int | str) -> VersionComparison:
    """Put two versions of a model beside each other: metrics, layers, and the runs that made them.

    Args:
        session: where they are registered.
        name: of the model.
        first: number or alias of what is compared with.
        second: number or alias of what is new.

    Raises:
        ModelFileError: a file is missing or damaged.
        OptionError: both are the same version.
        UnknownNameError: there is no such model or version.
    """
    from jupyter_mltrain.engine.architecture import layers_of

    old, new = (get_model(session, f"{name}@{which}") for which in (first, second))
    if old == new:
        raise OptionError(f"expected two versions to compare, received {old.ref} twice: %models show {name} lists them")
    before, after = (layers_of(session.store.models.verify(each)) for each in (old, new))
    layers = None if before is None or after is None else pair_layers(before, after)
    return VersionComparison(versions=(old, new), runs=(run_of(session, old), run_of(session, new)), layers=layers)


def export(
    session: Session,
    version: ModelVersion,
    kind: ExportFormat,
    to: Path,
    custom_objects: Mapping[str, Any],
) -> Path:
    """Write a version in a format that other programs run, whole or not at all, and return where it is.

    Args:
        session: where it is registered.
        version: which.
        kind: format of what is written.
        to: the file, or for a SavedModel the folder, that it becomes; folders above it are made.
        custom_objects: the user's classes and functions by name.

    Raises:
        MissingExtraError: what writes this format is not installed.
        ModelFileError: the registered file is missing or damaged, holds weights only, or Keras cannot export it so.
        OptionError: `to` does not fit the kind, is something else's, or cannot be written.
    """
    target = to.expanduser().absolute()
    check_target(target, kind)
    try:
        if kind is ExportFormat.KERAS:
            _copy(session, version, target)
        else:
            _convert(session, version, kind, target, custom_objects)
    except OSError as error:
        raise OptionError(
            f"expected --to with a place that can be written, received {target}: {error}; choose another"
        ) from error
    return target


def _copy(session: Session, version: ModelVersion, target: Path) -> None:
    if version.path.suffix != ExportFormat.KERAS.suffix:
        raise ModelFileError(f"expected a whole model, {version.ref} holds weights only: copy {version.path}")
    source = session.store.models.verify(version)
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as unfinished:
        shutil.copyfile(source, unfinished)


def _convert(
    session: Session,
    version: ModelVersion,
    kind: ExportFormat,
    target: Path,
    custom_objects: Mapping[str, Any],
) -> None:
    from jupyter_mltrain.engine.exporting import check_available, export

    check_available(kind)
    model = load_version(session, version, custom_objects)
    target.parent.mkdir(parents=True, exist_ok=True)
    export(model, target, kind)


def _trouble(session: Session, version: ModelVersion) -> str:
    try:
        session.store.models.verify(version)
    except ModelFileError as error:
        return str(error)
    return ""
