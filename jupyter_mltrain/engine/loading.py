"""Models from files."""

from __future__ import annotations

import inspect
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.errors import ModelFileError
from jupyter_mltrain.domain.model import Signature
from jupyter_mltrain.engine.facts import num_params
from jupyter_mltrain.engine.randomness import untouched
from jupyter_mltrain.engine.saving import signature
from jupyter_mltrain.engine.sealing import check_seal


def load(path: Path, custom_objects: Mapping[str, Any]) -> Any:
    """Return the Keras model of a `.keras` file, compiled as it was.

    Args:
        path: of the file.
        custom_objects: the user's classes and functions by name; those that the file does not name are left out, because
            Keras would also take one called `mae` for the text "mae" in it.

    Raises:
        ModelFileError: the file is damaged, holds weights only, or needs a class that is not at hand.
    """
    if path.name.endswith(".weights.h5"):
        raise ModelFileError(
            f"expected a whole model, {path.name} holds weights only, since Keras could not save the model whole: "
            f"build the model as its run's cell does and call model.load_weights({str(path)!r})"
        )
    import keras

    try:
        check_seal(path)
        classes, functions = _named_in(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ModelFileError(
            f"expected a whole model in {path}, received one that cannot be read ({error}): run its cell again"
        ) from error
    found = {name: _revivable(custom_objects[name]) for name in (*classes, *functions) if name in custom_objects}
    missing = sorted(classes - found.keys() - keras.saving.get_custom_objects().keys())
    with untouched():
        try:
            return keras.models.load_model(path, custom_objects=found)
        except (TypeError, ValueError) as error:
            raise ModelFileError(
                f"expected {', '.join(missing) or 'all classes'} of the model to be at hand, Keras could not make {path.name}: "
                f"run the cell that defines them first, or pass custom_objects ({str(error).splitlines()[0]})"
            ) from error


def about(path: Path, custom_objects: Mapping[str, Any]) -> tuple[Signature, int]:
    """Return the signature of the model in a file and the number of its weights.

    Raises:
        ModelFileError: as `load`.
    """
    model = load(path, custom_objects)
    return signature(model), num_params(model)


def _revivable(custom_object: Any) -> Any:
    """Return a class that Keras can make again from a file, although its constructor takes no `trainable` and `dtype`.

    That is how most people write a subclassed model; Keras saves such a model and then cannot load it.
    """
    import keras

    if not isinstance(custom_object, type) or not issubclass(custom_object, keras.Layer):
        return custom_object
    layer: Any = custom_object
    parameters = inspect.signature(layer).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    if takes_any or not layer.from_config.__module__.startswith("keras."):
        return layer

    def from_config(config: dict[str, Any], custom_objects: Any = None) -> Any:  # noqa: ARG001 - Keras's signature
        revived = layer(**{name: value for name, value in config.items() if name in parameters})
        revived.trainable = config.get("trainable", True)
        return revived

    return type(layer.__name__, (layer,), {"from_config": staticmethod(from_config)})


def _named_in(path: Path) -> tuple[set[str], set[str]]:
    """Return the names of the classes that are not Keras's own and of the functions in a `.keras` file."""
    with zipfile.ZipFile(path) as file:
        parts = [json.loads(file.read("config.json"))]
    classes, functions = set(), set()
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            if part.get("class_name") == "function":
                functions.add(part["config"])
            elif part.get("registered_name"):
                classes.add(part["registered_name"])
            parts += part.values()
        elif isinstance(part, list):
            parts += part
    return classes, functions
