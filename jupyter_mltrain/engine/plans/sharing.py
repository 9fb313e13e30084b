"""Programs of models that are made alike, kept from one to the next, so that it need not be traced and compiled again."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.tensorflow.random import _cast_seed, draw_seed
from keras.src.models.functional import Functional
from tensorflow.python.framework.config import is_op_determinism_enabled

from jupyter_mltrain.engine.plans.program import Program
from jupyter_mltrain.engine.unchanged import variables_of

_MOST_KEPT, _MOST_BYTES = 16, 2**28  # of the variables of one model each, which are kept with it
_DATA = {"__tuple__", "__tensor__", "__keras_tensor__", "__numpy__", "__ellipsis__", "__slice__"}  # in Keras's settings
_UNTOLD = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")  # what an optimizer's settings leave out
_KEYS_OF_NAMES = {"name", "keras_history", "input_layers", "output_layers"}  # of a model's settings
_SET_BY_KERAS = {"build", "loss", "quantize"}  # in place of methods
_VALUES = "learning_rate"  # of an optimizer's settings, what is a variable


class Programs:
    """Gives the program of a model's step; of models that differ in names, weights, learning or Dropout rate alone the same.

    Only for models of Keras's own layers, losses, metrics and optimizers, whose settings tell all that they do.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def program(self, model: Any, kind: str, spec: Any) -> Program:
        """Return the program of `train_step` or `test_step`.

        Args:
            model: compiled, with all its variables.
            kind: `train` or `test`.
            spec: of a batch.
        """
        step = getattr(model, f"{kind}_step")
        making = _making(model, kind, spec)
        if making is None:
            return Program(step, spec, jit_compile=model.jit_compile)
        rates = [_Rate(layer) for layer in model._flatten_layers() if _drops(layer)]  # noqa: SLF001
        handles = [*_handles(variables_of(model)), *_handles(variable for rate in rates for variable in rate.variables)]
        if making in self._kept:
            self._kept.move_to_end(making)
            kept = self._kept[making]
            if kept.is_as_it_was(making, kind, spec) and list(map(_kind_of, kept.handles)) == list(map(_kind_of, handles)):
                return kept.program.rebound({id(old): new for old, new in zip(kept.handles, handles, strict=True)})
        program = Program(partial(_with_rates, rates, step), spec, jit_compile=model.jit_compile)
        self._keep(making, _Kept(program, model, handles))
        return program

    def forget(self) -> None:
        """Keep none of them any longer."""
        self._kept.clear()

    def _keep(self, making: str, kept: _Kept) -> None:
        known = set(map(id, kept.handles))
        if not all(id(captured) in known for captured in kept.program.resources):
            return  # it uses something else, which another model would have of its own
        self._kept[making] = kept
        while len(self._kept) > _MOST_KEPT or sum(each.size for each in self._kept.values()) > _MOST_BYTES:
            self._kept.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A program, the model whose step it is, and handles of all variables that this uses."""

    program: Program
    model: Any
    handles: list[Any]

    @property
    def size(self) -> int:
        """Bytes of the variables."""
        return sum(map(_size_of, self.handles))

    def is_as_it_was(self, making: str, kind: str, spec: Any) -> bool:
        """Tell whether the model's step would be traced to the same again, as it is for XLA: it may have been compiled anew."""
        now = _handles(variables_of(self.model))
        return _making(self.model, kind, spec) == making and set(map(id, now)) <= set(map(id, self.handles))


IN_THIS_PROCESS = Programs()
"""Those of trainings: the next one of a model that is made alike, in the same cell or another, need not trace and compile it."""


