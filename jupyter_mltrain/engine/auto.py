"""What `auto` stands for in `--batch-size auto` and `--lr auto`: found before the first step, by steps that count for nothing."""

from __future__ import annotations

from typing import Any

import keras

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.events import FactsKnown
from jupyter_mltrain.domain.spec import AUTO, TrainSpec
from jupyter_mltrain.engine.checkpoints.checkpoint import Checkpoint
from jupyter_mltrain.engine.data import described
from jupyter_mltrain.engine.plans import copying
from jupyter_mltrain.engine.plans.batch_sizes import BatchSizes, measure_batch_sizes
from jupyter_mltrain.engine.plans.feed import Arrays, Feed, Pipeline
from jupyter_mltrain.engine.plans.fitting import split
from jupyter_mltrain.engine.plans.order import epoch_order
from jupyter_mltrain.engine.plans.program import Program
from jupyter_mltrain.engine.plans.rates import NUM_STEPS, RangeTest, range_test
from jupyter_mltrain.engine.plans.selection import are_arrays, find_obstacle, is_dataset
from jupyter_mltrain.engine.strategy import Scope
from jupyter_mltrain.engine.watch import RunState


class Auto:
    """Finds what the line leaves to be found, once for each compiled model of a run: its next `fit` goes on with that."""

    def __init__(self, spec: TrainSpec, scope: Scope, state: RunState) -> None:
        self._size_is_asked, self._rate_is_asked = spec.batch_size == AUTO, spec.learning_rate == AUTO
        self._state = state
        self._has_strategy = scope.strategy is not None
        self._settled: list[tuple[Any, int | None]] = []  # optimizers, and the batch size that was found with each
        self._range_tests: list[dict[str, Any]] = []

    def settle(self, model: Any, merged: dict[str, Any], start: Checkpoint | None = None) -> list[str]:
        """Find a batch size, put it into the arguments of a `fit`, then find a rate and set it.

        Args:
            model: compiled.
            merged: the arguments; `batch_size` may be changed.
            start: what the `fit` goes on from; it knows what was found.

        Returns:
            what was chosen and what was not, one sentence each.

        Raises:
            OptionError: there is nothing that could be found for this `fit`.
        """
        if not (self._size_is_asked or self._rate_is_asked):
            return []
        if start:
            self._settled.append((model.optimizer, start.batch_size))
        self._check(model, merged)
        for optimizer, batch_size in self._settled:
            if optimizer is model.optimizer:
                merged |= {"batch_size": batch_size} if batch_size else {}
                return []
        said = []
        if self._size_is_asked:
            said += self._find_batch_size(model, merged)
        if self._rate_is_asked:
            said += self._find_rate(model, merged)
        self._settled.append((model.optimizer, merged.get("batch_size") if self._size_is_asked else None))
        return said

    def _check(self, model: Any, merged: dict[str, Any]) -> None:
        if self._size_is_asked:
            _check_batches(model, merged)
        if self._rate_is_asked:
            _check_rate(model)
        obstacle = find_obstacle(model, merged, has_strategy=self._has_strategy)
        if obstacle:
            option, start = ("--lr", 0.001) if self._rate_is_asked else ("--batch-size", 32)
            raise OptionError(f"expected {option} as a number where {obstacle}, received auto: {start} is a common start")

    def _find_batch_size(self, model: Any, merged: dict[str, Any]) -> list[str]:
        parts, _ = split(merged)
        found = measure_batch_sizes(model, parts, merged.get("class_weight"), is_ending=self._state.poll)
        if found is None:
            return []
        before = merged.get("batch_size")
        merged["batch_size"] = found.chosen
        measured = {"sizes": list(found.speeds), "samples_per_second": [round(speed) for speed in found.speeds.values()]}
        self._state.on_event(FactsKnown(facts={"batch_sizes": {**measured, "chosen": found.chosen}}))
        is_another = found.chosen != (before or 32)
        said = _said_of_batch_size(found, before)
        return [said + _said_of_unchanged_rate(model) if is_another and not self._rate_is_asked else said]

    def _find_rate(self, model: Any, merged: dict[str, Any]) -> list[str]:
        feed = self._feed(merged)
        program = Program(model.train_step, feed.spec, jit_compile=model.jit_compile)
        found = range_test(model, program, feed, is_ending=self._state.poll)
        if found is None:
            return []
        seen = {"rates": found.rates, "losses": found.losses, "smoothed": found.smoothed, "chosen": found.chosen}
        self._range_tests.append(seen)
        self._state.on_event(FactsKnown(facts={"lr_range": self._range_tests}))
        if found.chosen is not None:
            model.optimizer.learning_rate = found.chosen
        return [_said_of_rate(model, found)]

    def _feed(self, merged: dict[str, Any]) -> Feed:
        """Return the data of a `fit`, in an order of the test's own."""
        class_weight = merged.get("class_weight")
        if is_dataset(merged["x"]):
            dataset = copying.first_batches(merged["x"], NUM_STEPS, is_ending=self._state.poll)
            if dataset is None:
                raise OptionError(
                    "expected a pipeline that can be read without moving it on for --lr auto, received one that holds more than "
                    "256 MB or cannot be written as a graph: 0.001 is a common start"
                )
            return Pipeline(dataset, class_weight, steps_per_epoch=None, goes_on=False)
        parts, _ = split(merged)
        num_rows = int(keras.tree.flatten(parts)[0].shape[0])
        seed, phase = self._state.seed or 0, self._state.phase + 1
        order = (lambda epoch: epoch_order(seed, phase, epoch, num_rows)) if merged.get("shuffle", True) else None
        return Arrays(parts, class_weight, batch_size=merged.get("batch_size") or 32, order=order, held=False)


