"""Registered models as objects."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_mltrain.api.session import opened
from jupyter_mltrain.domain.model import ModelVersion
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.services import registry
from jupyter_mltrain.services.runs import get_run


def load_model(which: str | Run | ModelVersion, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return a Keras model with its weights, compiled as it was.

    Args:
        which: `"digits"` for the newest version of a model, `"digits@3"`, a version; or a run, `"digits#2"`, or a trial,
            `"digits/7"`, whose best model is loaded.
        custom_objects: classes and functions that the model is made of, by name; those of the notebook, or of the script
            that runs, if left out.

    Raises:
        UnknownNameError: there is no such model.
        ModelFileError: the file is missing, damaged, holds weights only, or needs a class that is not at hand.
    """
    objects = registry.defined_in(vars(sys.modules["__main__"])) if custom_objects is None else custom_objects
    with opened() as session:
        if isinstance(which, str) and ("#" in which or "/" in which):
            which = get_run(session, which)
        if isinstance(which, Run):
            return registry.load_best(session, which, objects)
        version = registry.get_model(session, which) if isinstance(which, str) else which
        return registry.load_version(session, version, objects)


class Models:
    """The registered models: `len(models)`, `for version in models` (the newest of each), `models["digits@3"]`."""

    def __len__(self) -> int:
        with opened() as session:
            return len(registry.list_models(session))

    def __iter__(self) -> Iterator[ModelVersion]:
        with opened() as session:
            return iter(registry.list_models(session))

    def __getitem__(self, ref: str) -> ModelVersion:
        """Return a version by `"digits@3"`, or the newest by `"digits"`."""
        with opened() as session:
            return registry.get_model(session, ref)

    def _repr_mimebundle_(self, **_filters: object) -> Any:
        from jupyter_mltrain.widgets.models_view import ModelsList

        return ModelsList(tuple(self))._repr_mimebundle_()
