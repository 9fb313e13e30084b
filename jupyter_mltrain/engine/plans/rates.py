"""The learning-rate range test: steps at growing rates that count for nothing, and the rate that they speak for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.engine.plans.feed import Feed, Stream
from jupyter_mltrain.engine.plans.program import Program
from jupyter_mltrain.engine.plans.restoring import restored

_DECADE = 20  # steps in which the rate grows tenfold
NUM_STEPS = 7 * _DECADE + 1
_RATES = np.geomspace(1e-6, 10, NUM_STEPS)
_WIDTH = 4  # steps, of the bell curve that smooths over the rates
_KERNEL = np.exp(-0.5 * (np.arange(-2 * _WIDTH, 2 * _WIDTH + 1) / _WIDTH) ** 2)
_MEMORY = 0.9  # of the running mean that ends the test
_CERTAIN = 4  # standard errors that the loss must have fallen by
_DISTANCE = 3  # from the rate at which the loss is lowest; beyond that one it rises


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeTest:
    """What a range test has seen.

    Attributes:
        rates: of its steps, ascending.
        losses: of the batch at each rate.
        smoothed: the loss over the rates, without what differs from batch to batch.
        chosen: the rate to train with; None where the loss does not fall.
        steepest: whether the loss falls most steeply at `chosen`; else `chosen` is a third of where the loss is lowest.
    """

    rates: list[float]
    losses: list[float]
    smoothed: list[float]
    chosen: float | None = None
    steepest: bool = False


def range_test(model: Any, program: Program, feed: Feed, *, is_ending: Callable[[], bool]) -> RangeTest | None:
    """Train for a while at rates from 1e-6 to 10, each 12 % higher than the one before, and take everything back.

    Smith, "Cyclical Learning Rates for Training Neural Networks" (2017), section 3.3, with rates that grow geometrically.
    Batches differ more from each other than a step changes, so the same batches are first seen at a rate of zero, and what
    counts is by how much the loss of each has changed. The test ends where the running mean of the loss, so corrected, is four
    times its lowest, or the loss is not finite.

    Args:
        model: compiled, with a constant learning rate.
        program: of its `train_step`.
        feed: its data, the same each time that an epoch is begun; they are begun again where they end.
        is_ending: asked before each step whether to give up.

    Returns:
        what was seen; None if it was given up.

    Raises:
        OptionError: the step reports no loss, or does not use the optimizer's rate.
    """
    rate = model.optimizer.learning_rate.value
    if not any(handle is rate.handle for handle, _ in program.variables):
        raise OptionError(
            f"expected a train_step that uses model.optimizer for --lr auto, received that of {type(model).__name__}, which "
            "does not: set the rates of its own optimizers in the cell"
        )
    untrained, losses = [], []
    with restored(program):
        for loss in _losses(model, program, feed, np.zeros_like(_RATES)):
            if is_ending():
                return None
            untrained.append(loss)
    level = np.mean(untrained or math.nan)
    with restored(program):
        mean = lowest = level
        for loss, before in zip(_losses(model, program, feed, _RATES), untrained, strict=False):
            if is_ending():
                return None
            losses.append(loss)
            mean = _MEMORY * mean + (1 - _MEMORY) * (level + loss - before)
            lowest = min(lowest, mean)
            if mean - lowest > 3 * abs(lowest):  # four times it, where losses are positive
                break
    return choose_rate(losses, untrained[: len(losses)])


def choose_rate(losses: list[float], untrained: list[float]) -> RangeTest:
    """Choose the rate at which the loss falls most steeply over the logarithm of the rate.

    There a step brings most. Where the fall is sudden that is too near to the rates that diverge, so that it is no more than a
    third of the rate at which the loss is lowest. Both are read from the smoothed changes.

    Args:
        losses: of a batch at each rate, from the lowest on.
        untrained: of the same batches with the weights as they were before.
    """
    rates, changes = _RATES[: len(losses)], np.subtract(losses, untrained)
    if len(changes) < _DECADE:
        return RangeTest(rates=_plain(rates), losses=_plain(losses), smoothed=_plain(losses))
    smoothed = np.convolve(changes, _KERNEL, "same") / np.convolve(np.ones_like(changes), _KERNEL, "same")
    seen = RangeTest(rates=_plain(rates), losses=_plain(losses), smoothed=_plain(np.mean(untrained) + smoothed))
    lowest = int(np.argmin(smoothed))
    until = changes[max(0, lowest - 4 * _WIDTH) : lowest + 1]
    if -smoothed[lowest] <= _CERTAIN * np.std(until) / np.sqrt(len(until)):
        return seen
    steepest = rates[np.argmin(np.gradient(smoothed)[: lowest + 1])]
    highest = rates[lowest] / _DISTANCE
    return replace(seen, chosen=float(f"{min(steepest, highest):.2g}"), steepest=bool(steepest <= highest))


def _plain(values: Any) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def _losses(model: Any, program: Program, feed: Feed, rates: Any) -> Iterator[float]:
    """Do a step at each of the rates; yield the losses of the batches, as long as they are finite."""
    steps = _steps(program, feed)
    for rate in rates:
        model.optimizer.learning_rate = rate
        model.reset_metrics()
        logs = next(steps, None)
        if logs is None:
            return
        if "loss" not in logs:
            raise OptionError(
                f"expected a train_step that reports a loss for --lr auto, received {', '.join(logs)}: return one named loss"
            )
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            return
        yield loss


def _steps(program: Program, feed: Feed) -> Iterator[Any]:
    """Do one step at each `next`, epoch after epoch as long as there are data; yield its logs."""
    for epoch in count():
        is_empty = True
        for piece in feed.epoch(epoch):
            first = 0
            while piece.num_steps is None or first < piece.num_steps:
                if isinstance(piece, Stream):
                    logs, done = program.stream(piece.iterator, 1)
                    if not done:
                        break
                else:
                    logs = program.block(piece.data, first, 1)
                first, is_empty = first + 1, False
                yield logs
        if is_empty:
            return
