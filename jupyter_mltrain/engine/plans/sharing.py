"""Programs of models that are made alike, kept from one to the next, so that it need not be traced and compiled again."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.tensorflow.random import _cast_seed, draw_seed
from keras.src.models.functional import Functional

from jupyter_mltrain.engine.plans.program import Program
from jupyter_mltrain.engine.unchanged import variables_of

_MOST_KEPT = 16  # each keeps the variables of one model
_OF_THE_USER = ("function", "__lambda__")  # what they use does not show in their settings
_UNTOLD = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")  # what an optimizer's settings leave out
_VALUES = "learning_rate"  # of an optimizer's settings, what is a variable


class Programs:
    """Gives the program of a model's step; of models that differ in names, weights, learning or Dropout rate alone the same.

    Only for models of Keras's own layers, losses, metrics and optimizers, whose settings tell all that they do.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._kept: OrderedDict[str, tuple[Program, list[Any]]] = OrderedDict()

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
            program, before = self._kept[making]
            if [_kind_of(handle) for handle in before] == [_kind_of(handle) for handle in handles]:
                return program.rebound({id(old): new for old, new in zip(before, handles, strict=True)})
        program = Program(partial(_with_rates, rates, step), spec, jit_compile=model.jit_compile)
        self._keep(making, program, handles)
        return program

    def _keep(self, making: str, program: Program, handles: list[Any]) -> None:
        known = set(map(id, handles))
        if not all(id(captured) in known for captured in program.resources):
            return  # it uses something else, which another model would have of its own
        self._kept[making] = program, handles
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)


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


def _making(model: Any, kind: str, spec: Any) -> str | None:
    """Return a text that is the same for models whose steps are, but for the values of variables; None where none can tell."""
    if type(model) not in (keras.Sequential, Functional) or any(getattr(model.optimizer, each, None) for each in _UNTOLD):
        return None
    layers = list(model._flatten_layers())  # noqa: SLF001
    if any(not type(layer).__module__.startswith("keras.") or isinstance(layer, keras.layers.Lambda) for layer in layers):
        return None
    try:
        settings = {
            "kind": kind,
            "model": model.get_config(),
            "compiled": model.get_compile_config(),
            "jit_compile": model.jit_compile,
            "spec": str(spec),
            "trainable": [layer.trainable for layer in layers],
        }
        plain = _plain(settings)
        text = json.dumps(plain, sort_keys=True)
    except (TypeError, ValueError, NotImplementedError):  # of the user's own making
        return None
    for number, name in enumerate(dict.fromkeys(_names(plain))):
        text = text.replace(f'"{name}"', f'"layer {number}"')
    return text


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


def _plain(value: Any) -> Any:
    """Return settings without what is a variable's value; raise `TypeError` at what is not Keras's own."""
    if isinstance(value, Mapping):
        if not str(value.get("module") or "keras").startswith(("keras", "builtins")) or value.get("class_name") in _OF_THE_USER:
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
