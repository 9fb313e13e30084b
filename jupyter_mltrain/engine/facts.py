"""What the record says of a model and of how it was trained."""

from __future__ import annotations

import math
import re
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
        if not config.get("use_ema"):
            config.pop("ema_momentum", None)
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
    return {
        "name": model_name(model),
        "class": type(model).__name__,
        "num_params": num_params(model),
        "num_trainable": int(sum(math.prod(variable.shape) for variable in model.trainable_weights)),
        "precision": model.dtype_policy.name,
        "summary": "\n".join(_layer_line(layer) for layer in model.layers),
    }


def model_name(model: Any) -> str:
    """Return the name that the user gave, or the class's where Keras counted: sequential_7 is sequential in the next session."""
    counted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(model).__name__).lower()
    return counted if re.fullmatch(rf"{counted}_\d+", model.name) else model.name


def _layer_line(layer: Any) -> str:
    """Name, class, output shape and number of weights of a layer, in columns.

    Not Keras's own `summary`: in a notebook it displays an empty output, even when it is asked for text.
    """
    output: Any = getattr(layer, "output", None) if layer.built else None
    shape = str(tuple(output.shape)) if hasattr(output, "shape") else ""
    return f"{layer.name:<28} {type(layer).__name__:<24} {shape:<24} {num_params(layer):>12,}"
