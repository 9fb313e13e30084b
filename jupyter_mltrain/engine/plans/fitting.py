"""Keras's `fit` over blocks of steps: its callbacks, its history, its validation, with the engine's own order of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import keras
from keras.src.trainers.data_adapters.array_slicing import train_validation_split
from keras.src.trainers.data_adapters.data_adapter_utils import unpack_x_y_sample_weight

from jupyter_mltrain.engine.plans.feed import Arrays, Feed, Order, Pipeline
from jupyter_mltrain.engine.plans.memory import free_memory, num_bytes
from jupyter_mltrain.engine.plans.order import epoch_order, order_within_batches
from jupyter_mltrain.engine.plans.program import Program, tracing
from jupyter_mltrain.engine.plans.runner import Runner
from jupyter_mltrain.engine.plans.selection import Selection, are_arrays, is_dataset, overrides


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a `fit` stands in its run.

    Attributes:
        seed: of the data's order.
        phase: number of the `fit`, from 1.
        num_before: epochs of the run before it.
    """

    seed: int
    phase: int
    num_before: int


class Watcher(Protocol):
    """Who is told of the plan, and is asked whether to go on."""

    def on_plan(self, runner: Runner) -> None:
        """Be told before the callbacks of each epoch's end how its steps are done."""
        ...

    def poll(self) -> bool:
        """Tell whether the training is to end; called at least every tenth of a second or so."""
        ...


def fit(model: Any, arguments: dict[str, Any], selection: Selection, place: Place, watcher: Watcher) -> Any:
    """Train as `keras.Model.fit` does; return its `History`.

    Args:
        model: compiled.
        arguments: of `fit`, `callbacks` included.
        selection: `block`, `epoch`, `epoch-xla` or `auto`.
        place: in the run.
        watcher: of the run.
    """
    parts, validation = split(arguments)
    feed = feed_of(parts, arguments, place, held=selection.is_held)
    epochs, initial_epoch = arguments.get("epochs", 1), arguments.get("initial_epoch", 0)
    callbacks = keras.callbacks.CallbackList(
        arguments["callbacks"], add_history=True, add_progbar=False, verbose=0, epochs=epochs, steps=feed.num_steps, model=model
    )
    evaluation = (
        _Evaluation(model, validation, arguments, selection, callbacks=callbacks, watcher=watcher)
        if validation is not None
        else None
    )
    runner: Runner | None = None
    build(model, feed)
    model.stop_training = False
    callbacks.on_train_begin()
    epoch_logs: Any = None
    for epoch in range(getattr(model, "_initial_epoch", None) or initial_epoch, epochs):
        model.reset_metrics()
        with tracing:
            callbacks.on_epoch_begin(epoch)
            # The step is traced after the callbacks' first words: one of them may have changed what is traced.
            runner = runner or _runner_of(model.train_step, model, feed, selection, watcher.poll)
        logs = _steps(
            runner,
            feed,
            epoch,
            number=place.num_before + epoch - initial_epoch + 1,
            epochs_left=epochs - epoch - 1,
            begin=callbacks.on_train_batch_begin,
            end=_if_heard(callbacks, "on_train_batch_end", "on_batch_end"),
            is_ending=lambda: model.stop_training,
        )
        epoch_logs = dict(_results(model, logs, is_standard=_is_standard(model, "train_step")))
        if evaluation and _is_due(epoch, arguments.get("validation_freq", 1)):
            epoch_logs |= {f"val_{name}": value for name, value in evaluation.run(epochs - epoch - 1).items()}
        watcher.on_plan(runner)
        with tracing:
            callbacks.on_epoch_end(epoch, epoch_logs)
        if model.stop_training:
            break
    if isinstance(model.optimizer, keras.optimizers.Optimizer) and epochs > 0:
        model.optimizer.finalize_variable_values(model.trainable_weights)
    callbacks.on_train_end(logs=epoch_logs)
    return model.history


def build(model: Any, feed: Feed) -> None:
    """Make all variables before the step is traced: TensorFlow traces a second time where a trace made some."""
    if model.built and _is_standard(model, "train_step"):
        with suppress(Exception):  # what cannot be built so is built by the trace, which says better what is wrong
            model._symbolic_build(data_batch=feed.spec)  # noqa: SLF001 - as Keras does it under a strategy, and on JAX


def is_held(arguments: dict[str, Any], *, share: float, devices: Sequence[str]) -> bool:
    """Tell whether the data of a `fit` may be kept as tensors: they need no more than a share of the devices' free memory."""
    return num_bytes(data_parts(arguments)) <= share * free_memory(devices)


def data_parts(arguments: dict[str, Any]) -> list[Any]:
    """Return all data of a `fit`, those to validate on among them."""
    return [arguments.get(name) for name in ("x", "y", "sample_weight", "validation_data")]


def split(arguments: dict[str, Any]) -> tuple[Any, Any]:
    """Return `(x, y, sample_weight)` to train on, and the same to validate on or None."""
    parts, validation = tuple(arguments.get(name) for name in ("x", "y", "sample_weight")), arguments.get("validation_data")
    if validation is None and arguments.get("validation_split"):
        return train_validation_split(parts, validation_split=arguments["validation_split"])
    return parts, None if validation is None else unpack_x_y_sample_weight(validation)


