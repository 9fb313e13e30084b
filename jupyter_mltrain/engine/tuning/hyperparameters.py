"""Keras Tuner's hyperparameters as a cell's `hp`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import keras_tuner

INTERNAL = "tuner/"
"""How the names of Hyperband's own entries begin."""


class HyperParameters(keras_tuner.HyperParameters):
    """Keras Tuner's, which also takes `log=True` for `sampling="log"` and knows what was asked for.

    Attributes:
        used: name to value of what was asked for and active, in that order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.used: dict[str, Any] = {}
        self._given: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, Any], space: keras_tuner.HyperParameters | None = None) -> Self:
        """Return hyperparameters with these values; the others have their defaults.

        Args:
            values: name to value.
            space: what is known already of the hyperparameters.
        """
        hp = cls()
        hp.values = dict(values)
        if space is not None:
            hp.merge(space.space, overwrite=False)
        hp._given = tuple(name for name in values if not name.startswith(INTERNAL))
        return hp

    @property
    def unused(self) -> tuple[str, ...]:
        """Names of the given values that nobody asked for."""
        return tuple(name for name in self._given if name not in self.used)

    def Int(self, *args: Any, log: bool = False, **options: Any) -> Any:  # noqa: N802 - Keras Tuner's name
        """Do what Keras Tuner's `Int` does; `log=True` samples by the logarithm."""
        return super().Int(*args, **_sampled(options, log=log))

    def Float(self, *args: Any, log: bool = False, **options: Any) -> Any:  # noqa: N802 - Keras Tuner's name
        """Do what Keras Tuner's `Float` does; `log=True` samples by the logarithm."""
        return super().Float(*args, **_sampled(options, log=log))

    def _retrieve(self, hp: Any) -> Any:
        value = super()._retrieve(hp)
        if self.is_active(hp):
            self.used[hp.name] = value
        return value


def _sampled(options: dict[str, Any], *, log: bool) -> dict[str, Any]:
    return {**options, "sampling": "log"} if log else options


def described(space: keras_tuner.HyperParameters) -> list[dict[str, Any]]:
    """Return what the record keeps of a space, ready for JSON; see `domain.search.Search.facts`."""
    return [_described(hp) for hp in space.space if not hp.name.startswith(INTERNAL)]


def _described(hp: Any) -> dict[str, Any]:
    config = {"name": hp.name, "kind": type(hp).__name__, "default": hp.default}
    if hasattr(hp, "sampling"):
        config |= {"min": hp.min_value, "max": hp.max_value, "step": hp.step, "log": hp.sampling != "linear"}
    elif isinstance(hp, keras_tuner.engine.hyperparameters.Choice):
        config["values"] = list(hp.values)
    if hp.conditions:
        config["condition"] = " and ".join(f"{each.name} in {', '.join(map(str, each.values))}" for each in hp.conditions)
    return config
