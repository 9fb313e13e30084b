"""The arms: one search each of the same problem, written as a user of that tuner would."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from time import perf_counter
from typing import Any

import keras
import keras_tuner
import optuna
import psutil

from jupyter_mltrain.api.training import Body
from jupyter_mltrain.domain.events import SearchEvent, TrainControl, TrialEnded
from jupyter_mltrain.domain.run import RunStatus
from jupyter_mltrain.domain.search import Objective, OracleKind, Prune, SearchSpec
from jupyter_mltrain.domain.spec import TrainSpec
from jupyter_mltrain.engine.tuning import oracles
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.services.tuning import tune
from tests.benchmarks.tune.problems import ALL, Problem

_IMPORTED_LATE = (
    "alembic.command",
    "jupyter_mltrain.engine.tuning.tuner",
    "jupyter_mltrain.services.search_record",
    "jupyter_mltrain.store.store",
    "optuna.importance",
    "sqlalchemy.dialects.sqlite",
    "tensorboard.compat",
    "tensorboard.plugins.hparams.summary",
    "tensorboard.summary.v2",
)
for _name in _IMPORTED_LATE:  # by one arm or another when its search begins; here before any clock starts
    import_module(_name)


@dataclass(slots=True)
class Log:
    """What the trials of one search came to, each noted when its tuner is done with it.

    Attributes:
        seconds: from the start of the search.
        values: of the objective; infinite for a trial that was pruned or failed.
        memory: resident bytes of the process.
    """

    seconds: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    started: float = field(default_factory=perf_counter)

    def ended(self, value: float | None) -> None:
        """Take note of a trial."""
        self.seconds.append(perf_counter() - self.started)
        self.values.append(float("inf") if value is None else value)
        self.memory.append(psutil.Process().memory_info().rss)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One search.

    Attributes:
        trials: its budget.
        seconds: until which it goes on if the budget was spent before; None for not at all.
        folder: for its files.
    """

    problem: Problem
    seed: int
    trials: int
    seconds: float | None
    folder: str
    log: Log

    def is_over(self) -> bool:
        """Tell whether no further trial is to begin."""
        log = self.log
        return len(log.values) >= self.trials and (self.seconds is None or log.seconds[-1] >= self.seconds)


def searched(problem: str, arm: str, seed: int, trials: int, seconds: float | None = None) -> Log:
    """Search in an empty folder that is deleted afterwards; for a process of its own."""
    ALL[problem].load()
    keras.utils.set_random_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        task = Task(problem=ALL[problem], seed=seed, trials=trials, seconds=seconds, folder=folder, log=Log())
        _ARMS[arm](task)
    return task.log


def _by_trials(task: Task) -> None:
    """Do what `%%tune --trials N` does."""
    _tuned(task, OracleKind.TPE, trials=task.trials)


def _by_time(task: Task) -> None:
    """Do what `%%tune --max-time TIME` does."""
    _tuned(task, OracleKind.TPE, trials=None, max_time=task.seconds)


def _side_by_side(task: Task, *, width: int) -> None:
    """Train the same trials whatever the width."""
    _tuned(task, OracleKind.RANDOM, trials=task.trials, prune=Prune.NONE, parallel=width)


def _tuned(task: Task, kind: OracleKind, *, trials: int | None, **options: Any) -> None:
    """Do all that `%%tune` does but the view; only what chooses the values is seeded, as in the other arms."""

    problem = task.problem

    def body(hp: Any) -> None:  # without the task, which changes: what leaves something behind may not go to another process
        problem.fit(hp, problem.build(hp))

    def on_event(event: SearchEvent) -> None:
        if isinstance(event, TrialEnded):
            is_whole = event.run.status is RunStatus.COMPLETED and event.run.trial
            task.log.ended(event.run.trial.scores[task.problem.objective] if is_whole else None)

    objective = Objective.parse(task.problem.objective)
    oracle = oracles.made(kind, [objective], seed=task.seed, num_trials=trials, max_epochs=None)
    spec = SearchSpec(training=TrainSpec(), trials=trials, oracle=oracle, objectives=(objective,), **options)
    session = Session(task.folder)
    tune(session, spec, Body(body), on_event=on_event, control=TrainControl())
    session.close()


def _keras_tuner(tuner_class: Any, task: Task, **options: Any) -> None:
    class Timed(tuner_class):
        def on_trial_end(self, trial: Any) -> None:
            super().on_trial_end(trial)
            task.log.ended(self.oracle.get_trial(trial.trial_id).score)

    class Model(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            return task.problem.build(hp)

        def fit(self, hp: Any, model: Any, **options: Any) -> Any:
            return task.problem.fit(hp, model, **options)

    objective = keras_tuner.Objective(task.problem.objective, "min")
    options |= {"objective": objective, "max_trials": task.trials, "seed": task.seed + 1}
    Timed(Model(), directory=task.folder, overwrite=True, **options).search(verbose=0)


def _random(task: Task) -> None:
    _keras_tuner(keras_tuner.RandomSearch, task)


def _bayesian(task: Task) -> None:
    """Search so that a third of the trials is drawn at random; by itself Keras Tuner draws three for each hyperparameter."""
    _keras_tuner(keras_tuner.BayesianOptimization, task, num_initial_points=max(4, task.trials // 3))


def _optuna(task: Task) -> None:
    def objective(trial: optuna.Trial) -> float:
        keras.backend.clear_session()
        hp = _OptunaHp(trial)
        pruning = _Pruning(trial, task.problem.objective)
        history = task.problem.fit(hp, task.problem.build(hp), callbacks=[pruning], verbose=0)
        return min(history.history[task.problem.objective])

    def on_trial(study: optuna.Study, trial: Any) -> None:
        task.log.ended(trial.value if trial.state is optuna.trial.TrialState.COMPLETE else None)
        if task.is_over():
            study.stop()

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=task.seed), pruner=optuna.pruners.MedianPruner())
    study.optimize(objective, callbacks=[on_trial])


class _OptunaHp:
    """Asks Optuna in Keras Tuner's words."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial

    def Int(self, name: str, low: int, high: int, step: int = 1, sampling: str = "linear") -> int:
        return self._trial.suggest_int(name, low, high, step=step, log=sampling == "log")

    def Float(self, name: str, low: float, high: float, sampling: str = "linear") -> float:
        return self._trial.suggest_float(name, low, high, log=sampling == "log")

    def Choice(self, name: str, values: list[Any]) -> Any:
        return self._trial.suggest_categorical(name, values)


class _Pruning(keras.callbacks.Callback):
    """Lets Optuna's pruner end a trial after an epoch, as optuna-integration's callback does."""

    def __init__(self, trial: optuna.Trial, metric: str) -> None:
        super().__init__()
        self._trial, self._metric = trial, metric

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._trial.report(logs[self._metric], epoch)
        if self._trial.should_prune():
            raise optuna.TrialPruned


def _bare(task: Task) -> None:
    """Train with default values again and again, with no tuner."""
    while not task.is_over():
        keras.backend.clear_session()
        hp = keras_tuner.HyperParameters()
        history = task.problem.fit(hp, task.problem.build(hp), verbose=0)
        task.log.ended(min(history.history[task.problem.objective]))


_ARMS: dict[str, Callable[[Task], None]] = {
    "%%tune": _by_trials,
    "%%tune --max-time": _by_time,
    "KT RandomSearch": _random,
    "KT BayesianOptimization": _bayesian,
    "Optuna": _optuna,
    "no tuner": _bare,
    **{f"--parallel {width}": partial(_side_by_side, width=width) for width in (1, 2, 4)},
}