def feed_of(parts: Any, arguments: dict[str, Any], place: Place, *, held: bool) -> Feed:
    """Return what gives the epochs of a `fit` their batches.

    Args:
        parts: x, y and sample weights.
        arguments: of the `fit`.
        place: in the run.
        held: whether to keep arrays as tensors.
    """
    if is_dataset(parts[0]):
        steps = arguments.get("steps_per_epoch")
        return Pipeline(parts[0], arguments.get("class_weight"), steps_per_epoch=steps, goes_on=True)
    shuffle, batch_size = arguments.get("shuffle", True), arguments.get("batch_size") or 32
    num_rows = int(keras.tree.flatten(parts)[0].shape[0])
    order: Order | None = None
    if shuffle == "batch":
        order = lambda epoch: order_within_batches(place.seed, place.phase, epoch, num_rows, batch_size)  # noqa: E731
    elif shuffle:
        order = lambda epoch: epoch_order(place.seed, place.phase, epoch, num_rows)  # noqa: E731
    return Arrays(parts, arguments.get("class_weight"), batch_size=batch_size, order=order, held=held)


def validation_feed_of(model: Any, data: Any, arguments: dict[str, Any], *, held: bool) -> Feed | None:
    """Return what gives a validation its batches; None where that is left to Keras."""
    steps = arguments.get("validation_steps")
    if type(model).evaluate is not keras.Model.evaluate:
        return None
    if is_dataset(data[0]):
        return Pipeline(data[0], steps_per_epoch=steps, goes_on=False)
    if not are_arrays(*data) or steps:
        return None
    batch_size = arguments.get("validation_batch_size") or arguments.get("batch_size") or 32
    return Arrays(data, batch_size=batch_size, order=None, held=held)


def validation_runner_of(model: Any, feed: Feed, selection: Selection, is_ending: Callable[[], bool]) -> Runner:
    """Return what does the steps of a validation; its step is traced."""
    return _runner_of(model.test_step, model, feed, selection, is_ending)


def _runner_of(step: Callable[[Any], Any], model: Any, feed: Feed, selection: Selection, is_ending: Callable[[], bool]) -> Runner:
    program = Program(step, feed.spec, jit_compile=model.jit_compile)
    return Runner(program, asked=selection.plan, most_steps=selection.most_steps, is_ending=is_ending)


def _steps(
    runner: Runner,
    feed: Feed,
    epoch: int,
    *,
    number: int,
    epochs_left: int,
    begin: Callable[[int], None],
    end: Callable[[int, Any], None],
    is_ending: Callable[[], bool],
) -> Any:
    """Do the steps of one epoch, of training or of validation; return the last logs, as tensors."""
    logs: Any = {}
    step = 0
    for piece in feed.epoch(epoch):
        first = 0
        while piece.num_steps is None or first < piece.num_steps:
            begin(step)
            if is_ending() and step:
                return logs
            new_logs, done = runner.run(piece, first, epoch=number, epochs_left=epochs_left)
            if not done:
                break
            logs, first, step = new_logs, first + done, step + done
            end(step - 1, logs)
            if is_ending():
                return logs
        if isinstance(feed, Pipeline):
            feed.passed(first)
    return logs


class _Evaluation:
    """The validation after an epoch."""

    def __init__(
        self, model: Any, data: Any, arguments: dict[str, Any], selection: Selection, *, callbacks: Any, watcher: Watcher
    ) -> None:
        self._model, self._data, self._callbacks, self._watcher = model, data, callbacks, watcher
        self._arguments, self._selection = arguments, selection
        self._batch_size = arguments.get("validation_batch_size") or arguments.get("batch_size") or 32
        self._steps = arguments.get("validation_steps")
        self._runner: Runner | None = None
        self._feed = validation_feed_of(model, data, arguments, held=selection.is_held)

    def run(self, epochs_left: int) -> dict[str, Any]:
        """Return the metrics over the validation data."""
        model, callbacks, feed = self._model, self._callbacks, self._feed
        if feed is None:
            x, y, sample_weight = self._data
            size = {} if not are_arrays(*self._data) else {"batch_size": self._batch_size}
            options = {"steps": self._steps, "callbacks": callbacks, "return_dict": True, "verbose": 0}
            with tracing:
                return dict(model.evaluate(x, y, sample_weight=sample_weight, **options, **size))
        model.stop_evaluating = False
        callbacks.on_test_begin()
        model.reset_metrics()
        if self._runner is None:
            with tracing:
                self._runner = validation_runner_of(model, feed, self._selection, self._watcher.poll)
        logs = _steps(
            self._runner,
            feed,
            0,
            number=0,
            epochs_left=epochs_left,
            begin=callbacks.on_test_batch_begin,
            end=_if_heard(callbacks, "on_test_batch_end"),
            is_ending=lambda: model.stop_evaluating,
        )
        logs = dict(_results(model, logs, is_standard=_is_standard(model, "test_step")))
        callbacks.on_test_end(logs)
        return logs


def _if_heard(callbacks: Any, hook: str, *others: str) -> Callable[[int, Any], None]:
    """Return a hook that comes after a batch, or nothing where no callback has it: Keras would start a thread each time."""
    is_heard = any(overrides(callback, name) for callback in callbacks.callbacks for name in (hook, *others))
    return getattr(callbacks, hook) if is_heard else lambda _step, _logs: None


def _is_due(epoch: int, freq: Any) -> bool:
    return (epoch + 1) % freq == 0 if isinstance(freq, int) else epoch + 1 in freq


def _is_standard(model: Any, step: str) -> bool:
    """Tell whether a step's logs are the results of all metrics, which Keras would ask for again."""
    names = (step, "compute_metrics", "get_metrics_result")
    return all(getattr(type(model), name) is getattr(keras.Model, name) for name in names)


def _results(model: Any, logs: Any, *, is_standard: bool) -> Any:
    """Return what an epoch came to, numbers for tensors: the metrics' results, or a custom step's own logs."""
    if not is_standard:
        results = model.get_metrics_result()
        if not isinstance(logs, dict) or set(logs) == set(results):
            logs = results
    return keras.tree.map_structure(lambda log: log.numpy() if hasattr(log, "numpy") else log, logs)
