"""The phases of one run, from the first `fit` to the files and the result."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from jupyter_mltrain.domain.errors import ModelError, StoreError
from jupyter_mltrain.domain.events import EpochEnded, Event, FactsKnown, Notice
from jupyter_mltrain.domain.run import Epoch, RunStatus, TrainingOutcome, TrainingResult
from jupyter_mltrain.domain.spec import Cell, CellOutcome, TrainSpec
from jupyter_mltrain.engine import phase, random_file, room
from jupyter_mltrain.engine.auto import Auto
from jupyter_mltrain.engine.capture import captured
from jupyter_mltrain.engine.checkpoints.run import RunCheckpoints
from jupyter_mltrain.engine.event_files import EventFiles
from jupyter_mltrain.engine.facts import hyperparams, model_facts, model_name, num_params
from jupyter_mltrain.engine.fingerprint import fingerprints, weights_checksum
from jupyter_mltrain.engine.gradients import recording_goes_on
from jupyter_mltrain.engine.job import Job
from jupyter_mltrain.engine.plans.predicting import Predictor
from jupyter_mltrain.engine.plans.sharing import IN_THIS_PROCESS
from jupyter_mltrain.engine.saving import Saver, signature
from jupyter_mltrain.engine.strategy import Scope
from jupyter_mltrain.engine.tuning import hypermodels
from jupyter_mltrain.engine.watch import RunState, scalars


class EndOfRun(BaseException):
    """Ends a body whose run was stopped, at its next `fit`; no `except Exception` of the user catches it."""


class Training:
    """The phases of one run."""

    def __init__(self, spec: TrainSpec, cell: Cell, scope: Scope, state: RunState, job: Job) -> None:
        self._spec, self._cell, self._scope, self._state, self._job = spec, cell, scope, state, job
        self._interrupts, self._on_event = state.interrupts, state.on_event
        self._saver = Saver(job.folder) if job.folder else None
        num_before = job.resumption.num_epochs if job.resumption else 0
        self._event_files = EventFiles(job.folder / "tensorboard", num_before) if job.folder else None
        state.on_event = self._tell
        if self._saver:
            state.on_best = self._on_best
        self._model: Any = None
        self._last_weights: list[Any] | None = None
        self._hyperparams: dict[str, Any] = {}
        self._planned_epochs = 0
        self._said: list[str] = []
        self._data: dict[str, Any] = {}
        self._phases: list[dict[str, Any]] = []
        self._plans: list[str] = []
        self._policy = ""
        self._auto = Auto(spec, scope, state)
        self._started: float | None = None
        self._ended = 0.0
        self._checkpoints = RunCheckpoints(job, state, say=self._say, on_event=self._on_event)

    def _tell(self, event: Event) -> None:
        if self._event_files and isinstance(event, EpochEnded):
            self._event_files.write(event.epoch)
        self._on_event(event)

    def _on_best(self, model: Any) -> None:
        assert self._saver
        try:
            if self._saver.on_best(model):
                self._tell_best()
        except OSError as error:
            self._say(f"The best model could not be written: {error.strerror or error}. It will be tried again.")

    def _tell_best(self) -> None:
        """Let it be known which epoch the file of the best model is of, as long as there is no result."""
        self._on_event(FactsKnown(facts={"best_epoch": self._state.best.best_number}))

    def run_body(self) -> CellOutcome:
        """Run the body under the scope; train what it built if it trained nothing."""
        outcome = CellOutcome()
        self._policy = keras.config.dtype_policy().name
        self._keep_random_numbers()
        self._checkpoints.begin()
        with captured(self.fit, self.own_fit), self._scope, room.guarded(self._scope.devices):
            try:
                with self._interrupts.immediate(), recording_goes_on():
                    outcome = self._cell.run(self._job.hp)
                if self._state.phase == 0:
                    self._fit_built(outcome)
            except EndOfRun:
                pass
        return outcome

    def _keep_random_numbers(self) -> None:
        """Keep what a run that begins without a seed draws from."""
        if self._job.keeper and self._job.folder and self._state.seed is None and self._job.resumption is None:
            with suppress(OSError):  # it can be trained without
                random_file.keep(self._job.folder)

    def _fit_built(self, outcome: CellOutcome) -> None:
        """Train the model that the body built, or that what it defined builds from hyperparameters, on the line's data.

        Raises:
            ModelError: there is no such model, or the line names no data.
        """
        hypermodel = hypermodels.defined(outcome)
        hp = self._job.hp or (hypermodels.defaults() if hypermodel else None)
        with self._interrupts.immediate(), recording_goes_on():
            model = hypermodels.built(hypermodel, hp) if hypermodel else self._named_model() or _built_model(outcome)
            if self._spec.data is None:
                raise ModelError(
                    f"expected a call of fit in the cell or --data, received neither for model {model.name!r}: "
                    "add model.fit(x, y), or --data x,y"
                )
            if hypermodels.has_fit(hypermodel):
                data = phase.data_arguments(self._spec, self._cell, model)
                self._spec = replace(self._spec, data=None)  # they are in the call
                hypermodel.fit(hp, model, **data)
            else:
                model.fit()

    def _named_model(self) -> Any:
        if self._spec.model is None:
            return None
        model = self._cell.evaluate(self._spec.model, "--model")
        if not isinstance(model, keras.Model):
            raise ModelError(f"expected --model to name a Keras model, received {type(model).__name__} {self._spec.model!r}")
        return model

    def fit(self, original: Any, model: Any, given: dict[str, Any]) -> Any:
        """Do one captured `fit`."""
        if self._state.ending and self._state.phase:
            raise EndOfRun
        with self._interrupts.deferred():
            merged, overridden = phase.arguments(self._spec, self._cell, model, given)
            self._checkpoints.count_on(merged)
            for text in overridden + phase.prepare(model, merged, self._spec):
                self._say(text)
            start = self._checkpoints.start(model)
            said = self._auto.settle(model, merged, start)
            for text in said + room.check(model, merged, plan=self._spec.plan, devices=self._scope.devices):
                self._say(text)
            self._model = model
            if self._job.weights and self._state.phase == 0:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")  # which begins anew
                    model.load_weights(self._job.weights)
            data = self._before_fit(model, merged)
            num_before = len(self._state.epochs)
            if start:
                self._last_weights = start.last_weights
                self._checkpoints.go_on(start, data)
            checkpointing = self._checkpoints.of_phase(
                merged, data, start, seconds=lambda: self._state.now() - (self._started or 0.0)
            )
            try:
                history = phase.run(
                    original,
                    model,
                    merged,
                    spec=self._spec,
                    scope=self._scope,
                    state=self._state,
                    say=self._say,
                    programs=self._job.programs or IN_THIS_PROCESS,
                    checkpointing=checkpointing,
                    extras=self._extras(merged),
                )
            finally:
                self._ended = self._state.now()
                self._after_fit(model, len(self._state.epochs) - num_before, restores=not (start and start.is_end))
            if checkpointing and not (start and start.is_end):
                checkpointing.end(self._last_weights)
            if self._state.ending and self._state.control.free_requested:  # the body goes on when the training does
                raise EndOfRun
            return history

    def own_fit(self, call: Callable[[], Any], model: Any) -> Any:
        """Do one call of a `fit` that the user's class overrides; if Keras's is not used in it, keep what it returns."""
        phase_before = self._state.phase
        self._checkpoints.check_own_fit(model)
        self._started = self._started or self._state.now()
        returned = call()
        if self._state.phase > phase_before:
            return returned
        self._state.phase += 1
        self._model, self._ended = model, self._state.now()
        self._say(f"{type(model).__name__}.fit has its own loop: its progress is not seen, and only the interrupt stops it.")
        history = getattr(returned, "history", returned)
        if isinstance(history, dict) and all(isinstance(values, list) for values in history.values()):
            for values in zip(*history.values(), strict=False):
                metrics = scalars(dict(zip(history, values, strict=True)))
                epoch = Epoch(number=self._state.num_epochs + 1, phase=self._state.phase, metrics=metrics, seconds=0.0)
                self._state.epochs.append(epoch)
                self._tell(EpochEnded(epoch=epoch, best=False))
        self._hyperparams = hyperparams(model, {}, len(self._state.epochs))
        self._on_event(FactsKnown(facts={"said": self._said, "hyperparams": self._hyperparams}))
        self._after_fit(model, len(self._state.epochs))
        return returned

    def _extras(self, merged: dict[str, Any]) -> list[Any]:
        """Return what writes for TensorBoard what the line asks for besides the metrics."""
        spec = self._spec
        if self._event_files is None or not (spec.histograms or spec.graph or spec.confusion):
            return []
        from jupyter_mltrain.engine.board_extras import BoardExtras

        return [BoardExtras(spec, self._event_files, merged, self._state.num_epochs)]

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.append(text)
            self._on_event(Notice(text=text))

    def _before_fit(self, model: Any, merged: dict[str, Any]) -> dict[str, Any]:
        if self._started is None:
            self._started = self._state.now() - self._checkpoints.seconds_before
        self._planned_epochs += phase.num_epochs(merged)
        self._hyperparams = hyperparams(model, merged, self._planned_epochs)
        data = fingerprints(merged)
        self._data |= data
        self._on_event(FactsKnown(facts={"said": self._said, "hyperparams": self._hyperparams, "data": self._data}))
        return data

    def _after_fit(self, model: Any, num_epochs: int, *, restores: bool = True) -> None:
        self._phases.append({"model": model_name(model), "epochs": num_epochs})
        self._plans.append(self._state.plan.value)
        self._on_event(FactsKnown(facts={"said": self._said, "model": model_facts(model), "phases": self._phases}))
        best = self._state.best
        if restores and best.restores and best.best_weights is not None:
            self._last_weights = model.get_weights()
            model.set_weights(best.best_weights)

    def rescue(self) -> None:
        """Keep what a training that failed has brought so far."""
        self._checkpoints.close()
        if self._event_files:
            self._event_files.close(self._searched(), RunStatus.FAILED)
        best = self._state.best
        if self._saver and best.best_weights is not None:
            after = self._model.get_weights()
            self._saver.save_best(self._model, best.best_weights)
            self._model.set_weights(after)
            self._tell_best()

    def _searched(self) -> dict[str, Any]:
        """Return what the training was done with, and the values that a search gave the cell."""
        return {**self._hyperparams, **(self._job.hp.used if self._job.hp else {})}

    def finish(self, outcome: CellOutcome, kind: str, reason: str) -> TrainingOutcome:
        """Write the models, close the event files, and put the result together."""
        status = RunStatus.INTERRUPTED if self._interrupts.received else RunStatus.COMPLETED
        if self._state.control.stop_requested:
            status = RunStatus.STOPPED
        if status is not RunStatus.COMPLETED and self._job.programs is None:  # a search does so after every trial
            # What a stopped loop leaves of its data pipeline is in cycles. TensorFlow may wait for as long as it was in
            # use, a minute at most, when it is freed: a wake-up of its tuning thread can get lost. So now, while it is young.
            gc.collect()
        best, last = self._write_models()
        self._checkpoints.close()
        if self._event_files:
            self._event_files.close(self._searched(), status)
        is_shown = outcome.value is not None and not isinstance(outcome.value, keras.Model | keras.callbacks.History)
        return TrainingOutcome(
            status=status,
            result=self._result(kind, reason),
            best=best,
            last=last,
            signature=signature(self._model),
            num_params=num_params(self._model),
            predictor=Predictor(self._model),
            value=outcome.value if is_shown else None,
            write_rest=self._write_rest,
        )

    def _write_models(self) -> tuple[Path | None, Path | None]:
        if self._saver is None:
            return None, None
        model, best = self._model, self._state.best
        after = model.get_weights()
        try:
            if self._last_weights is not None:
                model.set_weights(self._last_weights)
            last = self._saver.save_last(model) if self._job.keeps(best.best_metrics) else None
            self._tell_what_to_repeat()
            if last is None:
                return None, None
            if best.best_weights is None or best.best_number == self._state.num_epochs:
                return self._saver.copy_last(last), last
            return self._saver.save_best(model, best.best_weights), last
        finally:
            model.set_weights(after)

    def _write_rest(self) -> None:
        import tensorflow as tf

        try:
            for files in (self._saver, self._event_files):
                if files:
                    files.write_rest()
        except (OSError, tf.errors.OpError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise StoreError(
                f"expected to write the model into {self._job.folder}, received {reason}: make room there, or make it writable; "
                "the trained model is still in the notebook"
            ) from error

    def _tell_what_to_repeat(self) -> None:
        """Tell what the same training has to be done with, and what it has to come to."""
        facts = {
            "precision": self._policy,
            "plans": self._plans,
            "is_mixed": self._state.is_mixed,
            "weights": weights_checksum(self._model),
        }
        self._on_event(FactsKnown(facts={"reproduction": facts}))

    def _result(self, kind: str, reason: str) -> TrainingResult:
        epochs, best = self._state.epochs, self._state.best
        last = epochs[-1].metrics if epochs else {}
        train = {name: value for name, value in last.items() if not name.startswith("val_") and name != "learning_rate"}
        validation = {name.removeprefix("val_"): value for name, value in last.items() if name.startswith("val_")}
        return TrainingResult(
            epochs=len(epochs),
            train_loss=train.pop("loss", None),
            val_loss=validation.pop("loss", None),
            train_metrics=train,
            val_metrics=validation,
            monitor=best.monitor if best.best_number else None,
            best_epoch=best.best_number,
            best_score=best.best_metrics.get(best.monitor),
            best_metrics=best.best_metrics or dict(last),
            duration=self._ended - (self._started or self._ended),
            hyperparams=self._hyperparams,
            strategy=kind,
            precision=self._model.dtype_policy.name,
            plan=self._state.plan,
            reason=reason,
            plan_reason=self._state.plan_reason,
        )


def _built_model(outcome: CellOutcome) -> Any:
    """Return the model that a body built: the value of its last line, else the one that it assigned."""
    if isinstance(outcome.value, keras.Model):
        return outcome.value
    models = {name: value for name, value in outcome.assigned.items() if isinstance(value, keras.Model)}
    distinct = {id(model): model for model in models.values()}
    if len(distinct) == 1:
        return next(iter(distinct.values()))
    if not models:
        raise ModelError(
            "expected the cell to build or fit a Keras model, it did neither: assign one, or name an earlier one with --model"
        )
    raise ModelError(
        f"expected one Keras model in the cell, received {len(distinct)}: {', '.join(sorted(models))}; "
        f"name the one to train with --model {min(models)}"
    )
