"""A cell on its way to another process: its code, what it uses of the notebook, and how Keras is set up there."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import xxhash

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.spec import Cell, TrainSpec

_LARGE = 2**20  # bytes of an array that is mapped and not copied


def pack(spec: TrainSpec, cell: Cell, folder: Path) -> bytes:
    """Return what `unpack` takes in another process of the same Python.

    Args:
        spec: the objects in it are sent too.
        cell: the body; what it and the spec use of its namespace goes with it, functions and classes by their code.
        folder: for large arrays, which are written once, by their content, and mapped by whoever unpacks.

    Raises:
        OptionError: something cannot be sent; it is named.
    """
    portable = cell.portable(spec.expressions())
    try:
        return _pickled((spec, portable, _setup()), folder)
    except Exception as error:  # anything of the user's own may refuse to be pickled, in any way
        options = {option.name: getattr(spec, option.name) for option in fields(spec)}
        raise OptionError(_complaint({**portable.needs, **options}, error)) from error


def pack_function(function: Any, option: str) -> bytes:
    """Return what `pickle.loads` makes a function of in another process, with all that it uses of the notebook.

    Raises:
        OptionError: something in it cannot be sent.
    """
    try:
        packed: bytes = cloudpickle.dumps(function)
    except Exception as error:  # anything of the user's own may refuse to be pickled, in any way
        name = getattr(function, "__name__", type(function).__name__)
        raise OptionError(
            f"expected {option} with a function that can be sent to another process, received {name} ({_first_line(error)}): "
            "make within it what it uses"
        ) from error
    return packed


def digest(spec: TrainSpec, cell: Cell) -> str | None:
    """Return a hash of what `pack` would send, which changes with what the cell uses; None where it cannot be sent."""
    try:
        return xxhash.xxh3_128(_pickled((spec, cell.portable(spec.expressions())), None)).hexdigest()
    except Exception:  # noqa: BLE001 - anything of the user's own may refuse to be pickled, in any way
        return None


def unpack(parcel: bytes, folder: Path) -> tuple[TrainSpec, Cell]:
    """Return spec and cell as they were packed, and set Keras up as it was there.

    Args:
        parcel: of `pack`.
        folder: where the large arrays are, under the names that `pack` gave them.
    """
    import keras

    spec, cell, setup = _Unpickler(io.BytesIO(parcel), folder).load()
    if setup:
        keras.config.set_floatx(setup["floatx"])
        keras.config.set_image_data_format(setup["image_data_format"])
        keras.config.set_dtype_policy(setup["dtype_policy"])
        registered = {name: pickle.loads(content) for name, content in setup["registered"].items()}  # noqa: S301
        keras.saving.get_custom_objects().update(registered)
    vars(sys.modules["__main__"]).update(cell.needs)  # where Keras looks for the notebook's classes
    return spec, cell


def _setup() -> dict[str, Any]:
    """Return Keras's settings, and the notebook's classes that are registered, where they can be sent; empty without Keras."""
    keras = sys.modules.get("keras")
    if keras is None:  # its import takes seconds
        return {}
    registered = {}
    for name, value in keras.saving.get_custom_objects().items():
        if value.__module__ == "__main__":
            with suppress(Exception):  # if the cell uses it, its own pickle says why not
                registered[name] = cloudpickle.dumps(value)
    return {
        "floatx": keras.config.floatx(),
        "image_data_format": keras.config.image_data_format(),
        "dtype_policy": keras.config.dtype_policy().name,
        "registered": registered,
    }


def _pickled(value: Any, folder: Path | None) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, folder).dump(value)
    return stream.getvalue()


class _Pickler(cloudpickle.Pickler):
    """Puts large arrays into files named by their content; without a folder only the name is kept."""

    def __init__(self, stream: io.BytesIO, folder: Path | None) -> None:
        super().__init__(stream)
        self._folder = folder

    def persistent_id(self, obj: Any) -> str | None:
        if type(obj) is np.ndarray and obj.nbytes >= _LARGE and not obj.dtype.hasobject:
            return self._written(obj)
        return None

    def _written(self, array: np.ndarray[Any, Any]) -> str:
        content = np.ascontiguousarray(array)
        name = (
            f"{xxhash.xxh3_128(content.data.cast('B')).hexdigest()}-{content.dtype.str[1:]}-{'x'.join(map(str, array.shape))}.npy"
        )
        if self._folder is None:
            return name
        path = self._folder / name
        if not path.exists():
            np.save(path, content)
        return name


class _Unpickler(pickle.Unpickler):
    """Maps those files: an array's pages come from there, and those that are written to become the process's own."""

    def __init__(self, stream: io.BytesIO, folder: Path) -> None:
        super().__init__(stream)
        self._folder = folder

    def persistent_load(self, name: str) -> np.ndarray[Any, Any]:
        return np.asarray(np.load(self._folder / name, mmap_mode="c"))


def _complaint(needs: Mapping[str, Any], error: Exception) -> str:
    for name, value in needs.items():
        try:
            cloudpickle.dumps(value)
        except Exception as reason:  # noqa: BLE001 - anything of the user's own may refuse, in any way
            return (
                f"expected what the cell uses of the notebook to be sendable to another process, received {name}, "
                f"a {type(value).__name__} ({_first_line(reason)}): make it within the cell"
            )
    return f"expected a cell that can be sent to another process, received another ({_first_line(error)}): train it in this one"


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
