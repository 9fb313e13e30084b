"""The registered models: find them, load them, and register what a run has left."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

from jupyter_mltrain.domain.errors import ModelFileError, OptionError
from jupyter_mltrain.domain.model import ModelVersion
from jupyter_mltrain.domain.run import Run, RunStatus
from jupyter_mltrain.domain.spec import check_name
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.services.user import user_name


def list_models(session: Session) -> tuple[ModelVersion, ...]:
    """Return the newest version in use of every model, the newest first."""
    return session.store.models.list()


def get_model(session: Session, ref: str) -> ModelVersion:
    """Return the version `"digits@3"`, or by an alias `"digits@champion"`, or the newest in use of `"digits"`.

    Raises:
        UnknownNameError: there is no such version; near misses are suggested.
    """
    return session.store.models.get(ref)


def versions_of(session: Session, name: str) -> tuple[ModelVersion, ...]:
    """Return all versions of a model, the newest first.

    Raises:
        UnknownNameError: there is no model of that name; near misses are suggested.
    """
    return session.store.models.list(name)


def model_names(session: Session, begun: str = "") -> tuple[str, ...]:
    """Return the names of models; the versions and aliases of one, `digits@3`, where `begun` is its name and an `@`."""
    name, versioned, _ = begun.partition("@")
    if versioned and name in session.store.models.names():
        return tuple(f"{name}@{which}" for which in version_names(session, name))
    return session.store.models.names()


def version_names(session: Session, name: str) -> tuple[str, ...]:
    """Return what may stand behind the `@`: the numbers of the versions in use, then the aliases."""
    in_use = [version for version in session.store.models.list(name) if version.archived is None]
    aliases = sorted(alias for version in in_use for alias in version.aliases)
    return (*(str(version.version) for version in in_use), *aliases)


def load_version(session: Session, version: ModelVersion, custom_objects: Mapping[str, Any]) -> Any:
    """Return the Keras model of a version, after comparing its file's checksum.

    Args:
        session: where it is registered.
        version: which.
        custom_objects: the user's classes and functions by name.

    Raises:
        ModelFileError: the file is missing, damaged, holds weights only, or needs a class that is not at hand.
    """
    return _load(session.store.models.verify(version), custom_objects)


def load_best(session: Session, run: Run, custom_objects: Mapping[str, Any]) -> Any:
    """Return the best Keras model of a run: the version that it registered, else the file in its folder.

    Raises:
        ModelFileError: as `load_version`; or the run has written no model.
    """
    if run.result and run.result.model_id:
        return load_version(session, get_model(session, run.result.model_id), custom_objects)
    return _load(_best_file(session, run), custom_objects)


def register_run(session: Session, name: str, run: Run, custom_objects: Mapping[str, Any]) -> ModelVersion:
    """Make the best model of a run that has ended the next version of a name, and note it with the run.

    Raises:
        OptionError: `name` cannot name a model, or the run has not ended.
        ModelFileError: the run has written no whole model, or it needs a class that is not at hand.
    """
    check_name(name, "model")
    if run.status is RunStatus.RUNNING:
        raise OptionError(f"expected a run that has ended, received {run.ref}, which is running: wait for it, or stop it")
    file = _best_file(session, run)
    from jupyter_mltrain.engine.loading import about

    signature, num_params = about(file, custom_objects)
    version = session.store.models.register(
        name,
        file=file,
        signature=signature,
        num_params=num_params,
        metrics=run.result.best_metrics if run.result else {},
        run=run,
        user=user_name(),
    )
    session.store.runs.note_model(run.id, version.ref)
    session.store.uploader.begin()
    return version


def _best_file(session: Session, run: Run) -> Path:
    session.store.artifacts.bring_run(run)
    file = next(run.folder.glob("best.*"), None)
    if file is None:
        raise ModelFileError(f"expected a model of run {run.ref} in {run.folder}, there is none: run its cell again")
    return file


def defined_in(namespace: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the classes and functions of a namespace by their own names, as models in files refer to them.

    Args:
        namespace: that of the notebook or script, if nothing says otherwise.
    """
    namespace = vars(sys.modules["__main__"]) if namespace is None else namespace
    return {value.__name__: value for value in namespace.values() if isinstance(value, type | FunctionType)}


def predictor_of(model: Any) -> Callable[[Any], Any]:
    """Return what gives a Keras model's outputs for inputs, NumPy arrays with rows first."""
    from jupyter_mltrain.engine.plans.predicting import Predictor

    return Predictor(model)


def _load(path: Path, custom_objects: Mapping[str, Any]) -> Any:
    from jupyter_mltrain.engine.loading import load

    return load(path, custom_objects)