def _check_batches(model: Any, merged: dict[str, Any]) -> None:
    if not are_arrays(merged["x"], merged.get("y"), merged.get("sample_weight")):
        raise OptionError(
            f"expected arrays for --batch-size auto, received {described(merged['x'])}, which brings its own batches: "
            "choose their size where they are made, and leave --batch-size out"
        )
    if any(tensor.shape[0] is not None for tensor in getattr(model, "inputs", None) or []):
        raise OptionError(
            f"expected a model for batches of any size for --batch-size auto, received {model.name!r} with batches of "
            f"{model.inputs[0].shape[0]}: leave --batch-size out, or batch_shape in its Input"
        )


def _check_rate(model: Any) -> None:
    if not isinstance(getattr(model.optimizer, "learning_rate", None), keras.Variable):
        raise OptionError(
            "expected an optimizer with a constant learning rate for --lr auto, received one with a schedule: pass --optimizer "
            "too, or change the schedule in the cell"
        )


def _said_of_batch_size(found: BatchSizes, before: int | None) -> str:
    smallest = min(found.speeds)
    chose = f"--batch-size auto chose {found.chosen}{f', in the cell {before}' if before else ''}"
    if found.chosen == smallest:
        return f"{chose}: {found.limit}."
    gain = found.speeds[found.chosen] / found.speeds[smallest]
    return f"{chose}: {gain:.1f} times the samples a second of {smallest}; {found.limit}."


def _said_of_unchanged_rate(model: Any) -> str:
    rate = getattr(model.optimizer, "learning_rate", None)
    stays = f"{float(rate.numpy()):.6g}" if isinstance(rate, keras.Variable) else "as it is compiled"
    return f" The batch size changes the training; the learning rate stays {stays}, --lr auto would find one for it."


def _said_of_rate(model: Any, found: RangeTest) -> str:
    if found.chosen is None:
        rate = float(model.optimizer.learning_rate.numpy())
        return f"--lr auto found no rate at which the loss falls: the learning rate stays {rate:.6g}."
    reason = (
        "in a range test on a copy of the weights the loss falls most steeply there"
        if found.steepest
        else "a third of the rate at which the loss is lowest in a range test on a copy of the weights"
    )
    return f"--lr auto chose {found.chosen:g}: {reason}."
