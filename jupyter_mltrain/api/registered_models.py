"""Registered models as objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyter_mltrain.api.session import opened
from jupyter_mltrain.domain.alias import AliasMove
from jupyter_mltrain.domain.comparison import VersionComparison
from jupyter_mltrain.domain.export import ExportFormat
from jupyter_mltrain.domain.model import ModelVersion, Verification
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.domain.spec import chosen
from jupyter_mltrain.services import aliases, registry, versions
from jupyter_mltrain.services.runs import get_run


def load_model(which: str | Run | ModelVersion, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return a Keras model with its weights, compiled as it was.

    Args:
        which: `"digits"` for the newest version of a model, `"digits@3"`, by an alias `"digits@champion"`; or a run,
            `"digits#2"`, or a trial, `"digits/7"`, whose best model is loaded.
        custom_objects: classes and functions that the model is made of, by name; those of the notebook, or of the script
            that runs, if left out.

    Raises:
        UnknownNameError: there is no such model.
        ModelFileError: the file is missing, damaged, holds weights only, or needs a class that is not at hand.
    """
    objects = registry.defined_in() if custom_objects is None else custom_objects
    with opened() as session:
        if isinstance(which, str) and ("#" in which or "/" in which):
            which = get_run(session, which)
        if isinstance(which, Run):
            return registry.load_best(session, which, objects)
        version = registry.get_model(session, which) if isinstance(which, str) else which
        return registry.load_version(session, version, objects)


class Models:
    """The registered models: `len(models)`, `for version in models` (the newest of each), `models["digits@3"]`.

    A version that is archived is passed over, unless it is asked for by its number.
    """

    def __len__(self) -> int:
        with opened() as session:
            return len(registry.list_models(session))

    def __iter__(self) -> Iterator[ModelVersion]:
        with opened() as session:
            return iter(registry.list_models(session))

    def __getitem__(self, ref: str) -> ModelVersion:
        """Return a version by `"digits@3"`, by an alias, `"digits@champion"`, or the newest by `"digits"`."""
        with opened() as session:
            return registry.get_model(session, ref)

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        """Return all versions of a model, the newest first, archived ones too.

        Raises:
            UnknownNameError: there is no model of that name; near misses are suggested.
        """
        with opened() as session:
            return registry.versions_of(session, name)

    def register(self, name: str, run: str | Run, custom_objects: Mapping[str, Any] | None = None) -> ModelVersion:
        """Make the best model of a run that has ended the next version of a model, as `--register` would have.

        Args:
            name: of the model, new or not.
            run: `"digits#2"`, a trial `"digits/7"`, or what `runs[...]` returns.
            custom_objects: as for `load_model`.

        Raises:
            ModelFileError: the run has written no whole model, or it needs a class that is not at hand.
            OptionError: `name` cannot name a model, or the run has not ended.
            UnknownNameError: there is no such run.
        """
        objects = registry.defined_in() if custom_objects is None else custom_objects
        with opened() as session:
            found = get_run(session, run) if isinstance(run, str) else run
            return registry.register_run(session, name, found, objects)

    def promote(self, name: str, version: int | str, alias: str, *, reason: str = "", seen: int | None = None) -> AliasMove:
        """Let an alias stand for a version from now on; where it does already, nothing changes.

        Args:
            name: of the model.
            version: its number, or an alias of it.
            alias: a new one, or one to be moved; letters, digits, `.`, `_` and `-`, beginning with a letter.
            reason: why, for whoever reads the history.
            seen: the version that the alias is believed to stand for, 0 for none; left out, what it stands for at this moment.

        Raises:
            ConflictError: somebody has moved the alias since.
            OptionError: the alias cannot be one, or the version is archived.
            UnknownNameError: there is no such model or version.
        """
        with opened() as session:
            return aliases.promote(session, name, version, alias, reason=reason, seen=seen)

    def rollback(self, name: str, alias: str, *, reason: str = "", seen: int | None = None) -> AliasMove:
        """Let an alias stand for what it stood for before its last move, and the next time for what was before that.

        What takes back its first move takes the alias away. The arguments are those of `promote`.

        Raises:
            ConflictError: somebody has moved the alias since.
            OptionError: the version to go back to was archived.
            UnknownNameError: there is no such model, or the alias stands for no version.
        """
        with opened() as session:
            return aliases.rollback(session, name, alias, reason=reason, seen=seen)

    def history(self, name: str, alias: str | None = None) -> tuple[AliasMove, ...]:
        """Return every move of one alias, or of each alias of a model in turn, the newest first; without a gap.

        Raises:
            UnknownNameError: there is no such model, or there never was such an alias.
        """
        with opened() as session:
            return aliases.history(session, name, alias)

    def archive(self, name: str, version: int | str, *, reason: str = "", undo: bool = False) -> ModelVersion:
        """Put a version out of use, or back into use: out of lists, without an alias, its file kept.

        Raises:
            OptionError: an alias stands for it.
            UnknownNameError: there is no such model or version.
        """
        with opened() as session:
            if undo:
                return aliases.unarchive(session, name, version)
            return aliases.archive(session, name, version, reason=reason)

    def verify(self, name: str, version: int | str | None = None) -> tuple[Verification, ...]:
        """Compare the file of one version, or of every version of a model, with its checksum; `trouble` tells what is wrong.

        Raises:
            UnknownNameError: there is no such model or version.
        """
        with opened() as session:
            return versions.verify(session, name, version)

    def diff(self, name: str, first: int | str, second: int | str) -> VersionComparison:
        """Put two versions of a model beside each other, by number or alias: metrics, layers, and the runs that made them.

        Raises:
            ModelFileError: a file is missing or damaged.
            OptionError: both are the same version.
            UnknownNameError: there is no such model or version.
        """
        with opened() as session:
            return versions.compare(session, name, first, second)

    def export(
        self,
        name: str,
        version: int | str,
        *,
        to: str | Path,
        format: str = "keras",  # noqa: A002 - the option's name
        custom_objects: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write a version in a format that other programs run, whole or not at all, and return where it is.

        Args:
            name: of the model.
            version: its number, or an alias of it.
            to: the file, or for a SavedModel the folder; what is there is kept until the new one is whole.
            format: `keras`, `savedmodel`, `onnx` or `litert`.
            custom_objects: as for `load_model`.

        Raises:
            MissingExtraError: what writes this format is not installed.
            ModelFileError: the registered file is missing or damaged, holds weights only, or Keras cannot export it so.
            OptionError: `to` does not fit the format, is something else's, or cannot be written.
            UnknownNameError: there is no such model or version.
        """
        kind = chosen("format", ExportFormat, format)
        objects = registry.defined_in() if custom_objects is None else custom_objects
        with opened() as session:
            found = registry.get_model(session, f"{name}@{version}")
            return versions.export(session, found, kind, Path(to), objects)

    def _repr_mimebundle_(self, **_filters: object) -> Any:
        from jupyter_mltrain.widgets.models_view import ModelsList

        with opened() as session:
            return ModelsList(registry.list_models(session), aliases.standing(session))._repr_mimebundle_()
