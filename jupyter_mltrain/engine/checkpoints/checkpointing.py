"""The callback that takes a run's checkpoints and puts one back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

import keras

from jupyter_mltrain.domain.errors import ModelError, OptionError
from jupyter_mltrain.engine import randomness
from jupyter_mltrain.engine.checkpoints.checkpoint import Checkpoint
from jupyter_mltrain.engine.checkpoints.keeper import Keeper
from jupyter_mltrain.engine.checkpoints.states import Handles, Objects, set_variables, variables
from jupyter_mltrain.engine.plans.feed import Pipeline
from jupyter_mltrain.engine.unchanged import optimizers
from jupyter_mltrain.engine.watch import RunState


class Checkpointing(keras.callbacks.Callback):
    """Takes checkpoints of a `fit`, and puts back the one that it goes on from.

    Plans of the engine have some taken within epochs; Keras's own loop, which hides its place in the data, at their ends alone.

    It comes last in the list: what it puts back is not begun anew by another callback, and what it takes is what all others
    leave.

    Attributes:
        start: what the `fit` goes on from; None where it begins.
        history: Keras's record of the `fit`; it comes just before in the list.
    """

    def __init__(
        self,
        keeper: Keeper,
        state: RunState,
        about: Callable[[], Mapping[str, Any]],
        merged: Mapping[str, Any],
        start: Checkpoint | None,
        *,
        begin: Callable[[Any], None] | None = None,
    ) -> None:
        """Take what a checkpoint is made of.

        Args:
            keeper: of the run.
            state: of the run.
            about: gives what a checkpoint says of the run.
            merged: the arguments of `fit`.
            start: what it goes on from.
            begin: given the model with all its variables where it begins; puts in what it begins with.
        """
        super().__init__()
        self._keeper, self._state, self._about, self.start, self._begin = keeper, state, about, start, begin
        self.history = keras.callbacks.History()
        self._data = merged["x"]
        shuffling = [self._data] if isinstance(self._data, keras.utils.PyDataset) else []
        self._objects = Objects([state.best, self.history, *merged["callbacks"], *shuffling])
        self._prepare: Callable[[], Any] | None = None
        self._pipelines: Sequence[Pipeline] = ()
        self._handles: Callable[[], Handles] = tuple
        self._begun = 0.0
        for callback in merged["callbacks"]:
            if start and isinstance(callback, keras.callbacks.CSVLogger):
                callback.append = True

    def attach(self, prepare: Callable[[], Any], pipelines: Sequence[Pipeline], handles: Callable[[], Handles]) -> None:
        """Take what a plan of the engine knows.

        Args:
            prepare: makes all variables.
            pipelines: where batches come from.
            handles: gives those of all variables that the step uses.
        """
        self._prepare, self._pipelines, self._handles = prepare, pipelines, handles

    @property
    def said(self) -> list[str]:
        """Sentences on what is not as it was where a `fit` goes on."""
        if self.start is None or self.start.is_end:
            return []
        is_generator = hasattr(self._data, "__next__")
        lost = ["The place in a Python generator cannot be put back: it begins anew."] if is_generator else []
        return lost + self._objects.hidden()

    def on_train_begin(self, logs: Any = None) -> None:
        """Put the state back."""
        self._keeper.begin()
        self._begun = monotonic()
        if self._prepare is None and self._keeper.counts_steps:
            raise OptionError(
                "expected --checkpoint-every in epochs or minutes for this fit, received steps: Keras's own loop trains it, "
                "which can be taken up at the ends of epochs"
            )
        if self.start is None and self._begin is None:
            return
        (self._prepare or self._build)()
        if self.start is None:
            assert self._begin
            self._begin(self.model)
            return
        if self.start.is_end:  # the engine's own callbacks are not called
            self._state.best.set_model(self.model)
            self._state.best.on_train_begin()
        for pipeline, place in zip(self._pipelines, self.start.feeds, strict=False):
            pipeline.go_on(*place)
        self._put_back(self.start)

    def begin_epoch(self, epoch: int) -> int:
        """Return how many steps of an epoch are done; if some are, put back what the other callbacks have begun anew."""
        if self.start is None or not self.start.step or epoch != self.start.epoch:
            return 0
        self._put_back(self.start)
        return self.start.step

    def on_steps(self, epoch: int, step: int, num_steps: int, is_within: bool) -> None:
        """Take a checkpoint within an epoch where one is due, or the training ends; where a callback has ended the phase, none.

        Args:
            epoch: Keras's number of it.
            step: how many of its steps are done.
            num_steps: done since the last call.
            is_within: whether it is known that some are left.
        """
        is_last = self._state.ending
        is_due = self._keeper.steps_are_due(num_steps, is_last=is_last)
        if is_due and (is_last or (is_within and not self.model.stop_training)):
            self._take(epoch=epoch, step=step)  # where all steps are done, the validation is what is left

    def _put_back(self, start: Checkpoint) -> None:
        self.model._initial_epoch = None  # noqa: SLF001 - Keras's BackupAndRestore would go on from another epoch
        whole = start.whole
        set_variables(self.model, self._handles(), whole.variables)
        self._objects.set_states(whole.objects)
        randomness.set_states(start.random)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Take a checkpoint where one is due, or the training ends before its time; an epoch that was cut short is no place."""
        if self._state.is_cut_short:
            return
        if self._keeper.epoch_is_due(is_last=self._state.ending):
            self._take(epoch=epoch + 1, is_over=self._state.is_over)

    def end(self, last_weights: list[Any] | None) -> None:
        """Take a checkpoint of the end of the phase, if it was not cut short and the next `fit` may need it."""
        if not self._state.ending and self._keeper.end_is_due(self._state.phase, monotonic() - self._begun):
            self._take(epoch=0, is_end=True, last_weights=last_weights)

    def _take(self, **place: Any) -> None:
        begun = monotonic()
        checkpoint = Checkpoint(
            **self._about(),
            **place,
            random=randomness.states(),
            variables=variables(self.model, self._handles()),
            objects=self._objects.states(),
            feeds=tuple(pipeline.place for pipeline in self._pipelines),
        )
        self._keeper.write(checkpoint, begun=begun)

    def _build(self) -> None:
        """Make the variables that Keras's own loop would make with its first step."""
        if not self.model.built:
            raise ModelError(
                "expected a model that is built before its fit for --resume and --fork in plan keras, received "
                f"{self.model.name!r}: give it a keras.Input"
            )
        with self.model.distribute_strategy.scope():
            for optimizer in optimizers(self.model).values():
                if not optimizer.built:
                    optimizer.build(self.model.trainable_variables)
