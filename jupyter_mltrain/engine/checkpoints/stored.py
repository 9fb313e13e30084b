"""What a checkpoint or a model's file has of a model and of its optimizers."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import h5py
import numpy as np

from jupyter_mltrain.domain.errors import ModelError
from jupyter_mltrain.engine.checkpoints import files
from jupyter_mltrain.engine.checkpoints.checkpoint import Checkpoint
from jupyter_mltrain.engine.checkpoints.states import is_seed
from jupyter_mltrain.engine.sealing import check_seal
from jupyter_mltrain.engine.unchanged import optimizers

Optimizers = Mapping[str, tuple[str | None, Sequence[Any]]]
Shapes = dict[str, tuple[str, tuple[int, ...]]]  # of weights by their place in a file, each with its layer's name


class Stored(Protocol):
    """A model's values, as they were in a run.

    Attributes:
        optimizers: the kind of each by the attribute that it is, where that is known, and the values of its variables.
        has_seeds: whether the states of random layers are known.
    """

    optimizers: Optimizers
    has_seeds: bool

    def put_weights(self, model: Any, ref: str, *, with_seeds: bool) -> None:
        """Put the weights into a model that has all of its own.

        Args:
            model: whose optimizers stay as they are.
            ref: names the run, for messages.
            with_seeds: whether to put the states of random layers too, where they are known.

        Raises:
            ModelError: a layer has other weights; none is put.
            OSError: the file cannot be read.
        """
        ...


def stored(path: Path, kind: str | None) -> Stored:
    """Return what a file has; `kind` is the optimizer's, which a model's file does not say."""
    if path.suffix == files.SUFFIX:
        return InCheckpoint(path)
    check_seal(path)
    return InModelFile(path, kind)


class InCheckpoint:
    """In a checkpoint: the values of all variables, in the order of the model's."""

    has_seeds = True

    def __init__(self, path: Path) -> None:
        """Read it; see `files.read`."""
        self._variables = Checkpoint.read(path).variables
        kinds = self._variables.get("kinds", {})
        self.optimizers: Optimizers = {name: (kinds.get(name), values) for name, values in self._variables["optimizers"].items()}

    def put_weights(self, model: Any, ref: str, *, with_seeds: bool) -> None:
        """See `Stored`; a layer is named with its weight."""
        numbered = set(self._variables.get("seeds", ()))
        values = [value for i, value in enumerate(self._variables["model"]) if i not in numbered]
        weights = [variable for variable in model.variables if not is_seed(variable)]
        for weight, value in zip_longest(weights, values):
            expected, received = getattr(value, "shape", None), getattr(weight, "shape", None)
            if expected is None or received is None or tuple(received) != expected:
                raise _unlike(ref, getattr(weight, "path", "one more weight"), expected, received)
        for weight, value in zip(weights, values, strict=True):
            weight.assign(value)
        seeds = [variable for variable in model.variables if is_seed(variable)]
        if with_seeds and len(seeds) == len(numbered):
            for seed, number in zip(seeds, sorted(numbered), strict=True):
                seed.assign(self._variables["model"][number])


class InModelFile:
    """In a file that Keras wrote, whole or of weights alone."""

    has_seeds = False

    def __init__(self, path: Path, kind: str | None) -> None:
        """Read what is there of optimizers."""
        self._path = path
        with _opened(path) as file:
            found = {name: group["vars"] for name, group in file.items() if "vars" in group}
            self.optimizers: Optimizers = {
                name: (kind if name == "optimizer" else None, [np.asarray(values[str(i)]) for i in range(len(values))])
                for name, values in found.items()
            }

    def put_weights(self, model: Any, ref: str, *, with_seeds: bool) -> None:  # noqa: ARG002 - Keras writes none
        """See `Stored`."""
        was_built, model.built = model.built, True  # a model that only its train_step calls never becomes built
        try:
            self._check(model, ref)
            with _kept(model), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of optimizers, which are looked after elsewhere
                model.load_weights(self._path)
        finally:
            model.built = was_built

    def _check(self, model: Any, ref: str) -> None:
        """Compare the file with one of the same model; Keras would pass over a layer too many, and names none first."""
        with TemporaryDirectory() as folder:
            own = Path(folder) / "own.weights.h5"
            model.save_weights(own)
            received = _shapes(own, model)
        expected = _shapes(self._path, model)
        order = {layer.name: i for i, layer in enumerate(model._flatten_layers())}  # noqa: SLF001
        for place in sorted({**received, **expected}, key=lambda place: order.get(received.get(place, ("",))[0], len(order))):
            (name, shape), (own_name, own_shape) = expected.get(place, ("", None)), received.get(place, ("", None))
            if shape != own_shape:
                raise _unlike(ref, f"layer {own_name or name}", shape, own_shape)


def _unlike(ref: str, what: str, expected: Any, received: Any) -> ModelError:
    had = "no weight there" if expected is None else f"a weight of shape {tuple(expected)}"
    has = "none" if received is None else str(tuple(received))
    return ModelError(f"expected {what} as in {ref}, {had}, received {has}: build the model as that run did, or leave --fork out")


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    if path.suffix != ".keras":
        with h5py.File(path) as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as part, h5py.File(part) as file:
        yield file


def _shapes(path: Path, model: Any) -> Shapes:
    found: Shapes = {}
    names = {"optimizer", *optimizers(model)}

    def see(place: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and place.partition("/")[0] not in names:
            found[place] = (str(item.parent.attrs.get("name", place)), item.shape)

    with _opened(path) as file:
        file.visititems(see)
    return found


@contextmanager
def _kept(model: Any) -> Iterator[None]:
    """Put the values of all optimizers back."""
    kept = [(variable, variable.value.numpy()) for each in optimizers(model).values() for variable in each.variables]
    try:
        yield
    finally:
        for variable, value in kept:
            variable.assign(value)
