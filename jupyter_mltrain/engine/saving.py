"""Models to files that are whole or absent."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from jupyter_mltrain.domain.files import whole_file
from jupyter_mltrain.domain.model import Signature, TensorSpec
from jupyter_mltrain.engine.randomness import untouched
from jupyter_mltrain.engine.sealing import seal

_COUNTED = re.compile(r"_\d+$")
_SECONDS_BEFORE_FIRST_SAVE = 10.0
_SHARE_OF_TIME = 0.01  # of the training that saving may take while it runs


def save(model: Any, path: Path) -> Path:
    """Write a model, or its weights where it cannot be saved whole.

    Args:
        model: a Keras model.
        path: ends in `.keras`.

    Returns:
        the file written: `path`, or the same name with `.weights.h5`.

    Raises:
        OSError: the file cannot be written.
    """
    with untouched(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of what is handled here
        if model.built:
            try:
                with whole_file(path) as unfinished:
                    model.save(unfinished)
                    seal(unfinished)
            except OSError:
                raise
            except Exception:  # noqa: BLE001, S110 - whatever a user's get_config raises: the weights can be written still
                pass
            else:
                return path
        weights = path.with_suffix(".weights.h5")
        was_built, model.built = model.built, True  # a model that only its train_step calls never becomes built
        try:
            with whole_file(weights) as unfinished:
                model.save_weights(unfinished)
        finally:
            model.built = was_built
        return weights


def signature(model: Any) -> Signature:
    """Return names, shapes and dtypes of inputs and outputs; empty for a model that has no fixed ones."""
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    output_names = getattr(model, "output_names", None) or [tensor.name for tensor in outputs]
    return Signature(
        inputs=_specs(inputs, [tensor.name for tensor in inputs], "input"),
        outputs=_specs(outputs, output_names, "output"),
    )


def _specs(tensors: Sequence[Any], names: Sequence[str], side: str) -> tuple[TensorSpec, ...]:
    plain = [_COUNTED.sub("", name) for name in names]  # Keras counts through a session: dense_7 is dense in the next
    if len(set(plain)) < len(plain):
        plain = [f"{name}_{number}" for number, name in enumerate(plain)]
    return tuple(
        TensorSpec(name=side if name == "keras_tensor" else name, shape=tuple(tensor.shape), dtype=str(tensor.dtype))
        for name, tensor in zip(plain, tensors, strict=True)
    )


class Saver:
    """Writes `best.keras` and `last.keras` into a run's folder, and little while the training runs."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, which exists."""
        self._folder = folder
        self._best: Path | None = None
        self._is_newest = False
        self._not_before = monotonic() + _SECONDS_BEFORE_FIRST_SAVE

    def on_best(self, model: Any) -> bool:
        """Be told that the model is better than ever; write it if that is cheap enough, so that a crash leaves it.

        Returns:
            whether it was written.
        """
        self._is_newest = monotonic() >= self._not_before
        if self._is_newest:
            started = monotonic()
            self._best = save(model, self._folder / "best.keras")
            self._not_before = monotonic() + max(_SECONDS_BEFORE_FIRST_SAVE, (monotonic() - started) / _SHARE_OF_TIME)
        return self._is_newest

    def save_last(self, model: Any) -> Path:
        """Write the model as it is now."""
        return save(model, self._folder / "last.keras")

    def save_best(self, model: Any, best_weights: list[Any]) -> Path:
        """Write the model with its best weights; they stay set."""
        model.set_weights(best_weights)
        if self._best is None or not self._is_newest:
            self._best = save(model, self._folder / "best.keras")
        return self._best

    def copy_last(self, last: Path) -> Path:
        """Write the last model as the best one too, without serializing it again."""
        best = last.with_name(last.name.replace("last", "best", 1))
        with whole_file(best) as unfinished:
            shutil.copyfile(last, unfinished)
        return best
