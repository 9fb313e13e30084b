"""The states that a checkpoint holds: of a model's variables, and of Python objects that change while it trains."""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import xxhash

from jupyter_mltrain.domain.errors import ModelError
from jupyter_mltrain.engine.checkpoints.packing import packed
from jupyter_mltrain.engine.unchanged import optimizers

Handles = Sequence[tuple[Any, Any]]  # of variables in a graph, each with its dtype

_BYTES_WORTH_COMPARING = 2**20
_OF_KERAS = {"model", "_model", "params"}


def variables(model: Any, handles: Handles) -> dict[str, Any]:
    """Return the values of all variables that a training changes, as NumPy arrays.

    Args:
        model: its weights, the seeds of its random layers, its optimizers' and its metrics' variables are meant.
        handles: of all variables that the step uses; those that are not the model's are kept too.
    """
    return {
        "model": _values(model.variables),
        "optimizers": {name: _values(each.variables) for name, each in optimizers(model).items()},
        "metrics": _values(model.metrics_variables),
        "others": [_read(*each).numpy() for each in _others(model, handles)],
        "seeds": [i for i, variable in enumerate(model.variables) if is_seed(variable)],
        "kinds": {name: type(each).__name__ for name, each in optimizers(model).items()},
    }


def is_seed(variable: Any) -> bool:
    """Tell whether a variable of a model is the state of a random generator."""
    return str(variable.name) == "seed_generator_state"


def set_variables(model: Any, handles: Handles, before: Mapping[str, Any]) -> None:
    """Put the values back that `variables` returned.

    Raises:
        ModelError: it is another model, or another optimizer.
    """
    _assign(model.variables, before["model"], f"model {model.name!r}")
    own = optimizers(model)
    if own.keys() != before["optimizers"].keys():
        raise _unlike(f"model {model.name!r}", f"{len(before['optimizers'])} optimizers", str(len(own)))
    for name, optimizer in own.items():
        _assign(optimizer.variables, before["optimizers"][name], f"optimizer {type(optimizer).__name__}")
    if len(model.metrics_variables) == len(before["metrics"]):  # Keras's own loop makes them later, and begins with zeros
        _assign(model.metrics_variables, before["metrics"], "metrics")
    others = _others(model, handles)
    if len(others) == len(before["others"]):
        for (handle, dtype), value in zip(others, before["others"], strict=True):
            tf.raw_ops.AssignVariableOp(resource=handle, value=tf.constant(value, dtype))


def _values(of: Iterable[Any]) -> list[Any]:
    return [np.asarray(variable.value.numpy()) for variable in of]


def _read(handle: Any, dtype: Any) -> Any:
    return tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype)


def _others(model: Any, handles: Handles) -> Handles:
    if not handles:  # of Keras's own loop; variables on several devices have no one handle
        return []
    of_optimizers = [variable for each in optimizers(model).values() for variable in each.variables]
    own = [*model.variables, *model.metrics_variables, *of_optimizers]
    known = {id(getattr(variable.value, "handle", None)) for variable in own}
    return [(handle, dtype) for handle, dtype in handles if id(handle) not in known]


def _assign(to: Sequence[Any], values: Sequence[Any], what: str) -> None:
    if len(to) != len(values):
        raise _unlike(what, f"{len(values)} variables", str(len(to)))
    for variable, value in zip(to, values, strict=True):
        if tuple(variable.shape) != value.shape:
            raise _unlike(f"{what}, {variable.path}", f"shape {value.shape}", str(tuple(variable.shape)))
    for variable, value in zip(to, values, strict=True):
        variable.assign(value)


def _unlike(what: str, expected: str, received: str) -> ModelError:
    return ModelError(
        f"expected {what} as the checkpoint has it, with {expected}, received {received}: make the cell as it was, "
        "or leave --resume out"
    )


