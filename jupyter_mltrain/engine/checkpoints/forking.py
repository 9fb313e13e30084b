"""A fork: the first `fit` of a run begins with a state of another run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zipfile import BadZipFile

import numpy as np

from jupyter_mltrain.domain.errors import ModelFileError, OptionError
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.domain.spec import AUTO, TrainSpec
from jupyter_mltrain.engine.checkpoints.kept import KeptState
from jupyter_mltrain.engine.checkpoints.states import is_seed
from jupyter_mltrain.engine.checkpoints.stored import Optimizers, Stored, stored
from jupyter_mltrain.engine.unchanged import optimizers


class Fork:
    """What a run begins with: weights, and the optimizer's state where it fits.

    The learning rate is never taken over: that of the cell and the line holds. Nor are random numbers, but for those of random
    layers where both runs have the same seed.

    Attributes:
        parent: whose state it is.
        hp: values of hyperparameters that the parent was trained with; empty where it asked for none.
    """

    def __init__(self, run: Run, state: KeptState, spec: TrainSpec) -> None:
        """Take where it begins.

        Args:
            run: the parent.
            state: of it.
            spec: of the run that begins.
        """
        self.parent = state.parent(run)
        self.hp: Mapping[str, Any] = run.trial.values if run.trial else run.facts.get("hp", {})
        self._state = state
        self._kind = run.facts.get("hyperparams", {}).get("optimizer")
        self._with_seeds = spec.seed is not None and spec.seed == run.facts.get("seed")
        self._has_schedule, self._finds_rate = spec.lr_schedule is not None, spec.learning_rate == AUTO
        self._has_weights = False

    def put_weights(self, model: Any) -> None:
        """Put the weights into a model that has all of its own.

        Raises:
            ModelError: a layer has other weights.
            ModelFileError: the file is gone or damaged.
        """
        self._put_weights(model, self._read())

    def put_early(self, model: Any) -> None:
        """Put the weights before the `fit` begins, if the model has all of its own by then.

        Raises:
            OptionError: it has not, and a learning rate is to be found for them.
            ModelError, ModelFileError: as `put_weights`.
        """
        if is_built(model):
            self.put_weights(model)
        elif self._finds_rate:
            raise OptionError(
                f"expected --lr as a number for a fork of a model that its first step builds, {model.name!r}, received auto: "
                "give it a keras.Input"
            )

    def begin(self, model: Any) -> list[str]:
        """Put all that is taken over into a model that has all of its variables, and say what that is.

        Raises:
            ModelError, ModelFileError: as `put_weights`.
        """
        state = self._read()
        if not self._has_weights:
            self._put_weights(model, state)
        said = self._says_of_seeds(model, state)
        own = {name: each for name, each in optimizers(model).items() if _has_stepped(state.optimizers.get(name))}
        values = {name: _fitting(optimizer, state.optimizers.get(name, ("", []))[1]) for name, optimizer in own.items()}
        why = self._why_anew(own, state.optimizers, values)
        if why or not own:
            return [self.says_of_weights, *([f"The optimizer begins anew: {why}."] if why else []), *said]
        rates = [text for name, optimizer in own.items() for text in self._put_optimizer(optimizer, values[name] or [])]
        return [self.says_of_weights.replace("its weights", "its weights and the state of its optimizer"), *rates, *said]

    @property
    def says_of_weights(self) -> str:
        """A sentence for the user, where no more is taken over."""
        return f"Forked from {self.parent.ref} {self.parent.place}: its weights."

    def _says_of_seeds(self, model: Any, state: Stored) -> list[str]:
        if self._with_seeds and not state.has_seeds and any(map(is_seed, model.variables)):
            return ["Random layers do not go on as there: a model's file has no random state, a checkpoint has."]
        return []

    def _read(self) -> Stored:
        try:
            return stored(self._state.path, self._kind)
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise self._unreadable(error) from error

    def _put_weights(self, model: Any, state: Stored) -> None:
        try:
            state.put_weights(model, self.parent.ref, with_seeds=self._with_seeds)
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise self._unreadable(error) from error
        self._has_weights = True

    def _unreadable(self, error: Exception) -> ModelFileError:
        cause = str(error).partition("\n")[0]
        return ModelFileError(
            f"expected {self._state.path} to hold the state of {self.parent.ref} {self.parent.place}, it cannot be read "
            f"({cause}): fork another epoch"
        )

    def _why_anew(
        self,
        own: Mapping[str, Any],
        theirs: Optimizers,
        values: Mapping[str, Sequence[Any] | None],
    ) -> str:
        """Return why the optimizer's state is not taken over; nothing where it is."""
        if self._has_schedule:
            return "--lr-schedule counts its steps"
        if not self._state.has_optimizer:
            return "only the weights of that epoch were kept"
        for name, optimizer in own.items():
            kind, here = theirs.get(name, (None, ()))[0], type(optimizer).__name__
            if kind not in (None, here):
                return f"it is {here} here, {kind} there"
            if values[name] is None:
                return "it trains other weights than there, or is set otherwise"
        return ""

    def _put_optimizer(self, optimizer: Any, values: Sequence[Any]) -> list[str]:
        said = []
        for variable, value in zip(optimizer.variables, values, strict=True):
            if not _is_rate(variable):
                variable.assign(value)
            elif value is not None and variable.value.numpy() != value:
                here, there = float(variable.value.numpy()), float(value)
                said.append(f"The learning rate is {here:.6g}; that of {self.parent.ref} was {there:.6g}.")
        return said[-1:]  # an optimizer that scales the loss repeats that of the one in it


def is_built(model: Any) -> bool:
    """Tell whether a model has all of its weights; Keras calls one built whose layers are not."""
    return bool(model.built and all(layer.built for layer in model._flatten_layers()))  # noqa: SLF001


def _fitting(optimizer: Any, values: Sequence[Any]) -> list[Any] | None:
    """Return the values of an optimizer's variables, None for a rate that is not known; None for all where they do not fit.

    A learning rate is a variable of its own, after the number of steps, where it is no schedule.
    """
    variables, found = optimizer.variables, list(values)
    has_rate = any(map(_is_rate, variables))
    if has_rate and len(found) == len(variables) - 1:
        found.insert(1, None)
    elif not has_rate and len(found) == len(variables) + 1:
        del found[1]
    fits = len(found) == len(variables) and all(
        value is None or tuple(variable.shape) == value.shape for variable, value in zip(variables, found, strict=True)
    )
    return found if fits else None


def _has_stepped(stored: tuple[str | None, Sequence[Any]] | None) -> bool:
    """Tell whether an optimizer was used in the parent; one that is not known may have been."""
    return stored is None or not stored[1] or int(np.asarray(stored[1][0])) > 0


def _is_rate(variable: Any) -> bool:
    return str(variable.name) == "learning_rate"
