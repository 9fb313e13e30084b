"""Models to files that are whole or absent."""

from __future__ import annotations

import io
import re
import shutil
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from jupyter_mltrain.domain.files import whole_file
from jupyter_mltrain.domain.model import Signature, TensorSpec
from jupyter_mltrain.engine.randomness import untouched
from jupyter_mltrain.engine.sealing import seal

Saved = TypeVar("Saved")

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
    return _serialized(model, path, lambda serialize, path: _written(path, serialize))


def kept_in_memory(model: Any, path: Path) -> tuple[Path, Callable[[], Path]]:
    """Return the file that `save` would write, and what writes it later: the model as it is now."""

    def keep(serialize: Callable[[Any], None], path: Path) -> tuple[Path, Callable[[], Path]]:
        memory = _Memory(path)
        serialize(memory)
        return path, lambda: _written(path, lambda unfinished: unfinished.write_bytes(memory.getbuffer()))

    return _serialized(model, path, keep)


class _Memory(io.BytesIO):
    """A file without a disk, for Keras, which looks at the name for the format."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def __str__(self) -> str:
        return str(self._path)


def _serialized(model: Any, path: Path, write: Callable[[Callable[[Any], None], Path], Saved]) -> Saved:
    """Return what `write` does with the function of Keras that serializes the model, or its weights, and with its path."""
    with untouched(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of what is handled here
        if model.built:
            try:
                return write(model.save, path)
            except OSError:
                raise
            except Exception:  # noqa: BLE001, S110 - whatever a user's get_config raises: the weights can be written still
                pass
        was_built, model.built = model.built, True  # a model that only its train_step calls never becomes built
        try:
            return write(model.save_weights, path.with_suffix(".weights.h5"))
        finally:
            model.built = was_built


def _written(path: Path, write: Callable[[Path], Any], *, is_sealed: bool = False) -> Path:
    with whole_file(path) as unfinished:
        write(unfinished)
        if path.suffix == ".keras" and not is_sealed:
            seal(unfinished)
    return path


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
    """Writes `best.keras` and `last.keras` into a run's folder, and little while the training runs.

    What cannot be written when the training has ended is kept in memory.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder, which exists."""
        self._folder = folder
        self._best: Path | None = None
        self._rest: list[Callable[[], Any]] = []
        self._is_newest = False
        self._not_before = monotonic() + _SECONDS_BEFORE_FIRST_SAVE

    def on_best(self, model: Any) -> bool:
        """Be told that the model is better than ever; write it if that is cheap enough, so that a crash leaves it.

        Returns:
            whether it was written.

        Raises:
            OSError: it could not be written.
        """
        started, self._is_newest = monotonic(), False
        if started < self._not_before:
            return False
        try:
            self._best = save(model, self._folder / "best.keras")
        finally:
            self._not_before = monotonic() + max(_SECONDS_BEFORE_FIRST_SAVE, (monotonic() - started) / _SHARE_OF_TIME)
        self._is_newest = True
        return True

    def save_last(self, model: Any) -> Path:
        """Write the model as it is now."""
        return self._saved(model, "last.keras")

    def save_best(self, model: Any, best_weights: list[Any]) -> Path:
        """Write the model with its best weights; they stay set."""
        model.set_weights(best_weights)
        if self._best is None or not self._is_newest:
            self._best = self._saved(model, "best.keras")
        return self._best

    def copy_last(self, last: Path) -> Path:
        """Write the last model as the best one too, without serializing it again."""
        best = last.with_name(last.name.replace("last", "best", 1))
        copy = partial(_written, best, partial(shutil.copyfile, last), is_sealed=True)
        if not self._rest:  # the last model is there
            with suppress(OSError):
                return copy()
        self._rest.append(copy)
        return best

    def _saved(self, model: Any, name: str) -> Path:
        path = self._folder / name
        try:
            return save(model, path)
        except OSError:
            path, write = kept_in_memory(model, path)
            self._rest.append(write)
            return path

    def write_rest(self) -> None:
        """Write what could not be written before.

        Raises:
            OSError: it still cannot be.
        """
        while self._rest:
            self._rest[0]()
            del self._rest[0]