class Objects:
    """States of Python objects: what `get_state()` of one returns, else its attributes of plain values and arrays.

    Large attributes that stay as they are (the data in a callback) are left out.
    """

    def __init__(self, objects: Iterable[Any]) -> None:
        """Take them as they are before the training."""
        self._objects = list(_named(objects))
        self._at_first = {
            (name, attribute): checksum
            for name, each in self._objects
            for attribute, value in _attributes(each)
            if (checksum := _checksum(value))
        }

    def states(self) -> dict[str, Any]:
        """Return the state of each by its class and number."""
        return {name: self._state(name, each) for name, each in self._objects}

    def set_states(self, before: Mapping[str, Any]) -> None:
        """Put back what `states` returned, as far as there are such objects."""
        for name, each in self._objects:
            state = before.get(name, {})
            if "own" in state:
                each.set_state(state["own"])
            for attribute, value in state.get("attributes", {}).items():
                _set(each, attribute, value)
            for attribute, value in state.get("operations", {}).items():
                setattr(each, attribute, getattr(keras.ops, value))
            for attribute, value in state.get("generators", {}).items():
                _generator(getattr(each, attribute, None), value)

    def hidden(self) -> list[str]:
        """Say of each object of the user what it keeps that no checkpoint can hold."""
        said = []
        for name, each in self._objects:
            names = [] if _has_own(each) or type(each).__module__.startswith("keras.") else _hidden(each)
            if names:
                said.append(
                    f"{name.partition('#')[0]} keeps {', '.join(names)}, which no checkpoint holds: give it get_state() and "
                    "set_state(state)."
                )
        return said

    def _state(self, name: str, of: Any) -> dict[str, Any]:
        if _has_own(of):
            return {"own": deepcopy(of.get_state())}
        return {
            "attributes": {
                attribute: deepcopy(value)
                for attribute, value in _attributes(of)
                if self._at_first.get((name, attribute)) is None or self._at_first[name, attribute] != _checksum(value)
            },
            # With its first epoch a callback that watches a metric settles the direction, and the sign of `min_delta` by it.
            "operations": {
                name: value.__name__ for name, value in vars(of).items() if value is keras.ops.less or value is keras.ops.greater
            },
            "generators": {name: state for name, value in vars(of).items() if (state := _generator(value))},
        }


def _named(objects: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    counted: dict[str, int] = {}
    for each in objects:
        kind = type(each).__name__
        counted[kind] = counted.get(kind, 0) + 1
        yield f"{kind}#{counted[kind]}", each


def _has_own(of: Any) -> bool:
    return all(callable(getattr(of, name, None)) for name in ("get_state", "set_state"))


def _attributes(of: Any) -> Iterator[tuple[str, Any]]:
    """Yield the attributes that can be packed; a set and a deque as lists."""
    if _has_own(of):
        return
    for name, value in vars(of).items():
        plain = list(value) if type(value) in (set, deque) else dict(value) if isinstance(value, dict) else value
        if name not in _OF_KERAS and _pack(plain) is not None:
            yield name, plain


def _hidden(of: Any) -> list[str]:
    plain = {name for name, _ in _attributes(of)} | _OF_KERAS
    return [name for name, value in vars(of).items() if name not in plain and not _is_known(value)]


def _is_known(value: Any) -> bool:
    """Tell whether a value is looked after elsewhere, or is made anew by the cell as it was."""
    is_made_anew = isinstance(value, tf.Tensor | tf.data.Dataset | keras.optimizers.Optimizer)
    return is_made_anew or callable(value) or bool(_generator(value))


def _pack(value: Any) -> tuple[Any, list[Any]] | None:
    arrays: list[Any] = []
    try:
        return packed(value, arrays), arrays
    except TypeError:
        return None


def _checksum(value: Any) -> str | None:
    """Return the checksum of a value that is large."""
    tree, arrays = _pack(value) or (None, [])
    if sum(array.nbytes for array in arrays) < _BYTES_WORTH_COMPARING:
        return None
    checksum = xxhash.xxh3_128(json.dumps(tree).encode())
    for array in arrays:
        checksum.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return checksum.hexdigest()


def _set(of: Any, name: str, value: Any) -> None:
    """Set an attribute; what other code may hold too, a list or a dict, is filled and not replaced."""
    now = vars(of).get(name)
    match now, value:
        case list(), list():
            now[:] = value
        case dict(), dict():
            now.clear()
            now.update(value)
        case set(), list():
            now.clear()
            now.update(value)
        case deque(), list():
            now.clear()
            now.extend(value)
        case _:
            vars(of)[name] = value


def _generator(value: Any, state: Any = None) -> Any:
    """Return the state of a random generator, or set it; None for anything else."""
    if isinstance(value, np.random.Generator):
        if state is not None:
            value.bit_generator.state = state
        return deepcopy(value.bit_generator.state)
    if isinstance(value, np.random.RandomState):
        if state is not None:
            value.set_state(state)
        return value.get_state()
    if isinstance(value, random.Random):
        if state is not None:
            value.setstate(state)
        return value.getstate()
    return None
