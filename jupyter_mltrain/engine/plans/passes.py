"""Going over data with a model's own step, a pass for an epoch or for a validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import keras

from jupyter_mltrain.engine.plans.feed import Arrays, Block, Feed, Pipeline, Stream
from jupyter_mltrain.engine.plans.program import Program, tracing
from jupyter_mltrain.engine.plans.runner import Runner
from jupyter_mltrain.engine.plans.selection import Selection, overrides

Kind = Literal["train", "test"]
OnSteps = Callable[[int, int, int, bool], None]
"""Told the epoch, how many of its steps are done, how many since the last call, and whether some are known to be left."""


def runner_of(model: Any, kind: Kind, feed: Feed, selection: Selection, is_ending: Callable[[], bool]) -> Runner:
    """Return what does the steps of a model; its `train_step` or `test_step` is traced."""
    if selection.programs and isinstance(feed, Arrays):
        program = selection.programs.program(model, kind, feed.spec)
    else:
        program = Program(getattr(model, f"{kind}_step"), feed.spec, jit_compile=model.jit_compile)
    return Runner(program, selection, is_ending)


def is_standard(model: Any, kind: Kind) -> bool:
    """Tell whether a step's logs are the results of all metrics, which Keras would ask for again."""
    names = (f"{kind}_step", "compute_metrics", "get_metrics_result")
    return all(getattr(type(model), name) is getattr(keras.Model, name) for name in names)


def _pass_over(piece: Block | Stream, num_steps: int) -> int:
    """Go past the first steps of a piece, at most all of them; return how many."""
    passed = num_steps if piece.num_steps is None else min(num_steps, piece.num_steps)
    if isinstance(piece, Stream):
        for _ in range(passed):
            next(piece.iterator)
    return passed


class Passes:
    """Goes over a feed, calling Keras's hooks before and after each call of the runner.

    Attributes:
        runner: does the steps; None before the first pass, which traces the step.
    """

    def __init__(
        self,
        model: Any,
        kind: Kind,
        feed: Feed,
        selection: Selection,
        *,
        callbacks: Any,
        is_ending: Callable[[], bool],
        on_steps: OnSteps | None = None,
    ) -> None:
        """Take what a pass needs.

        Args:
            model: compiled.
            kind: of the step.
            feed: of its data.
            selection: what the `fit` is done with.
            callbacks: Keras's list of them.
            is_ending: asked while a compilation is waited for.
            on_steps: told of the steps that are done.
        """
        self._on_steps = on_steps
        self._model, self._kind, self._feed = model, kind, feed
        self._selection, self._is_ending = selection, is_ending
        self._flag = "stop_training" if kind == "train" else "stop_evaluating"
        self._begin = getattr(callbacks, f"on_{kind}_batch_begin")
        hooks = (f"on_{kind}_batch_end", *(("on_batch_end",) if kind == "train" else ()))
        # Keras would start a thread after each call, even where no callback listens.
        is_heard = any(overrides(callback, hook) for callback in callbacks.callbacks for hook in hooks)
        self._end = getattr(callbacks, hooks[0]) if is_heard else lambda _step, _logs: None
        self.runner: Runner | None = None

    def run(self, epoch: int, *, number: int, epochs_left: int, num_done: int = 0) -> dict[str, Any]:
        """Go over the data once, or until the model's flag says to end; return what it came to, as numbers.

        Args:
            epoch: Keras's number of it, from 0.
            number: in the run, from 1.
            epochs_left: after this one.
            num_done: first steps of it that were done before.
        """
        runner = self.trace()
        return dict(self._results(self._logs(runner, epoch, number=number, epochs_left=epochs_left, num_done=num_done)))

    def trace(self) -> Runner:
        """Trace the step, which makes all variables, if that was not done; return what does it."""
        if self.runner is None:
            with tracing:
                self.runner = runner_of(self._model, self._kind, self._feed, self._selection, self._is_ending)
        return self.runner

    def _logs(self, runner: Runner, epoch: int, *, number: int, epochs_left: int, num_done: int) -> Any:
        logs: Any = self._model.get_metrics_result() if num_done else {}  # all steps may be done
        step = 0
        for piece in self._feed.epoch(epoch):
            first = _pass_over(piece, max(0, num_done - step))
            step += first
            while piece.num_steps is None or first < piece.num_steps:
                self._begin(step)
                if getattr(self._model, self._flag) and step > num_done:
                    self._tell(epoch, step, 0)
                    return logs
                new_logs, done = runner.run(piece, first, epoch=number, epochs_left=epochs_left)
                if not done:
                    break
                logs, first, step = new_logs, first + done, step + done
                self._end(step - 1, logs)
                self._tell(epoch, step, done)
                if getattr(self._model, self._flag):
                    return logs
            if isinstance(self._feed, Pipeline):
                self._feed.passed(first)
        return logs

    def _tell(self, epoch: int, step: int, num_steps: int) -> None:
        if self._on_steps:
            self._on_steps(epoch, step, num_steps, step < (self._feed.num_steps or 0))

    def _results(self, logs: Any) -> Any:
        """Return the metrics' results, or a custom step's own logs."""
        if not is_standard(self._model, self._kind):
            results = self._model.get_metrics_result()
            if not isinstance(logs, dict) or set(logs) == set(results):
                logs = results
        return keras.tree.map_structure(lambda log: log.numpy() if hasattr(log, "numpy") else log, logs)
