"""The layers of a model as its `.keras` file describes them; read without Keras."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.comparison import Layer
from jupyter_mltrain.domain.errors import ModelFileError

_WITHIN = ("layer", "forward_layer", "cell")  # settings in which wrappers hold what they wrap
_NOT_SETTINGS = ("name", *_WITHIN)


def layers_of(path: Path) -> tuple[Layer, ...] | None:
    """Return the layers of a model's file in their order; None for a file that holds weights only.

    A model whose layers are in its class's own code is one layer.

    Raises:
        ModelFileError: the file is not one that Keras wrote.
    """
    if path.name.endswith(".weights.h5"):
        return None
    try:
        with zipfile.ZipFile(path) as file:
            model = json.loads(file.read("config.json"))
        parts = model["config"].get("layers")
        return tuple(_one(model, "", {}) if parts is None else _all(parts, ""))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ModelFileError(f"expected a model that Keras saved in {path}, received {error}: register it again") from error


def _all(parts: list[Any], within: str) -> Iterator[Layer]:
    kinds = {part["config"].get("name"): part["class_name"] for part in parts}
    for part in parts:
        yield from _one(part, within, kinds)


def _one(part: Mapping[str, Any], within: str, kinds: Mapping[str, str]) -> Iterator[Layer]:
    """Give a layer and what it wraps, or the layers of a model that stands as a layer.

    Args:
        part: as it is in the file.
        within: what its kind begins with.
        kinds: of the layers beside it by their names, which are counted through a session and so say nothing themselves.
    """
    config, kind = part["config"], within + part["class_name"]
    if isinstance(config.get("layers"), list):
        yield from _all(config["layers"], f"{kind}/")
        return
    settings = {name: _told(value) for name, value in config.items() if name not in _NOT_SETTINGS}
    settings["inputs"] = ", ".join(kinds.get(name, name) for name in _followed(part.get("inbound_nodes", [])))
    yield Layer(kind=kind, settings={name: text for name, text in settings.items() if text})
    for name in _WITHIN:
        if "class_name" in (config.get(name) or {}):
            yield from _one(config[name], f"{kind}/", {})


def _followed(value: Any) -> Iterator[str]:
    """Give the names of the layers whose outputs a layer takes."""
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            yield value["config"]["keras_history"][0]
        else:
            for each in value.values():
                yield from _followed(each)
    elif isinstance(value, list):
        for each in value:
            yield from _followed(each)


def _told(value: Any) -> str:
    """Return a setting as its author would write it: `relu`, `3, 3`, `L2(l2=0.01)`; nothing for what is not set."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return _told_object(value)
    if isinstance(value, list):
        return ", ".join(_told(each) or "none" for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _told_object(value: Mapping[str, Any]) -> str:
    if "class_name" not in value:
        return ", ".join(f"{name}={text}" for name, each in value.items() if (text := _told(each)))
    config = value.get("config")
    if value["class_name"] in ("function", "DTypePolicy"):
        return _told(config["name"] if isinstance(config, Mapping) else config)
    arguments = _told(config) if isinstance(config, Mapping) else ""
    return f"{value['class_name']}({arguments})" if arguments else str(value["class_name"])
