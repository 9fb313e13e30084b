"""Which epoch is the best, by which metric, and its weights."""

from __future__ import annotations

import math
import operator
from typing import Any

import keras
import numpy as np

from jupyter_mltrain.domain.errors import UnknownNameError, did_you_mean
from jupyter_mltrain.domain.run import lower_is_better


class BestEpoch(keras.callbacks.EarlyStopping):
    """Keras's own EarlyStopping, which knows a metric's direction, made to watch over all phases of a run.

    It keeps the best weights always, and stops and restores only where `patience` is given.

    Attributes:
        restores: whether the best weights are set after a `fit`.
        best_number: the best epoch's number in the run, from 1; None before there is one.
        best_metrics: all metrics of that epoch.
    """

    def __init__(self, monitor: str | None, patience: int | None) -> None:
        """Take the metric to watch (`name`, `name:min` or `name:max`; None: `val_loss`, else `loss`) and the patience."""
        name, _, mode = (monitor or "").partition(":")
        super().__init__(monitor=name, mode=mode or "auto", patience=math.inf if patience is None else patience)
        self._asked = self._chosen = name
        self.restore_best_weights = True  # makes Keras keep them
        self.restores = patience is not None
        self.best_number: int | None = None
        self.best_metrics: dict[str, float] = {}
        self.best_weights: list[Any] | None = None
        self.best = None
        self.monitor: str = name
        self.monitor_op: Any = None
        self._model_id: int | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        self.wait, self.stopped_epoch = 0, 0
        if self._model_id != id(self.model):  # weights of another model are no rivals
            self._model_id = id(self.model)
            self.best = self.best_weights = self.best_number = None
            self._chosen = self._asked
            self.best_metrics = {}

    def see(self, number: int, logs: dict[str, float]) -> bool:
        """Take an epoch's metrics, with the model as it is now; return whether it is the best so far.

        Raises:
            UnknownNameError: the metric that was asked for is not among them.
        """
        if not self._asked:  # an epoch without a validation does not bring back the loss of the training
            self._chosen = "val_loss" if "val_loss" in logs else self._chosen or "loss"
        monitor = self._chosen
        is_seen_later = monitor.startswith("val_") and not any(name.startswith("val_") for name in logs)
        if self._asked and monitor not in logs and not is_seen_later:
            raise UnknownNameError(
                f"expected a metric of this model to tell the best by, received {monitor!r}{did_you_mean(monitor, logs)}"
            )
        if monitor not in logs or math.isnan(logs[monitor]):
            return False
        self._watch(monitor)
        before = self.best_epoch if self.best is not None else None
        super().on_epoch_end(number, logs)
        if self.best_epoch == before:
            return False
        self.best_number, self.best_metrics = number, dict(logs)
        return True

    def get_state(self) -> dict[str, Any]:
        """Return what decides how the watch goes on; weights that the model has now are left out."""
        names = ("monitor", "_chosen", "best", "best_epoch", "wait", "stopped_epoch", "best_number", "best_metrics")
        if self.best is None or self.best_weights is None:
            return {}
        is_now = all(map(np.array_equal, self.best_weights, self.model.get_weights()))
        return {**{name: getattr(self, name) for name in names}, "best_weights": None if is_now else self.best_weights}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what `get_state` returned, with the model as it was then."""
        if state:
            self._watch(state["monitor"])
            self.__dict__.update(state)
            self.best_weights = self.best_weights or self.model.get_weights()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Do nothing: `see` is called instead, with the epoch's number in the run."""

    def on_train_end(self, logs: Any = None) -> None:
        """Do nothing: the weights are restored after the last ones were saved."""

    def _watch(self, monitor: str) -> None:
        if monitor != self.monitor or self.monitor_op is None:
            self.monitor, self.best, self.monitor_op = monitor, None, None
            try:
                self._set_monitor_op()
                is_lower = self.monitor_op is keras.ops.less
            except ValueError:  # Keras knows no direction for metrics that a train_step reports by itself
                is_lower = lower_is_better(monitor)
            self.monitor_op = operator.lt if is_lower else operator.gt  # Keras's own make tensors of the two numbers
