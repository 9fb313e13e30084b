"""Keras's `fit` over blocks of steps: its callbacks, its history, its validation, with the engine's own order of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import keras
from keras.src.trainers.data_adapters.array_slicing import train_validation_split
from keras.src.trainers.data_adapters.data_adapter_utils import unpack_x_y_sample_weight

from jupyter_mltrain.engine.plans.feed import Arrays, Feed, Order, Pipeline
from jupyter_mltrain.engine.plans.memory import free_memory, num_bytes
from jupyter_mltrain.engine.plans.order import epoch_order, order_within_batches
from jupyter_mltrain.engine.plans.passes import Passes, is_standard
from jupyter_mltrain.engine.plans.program import tracing
from jupyter_mltrain.engine.plans.runner import Runner
from jupyter_mltrain.engine.plans.selection import Selection, are_arrays, is_dataset

if TYPE_CHECKING:
    from jupyter_mltrain.engine.checkpoints.checkpointing import Checkpointing

_FEWEST_STEPS_TO_OPTIMIZE = 1500  # for fewer the graph optimizer takes longer than it saves (measured)


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

    def on_mixed(self) -> None:
        """Be told after such an epoch that `auto` has had some steps done by a loop that rounds otherwise than the rest."""
        ...

    def poll(self) -> bool:
        """Tell whether the training is to end; called at least every tenth of a second or so."""
        ...


def fit(
    model: Any,
    arguments: dict[str, Any],
    selection: Selection,
    place: Place,
    watcher: Watcher,
    *,
    checkpointing: Checkpointing | None = None,
) -> Any:
    """Train as `keras.Model.fit` does; return its `History`.

    Args:
        model: compiled.
        arguments: of `fit`, `callbacks` included.
        selection: `block`, `epoch`, `epoch-xla` or `auto`.
        place: in the run.
        watcher: of the run.
        checkpointing: a callback among them that takes checkpoints.
    """
    parts, validation = split(arguments)
    feed = feed_of(parts, arguments, place, held=selection.is_held)
    epochs, initial_epoch = arguments.get("epochs", 1), arguments.get("initial_epoch", 0)
    callbacks = keras.callbacks.CallbackList(
        arguments["callbacks"], add_history=True, add_progbar=False, verbose=0, epochs=epochs, steps=feed.num_steps, model=model
    )
    build(model, feed)
    selection = replace(selection, is_brief=feed.num_steps is not None and epochs * feed.num_steps < _FEWEST_STEPS_TO_OPTIMIZE)
    on_steps = checkpointing.on_steps if checkpointing else None
    training = Passes(model, "train", feed, selection, callbacks=callbacks, is_ending=watcher.poll, on_steps=on_steps)
    evaluation = _Evaluation(model, validation, arguments, selection, callbacks=callbacks, is_ending=watcher.poll)
    pipelines = [each for each in (feed, evaluation.feed) if isinstance(each, Pipeline)]
    if checkpointing:
        checkpointing.attach(training.trace, pipelines, lambda: training.trace().program.variables)
    with ExitStack() as stack:
        for pipeline in pipelines:
            stack.callback(pipeline.close)
        model.stop_training = False
        callbacks.on_train_begin()
        epoch_logs: Any = None
        for epoch in range(getattr(model, "_initial_epoch", None) or initial_epoch, epochs):
            epochs_left = epochs - epoch - 1
            model.reset_metrics()
            with tracing:
                callbacks.on_epoch_begin(epoch)
            num_done = checkpointing.begin_epoch(epoch) if checkpointing else 0
            number = place.num_before + epoch - initial_epoch + 1
            epoch_logs = training.run(epoch, number=number, epochs_left=epochs_left, num_done=num_done)
            if validation is not None and _is_due(epoch, arguments.get("validation_freq", 1)):
                epoch_logs |= {f"val_{name}": value for name, value in evaluation.run(epochs_left).items()}
            if training.runner:
                watcher.on_plan(training.runner)
            if any(runner.is_mixed for runner in (training.runner, evaluation.runner) if runner):
                watcher.on_mixed()
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
    if model.built and is_standard(model, "train"):
        with suppress(Exception):  # what cannot be built so is built by the trace, which says better what is wrong
            _build_metrics(model, feed.spec)
            model._symbolic_build(data_batch=feed.spec)  # noqa: SLF001 - as Keras does it under a strategy, and on JAX


def _build_metrics(model: Any, spec: Any) -> None:
    """Build the metrics and the loss of a plain stack of layers: Keras would run it, and them, for the shape of its outputs."""
    compiled = [each for each in (model._compile_metrics, model._compile_loss) if each is not None]  # noqa: SLF001
    if type(model) is not keras.Sequential or len(model.outputs) != 1 or any(each.built for each in compiled):
        return
    _, y, _ = unpack_x_y_sample_weight(keras.tree.map_structure(lambda part: keras.KerasTensor(part.shape, part.dtype), spec))
    for each in compiled:
        each.build(y, model.outputs[0])
        each.built = all(isinstance(metric, keras.metrics.Mean) for metric in each.metrics)  # others may wait for a batch


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
    return Arrays(data, batch_size=_validation_batch_size(arguments), order=None, held=held)


class _Evaluation:
    """The validation after an epoch; by Keras itself where there is no feed for its data."""

    def __init__(
        self,
        model: Any,
        data: Any,
        arguments: dict[str, Any],
        selection: Selection,
        *,
        callbacks: Any,
        is_ending: Callable[[], bool],
    ) -> None:
        self._model, self._data, self._arguments, self._callbacks = model, data, arguments, callbacks
        self.feed = feed = None if data is None else validation_feed_of(model, data, arguments, held=selection.is_held)
        self._passes = Passes(model, "test", feed, selection, callbacks=callbacks, is_ending=is_ending) if feed else None

    @property
    def runner(self) -> Runner | None:
        """What does its steps; None before the first, and where Keras does them."""
        return self._passes.runner if self._passes else None

    def run(self, epochs_left: int) -> dict[str, Any]:
        """Return the metrics over the validation data."""
        if self._passes is None:
            return self._run_by_keras()
        model, callbacks = self._model, self._callbacks
        model.stop_evaluating = False
        callbacks.on_test_begin()
        model.reset_metrics()
        logs = self._passes.run(0, number=0, epochs_left=epochs_left)
        callbacks.on_test_end(logs)
        return logs

    def _run_by_keras(self) -> dict[str, Any]:
        x, y, sample_weight = self._data
        options = {"steps": self._arguments.get("validation_steps"), "callbacks": self._callbacks}
        if are_arrays(*self._data):
            options["batch_size"] = _validation_batch_size(self._arguments)
        with tracing:
            return dict(self._model.evaluate(x, y, sample_weight=sample_weight, return_dict=True, verbose=0, **options))


def _validation_batch_size(arguments: dict[str, Any]) -> int:
    return int(arguments.get("validation_batch_size") or arguments.get("batch_size") or 32)


def _is_due(epoch: int, freq: Any) -> bool:
    return (epoch + 1) % freq == 0 if isinstance(freq, int) else epoch + 1 in freq
