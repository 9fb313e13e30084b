"""How long a step takes, found by doing some as a training would do them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, pairwise
from statistics import median
from time import perf_counter
from typing import Any

import keras

from jupyter_mltrain.engine.plans.feed import Block, Feed, Stream
from jupyter_mltrain.engine.plans.runner import Runner

_CALLS_TO_BEGIN = 4  # the graph is optimized, the loop's speed is known, and what pays is being compiled
_CALLS_OF_A_TRIAL = 9  # of what was compiled, at most, and the first as it goes on
_SECONDS = 0.5
_MOST_SECONDS = 5.0
_MOST_CALLS = 30

Sample = tuple[float, int]  # seconds, steps


def step_seconds(runner: Runner, feed: Feed, *, epochs: int, is_ending: Callable[[], bool]) -> float | None:
    """Return the seconds that a step takes once its plan is settled, those for gathering or reading its data among them.

    A compilation that pays for so many epochs is waited for. Everything that a step changes is changed.

    Args:
        runner: of the steps; afterwards it tells the plan.
        feed: of the data; it may be gone through several times.
        epochs: that the training is to have.
        is_ending: asked after each call, at most a tenth of a second or one step later, whether to give up.

    Returns:
        None where it was given up, or there is nothing to read.
    """
    samples: list[Sample] = []
    for number, sample in enumerate(_samples(runner, feed, epochs)):
        samples.append(sample)
        if number == _CALLS_TO_BEGIN:
            runner.wait()
        if is_ending():
            return None
        if _spent(samples) > _MOST_SECONDS or number == _MOST_CALLS or _spent(_settled(samples)) > _SECONDS:
            break
    runner.wait()
    settled = _settled(samples)
    if settled:
        return _spent(settled) / sum(num_steps for _, num_steps in settled)
    return min((seconds / num_steps for seconds, num_steps in samples[1:] or samples), default=None)


def keras_step_seconds(fit: Any, model: Any, arguments: dict[str, Any], *, is_ending: Callable[[], bool]) -> float | None:
    """Return the seconds that a step takes in Keras's own loop; everything that a step changes is changed.

    Args:
        fit: Keras's own.
        model: compiled.
        arguments: of the `fit`.
        is_ending: asked before each step whether to give up.

    Returns:
        None where it was given up, or there are too few steps to tell.
    """
    clock = _Clock(is_ending)
    alone = {"callbacks": [clock], "epochs": arguments.get("initial_epoch", 0) + 4, "verbose": 0}
    fit(model, **{**arguments, **alone, "validation_data": None, "validation_split": 0.0})
    return clock.seconds


def _samples(runner: Runner, feed: Feed, epochs: int) -> Iterator[Sample]:
    """Yield what each call took, with all that came between it and the last one."""
    ended = perf_counter()
    for number in count():
        is_empty = True
        for piece in feed.epoch(number):
            for num_steps in _calls(runner, piece, epochs):
                now = perf_counter()
                yield now - ended, num_steps
                ended, is_empty = perf_counter(), False
        if is_empty:
            return


def _calls(runner: Runner, piece: Block | Stream, epochs: int) -> Iterator[int]:
    first = 0
    while piece.num_steps is None or first < piece.num_steps:
        _, done = runner.run(piece, first, epoch=1, epochs_left=epochs - 1)
        if not done:
            return
        first += done
        yield done


def _settled(samples: list[Sample]) -> list[Sample]:
    return samples[_CALLS_TO_BEGIN + _CALLS_OF_A_TRIAL + 1 :]


def _spent(samples: list[Sample]) -> float:
    return sum(seconds for seconds, _ in samples)


class _Clock(keras.callbacks.Callback):
    """Ends a training as soon as it knows how long its steps take."""

    def __init__(self, is_ending: Callable[[], bool]) -> None:
        super().__init__()
        self._is_ending = is_ending
        self._begun: list[float] = []

    @property
    def seconds(self) -> float | None:
        took = [after - before for before, after in pairwise(self._begun)]
        if not took or self._is_ending():
            return None
        return median(took) / self.model.steps_per_execution  # some are traced: the first, and the ragged one

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras's hook
        begun = self._begun
        begun.append(perf_counter())
        spent = begun[-1] - begun[0]
        is_known = len(begun) > 3 and begun[-1] - begun[2] > _SECONDS
        if is_known or (len(begun) > 2 and spent > _MOST_SECONDS) or self._is_ending():
            self.model.stop_training = True
