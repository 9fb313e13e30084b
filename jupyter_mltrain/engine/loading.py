"""Models from files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.errors import ModelFileError
from jupyter_mltrain.engine.randomness import untouched


def load(path: Path, custom_objects: Mapping[str, Any]) -> Any:
    """Return the Keras model of a `.keras` file, compiled as it was.

    Args:
        path: a file whose checksum has been verified.
        custom_objects: the user's classes and functions by name.

    Raises:
        ModelFileError: the file holds weights only, or needs a class that is not at hand.
    """
    if path.name.endswith(".weights.h5"):
        raise ModelFileError(
            f"expected a whole model, {path.name} holds weights only, since Keras could not save the model whole: "
            f"build the model as its run's cell does and call model.load_weights({str(path)!r})"
        )
    import keras

    with untouched():
        try:
            return keras.models.load_model(path, custom_objects=dict(custom_objects))
        except (TypeError, ValueError) as error:
            raise ModelFileError(
                f"expected all classes of the model to be at hand, Keras could not make {path.name}: "
                f"run the cell that defines them first, or pass custom_objects ({str(error).splitlines()[0]})"
            ) from error
