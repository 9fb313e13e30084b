"""Keras models to files and folders that other programs run."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.errors import MissingExtraError, ModelFileError
from jupyter_mltrain.domain.export import ExportFormat
from jupyter_mltrain.domain.files import partial_path, settle
from jupyter_mltrain.engine.quiet import without_log_lines
from jupyter_mltrain.engine.randomness import untouched

_KERAS_NAMES = {
    ExportFormat.SAVEDMODEL: "tf_saved_model",
    ExportFormat.ONNX: "onnx",
    ExportFormat.LITERT: "litert",
}


def check_available(kind: ExportFormat) -> None:
    """Raise `MissingExtraError` if what writes this format is not installed."""
    if kind is ExportFormat.ONNX and importlib.util.find_spec("tf2onnx") is None:
        raise MissingExtraError('expected tf2onnx for --format onnx, it is not installed: pip install "jupyter-mltrain[onnx]"')


def export(model: Any, target: Path, kind: ExportFormat) -> None:
    """Write a model in a format that Keras exports to; `target` is whole or what it was before.

    Args:
        model: a built Keras model.
        target: a file, or a folder for a SavedModel; one that is there is replaced. Its folder must exist.
        kind: any but `keras`.

    Raises:
        ModelFileError: Keras cannot export this model so.
        OSError: it cannot be written.
    """
    partial = partial_path(target)
    try:
        with untouched(), without_log_lines():  # TensorFlow's converter writes a dozen
            _write(model, partial, kind)
        if partial.is_dir():
            _settle_folder(partial, target)
        else:
            settle(partial, target)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)


def _write(model: Any, partial: Path, kind: ExportFormat) -> None:
    try:
        if kind is ExportFormat.ONNX and model.inputs:
            _call(model)
        model.export(str(partial), format=_KERAS_NAMES[kind], verbose=False)
    except OSError:
        raise
    except Exception as error:  # whatever Keras, TensorFlow and the converters raise on a model that they cannot take
        raise ModelFileError(
            f"expected a model that Keras can export as {kind}, received {type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else 'no reason'}; --format keras always works"
        ) from error


def _call(model: Any) -> None:
    """Call a model of known inputs once: Keras exports none to ONNX that has not been called since it was loaded."""
    import keras

    def zeros(tensor: Any) -> Any:
        return keras.ops.zeros([side or 1 for side in tensor.shape], tensor.dtype)

    inputs = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    model(keras.tree.map_structure(zeros, inputs))


def _settle_folder(partial: Path, target: Path) -> None:
    """Move a finished folder to its place; one that is there is moved aside first, and back if that fails."""
    if not target.exists():
        partial.rename(target)
        return
    aside = partial_path(target)
    target.rename(aside)
    try:
        partial.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside)
