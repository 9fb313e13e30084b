"""What of a notebook's variables can be trained on, and what gives a model to train."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import CodeType, FunctionType
from typing import Any

from jupyter_mltrain.domain.form import Choices, DataChoice, DataKind, ModelChoice

_ARRAYS = ("numpy", "tensorflow", "pandas")  # packages whose arrays can be data
_WORDS_OF_KERAS = {"keras", "layers", "Sequential", "Model", "Input", "Dense"}


def choices(namespace: Mapping[str, Any], hidden: Mapping[str, Any]) -> Choices:
    """Return what of a namespace can be chosen for a training; nothing is computed for it.

    Args:
        namespace: the notebook's.
        hidden: names in it that are not the user's.
    """
    data: list[DataChoice] = []
    models: list[ModelChoice] = []
    for name, value in reversed(list(namespace.items())):
        if not name.startswith("_") and name not in hidden:
            with suppress(Exception):  # objects of any kind are looked at
                data += _data(name, value)
                models += _models(name, value)
    models.sort(key=lambda each: (not each.shown, not each.is_new))
    return Choices(data=tuple(data), models=tuple(models))


def _data(name: str, value: Any) -> Iterator[DataChoice]:
    columns = _columns(value)
    if columns:
        rows = len(value[next(iter(columns))])
        shown = f"{type(value).__name__}, {rows:,} rows, {len(columns)} columns"
        yield DataChoice(name=name, kind=DataKind.FRAME, rows=rows, shown=shown, columns=tuple(map(str, columns)))
    elif _is_array(value):
        is_vector = len(value.shape) == 1
        yield DataChoice(name=name, kind=DataKind.ARRAY, rows=int(value.shape[0]), shown=_described(value), is_vector=is_vector)
    elif isinstance(value, tuple) and len(value) in (2, 3) and all(map(_is_array, value)):
        shown = f"({', '.join(map(_described, value))})"
        yield DataChoice(name=name, kind=DataKind.WHOLE, rows=int(value[0].shape[0]), shown=shown)
    elif hasattr(value, "element_spec") or _inherits(type(value), "keras", "PyDataset"):
        yield DataChoice(name=name, kind=DataKind.WHOLE, rows=None, shown=type(value).__name__.lstrip("_"))


def _columns(value: Any) -> list[Any]:
    """Return the columns of a data frame, or of a dict of arrays that are as long as each other."""
    if isinstance(value, dict):
        lengths = {len(column) for column in value.values() if _is_array(column)}
        return list(value) if len(lengths) == 1 and all(map(_is_array, value.values())) else []
    return list(value.columns) if _package(type(value)) == "pandas" and hasattr(value, "columns") else []


def _is_array(value: Any) -> bool:
    shape = getattr(value, "shape", None) or (0,)
    return _package(type(value)) in _ARRAYS and hasattr(value, "dtype") and (shape[0] or 0) > 1


def _described(array: Any) -> str:
    return f"{tuple(array.shape)} {getattr(array.dtype, 'name', array.dtype)}"


def _models(name: str, value: Any) -> Iterator[ModelChoice]:
    if isinstance(value, type):
        if _inherits(value, "keras", "Model") and _package(value) != "keras" and not _required(value):
            yield ModelChoice(code=f"{name}()", shown="a model class", is_new=True)
    elif _inherits(type(value), "keras", "Model"):
        size = f"{value.count_params():,} parameters" if value.built else "not built yet"
        yield ModelChoice(code=name, shown=f"{type(value).__name__}, {size}; goes on from its weights", is_new=False)
    elif isinstance(value, FunctionType):
        required, speaks_of_keras = _required(value), bool(_names(value.__code__) & _WORDS_OF_KERAS)
        if required in ([], ["hp"]) and (speaks_of_keras or value.__module__ == "__main__"):
            arguments = ", ".join(required)
            yield ModelChoice(code=f"{name}({arguments})", shown="a function" * speaks_of_keras, is_new=True)


def _required(function: Any) -> list[str]:
    """Return the parameters that need a value."""
    parameters = inspect.signature(function).parameters.values()
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each.name for each in parameters if each.default is each.empty and each.kind not in kinds]


def _names(code: CodeType) -> set[str]:
    """Return the global names and attributes that code reads, in functions within it too."""
    inner = (_names(each) for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*inner)


def _inherits(kind: type, package: str, name: str) -> bool:
    """Tell whether a class is or derives from one of a package, without importing it."""
    return any(base.__name__ == name and _package(base) == package for base in kind.__mro__)


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]