class _Rate:
    """The rate of a Dropout layer as a variable of the step's graph."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._rate = tf.Variable(float(layer.rate), trainable=False)
        self._scale = tf.Variable(1 / (1 - layer.rate), trainable=False)
        self.variables = (self._rate, self._scale)

    @contextmanager
    def in_graph(self) -> Iterator[None]:
        """Let the layer do what it does with the variable in place of its number."""
        attributes = vars(self._layer)  # past Keras's own bookkeeping
        attributes["call"] = self._call
        try:
            yield
        finally:
            del attributes["call"]

    def _call(self, inputs: Any, training: bool = False) -> Any:
        if not training:
            return inputs
        seed = _cast_seed(draw_seed(self._layer.seed_generator))
        drawn = tf.random.stateless_uniform(tf.shape(inputs), seed, dtype=inputs.dtype)
        kept = drawn >= tf.cast(self._rate, inputs.dtype)
        return tf.where(kept, inputs * tf.cast(self._scale, inputs.dtype), tf.zeros((), inputs.dtype))


def _drops(layer: Any) -> bool:
    return type(layer) is keras.layers.Dropout and layer.noise_shape is None and 0 < layer.rate < 1


def _with_rates(rates: Sequence[_Rate], step: Callable[[Any], Any], data: Any) -> Any:
    with ExitStack() as stack:
        for rate in rates:
            stack.enter_context(rate.in_graph())
        return step(data)


def _handles(variables: Any) -> list[Any]:
    values = [each.value if isinstance(each, keras.Variable) else each for each in variables]
    return list({id(value.handle): value.handle for value in values}.values())


def _kind_of(handle: Any) -> tuple[Any, ...]:
    data = handle._handle_data.shape_and_type[0]  # noqa: SLF001
    return str(data.shape), data.dtype


def _size_of(handle: Any) -> int:
    """Return the bytes of a variable, all of whose axes are known."""
    data = handle._handle_data.shape_and_type[0]  # noqa: SLF001
    return math.prod(axis.size for axis in data.shape.dim) * int(tf.dtypes.as_dtype(data.dtype).size)


def _making(model: Any, kind: str, spec: Any) -> str | None:
    """Return a text that is the same for models whose steps are, but for the values of variables; None where none can tell."""
    if type(model) not in (keras.Sequential, Functional) or any(getattr(model.optimizer, each, None) for each in _UNTOLD):
        return None
    layers = list(model._flatten_layers())  # noqa: SLF001
    if not all(map(_is_told_by_settings, layers)) or any(map(_is_changed, (model, *layers))):
        return None
    try:
        settings = {
            "kind": kind,
            "model": model.get_config(),
            "compiled": model.get_compile_config(),
            "jit_compile": model.jit_compile,
            "spec": str(spec),
            "trainable": [each.trainable for each in (*layers, *model.variables)],
            "keras": [keras.config.epsilon(), keras.config.floatx(), keras.config.image_data_format()],
            "device": [tf.zeros(()).device, is_op_determinism_enabled()],
        }
        plain = _plain(settings)
        text = json.dumps(plain, sort_keys=True)
    except (TypeError, ValueError, NotImplementedError):  # of the user's own making
        return None
    settings_too = set(_texts(plain))  # a layer may be called "relu"
    if any(map(keras.saving.get_registered_object, settings_too)):  # a name that the user has given to something
        return None
    for number, name in enumerate(name for name in dict.fromkeys(_names(plain)) if name not in settings_too):
        text = text.replace(f'"{name}"', f'"layer {number}"')
    return text


def _is_told_by_settings(layer: Any) -> bool:
    """Tell whether a layer is Keras's own; what those that adapt have learned of the data is a constant of the step's graph."""
    is_own = type(layer).__module__.startswith("keras.") and not isinstance(layer, keras.layers.Lambda)
    return is_own and not hasattr(layer, "adapt")


def _is_changed(thing: Any) -> bool:
    """Tell whether a model or layer has a method of its own, such as `model.train_step = …`."""
    return any(callable(getattr(type(thing), name, None)) for name in vars(thing).keys() - _SET_BY_KERAS)


def _names(settings: Any) -> Iterator[str]:
    """Yield the names of all layers, optimizers and metrics, on which Keras counts; a dtype policy's name is what it is."""
    if isinstance(settings, Mapping):
        if settings.get("class_name") == "DTypePolicy":
            return
        if isinstance(settings.get("name"), str):
            yield settings["name"]
        settings = list(settings.values())
    if isinstance(settings, list):
        for each in settings:
            yield from _names(each)


def _texts(settings: Any, key: str = "") -> Iterator[str]:
    """Yield all texts that do not stand where Keras has the name of a layer."""
    if isinstance(settings, Mapping):
        for name, each in settings.items():
            yield from _texts(each, name)
    elif isinstance(settings, list):
        for each in settings:
            yield from _texts(each, key)
    elif isinstance(settings, str) and key not in _KEYS_OF_NAMES:
        yield settings


def _is_of_keras(settings: Mapping[str, Any]) -> bool:
    """Tell whether an object's settings are of a class of Keras, whose code is always the same, or of plain data."""
    return f"{settings.get('module')}.".startswith("keras.") or settings["class_name"] in _DATA


def _plain(value: Any) -> Any:
    """Return settings without what is a variable's value; raise `TypeError` at what is not Keras's own."""
    if isinstance(value, Mapping):
        if "class_name" in value and not _is_of_keras(value):
            raise TypeError(f"{value['class_name']} is not Keras's")
        plain = {str(key): _plain(item) for key, item in value.items()}
        if isinstance(plain.get(_VALUES), float):
            plain[_VALUES] = 0.0
        if value.get("class_name") == "Dropout" and isinstance(value.get("config"), Mapping) and 0 < value["config"]["rate"] < 1:
            plain["config"]["rate"] = 0.5
        return plain
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"{type(value).__name__} has no text of its own")
