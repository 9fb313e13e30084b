"""What the record says of a model and of how it was trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def hyperparams(model: Any, merged: Mapping[str, Any], epochs: int) -> dict[str, Any]:
    """Return epochs, batch size, optimizer with its settings, and loss, as plain numbers and text."""
    x = merged.get("x")
    found: dict[str, Any] = {"epochs": epochs}
    if hasattr(x, "shape") or isinstance(x, dict | list | tuple):
        found["batch_size"] = merged.get("batch_size") or 32
    if model.optimizer is not None:
        config = model.optimizer.get_config()
        found["optimizer"] = type(model.optimizer).__name__
        config.pop("name", None)
        found |= {name: _plain(value) for name, value in config.items() if value is not None and value is not False}
    loss = model.loss
    if loss is not None:
        found["loss"] = (
            loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", type(loss).__name__)
        )
    return found


def _plain(value: Any) -> Any:
    """Return a number or text as it is, a serialized object (a schedule) by its class and settings."""
    if isinstance(value, dict) and "class_name" in value:
        settings = ", ".join(f"{name}={setting}" for name, setting in value.get("config", {}).items() if name != "name")
        return f"{value['class_name']}({settings})"
    if isinstance(value, bool | int | str):
        return value
    number = float(value)
    # Keras keeps these as float32: 0.001 and not 0.0010000000474974513
    return float(f"{number:.7g}") if math.isfinite(number) else number


def num_params(model: Any) -> int:
    """Return the number of weights, trainable or not."""
    return int(sum(math.prod(variable.shape) for variable in model.weights))


def model_facts(model: Any) -> dict[str, Any]:
    """Return what the record keeps of a model besides its file."""
    lines: list[str] = []
    model.summary(print_fn=lambda text, **_: lines.append(text), line_length=100)
    return {
        "name": model.name,
        "class": type(model).__name__,
        "num_params": num_params(model),
        "num_trainable": int(sum(math.prod(variable.shape) for variable in model.trainable_weights)),
        "precision": model.dtype_policy.name,
        "summary": "\n".join(lines),
    }
