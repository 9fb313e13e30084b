"""The search as the engine does it: what to try next, trying it, and telling the oracle."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.events import TrainControl
from jupyter_mltrain.domain.run import COSTS, Run, RunStatus
from jupyter_mltrain.domain.search import Objective, OracleKind, Prune, Search, SearchSpec
from jupyter_mltrain.domain.spec import Cell
from jupyter_mltrain.engine import devices, environment, phase
from jupyter_mltrain.engine.interrupts import Interrupts
from jupyter_mltrain.engine.rehearsal import run_to_first_fit
from jupyter_mltrain.engine.tuning import oracles, pruning
from jupyter_mltrain.engine.tuning.here import OnTrialEvent, Supervision
from jupyter_mltrain.engine.tuning.hyperparameters import HyperParameters, described
from jupyter_mltrain.engine.tuning.importances import importances
from jupyter_mltrain.engine.tuning.places import Places
from jupyter_mltrain.engine.tuning.trial import TrialOutcome, TrialTask

_DEFAULT_TRIALS = 30
_WORTH_STOPPING = 0.25  # share of a trial's time that is left; what a whole trial tells the oracle is worth the rest
_EXHAUSTIVE = (OracleKind.GRID, OracleKind.HYPERBAND)  # they end by themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What to try next, as trial `number` of the search; `oracle_trial` is the oracle's own object."""

    number: int
    values: Mapping[str, Any]
    oracle_trial: Any


class Tuner:
    """One search, of which a caller records each step.

    Make it and enter it, then `propose` and `start` trials while there `is_room`, wait for the `next_ended` and `tell` of it,
    until nothing runs and `propose` returns None.

    Args:
        spec: what was asked for.
        cell: the body; it is run up to its first `fit` once, to see what it asks for.
        on_event: told what happens in a trial, in this thread.
        control: of the whole search.
        interrupts: entered by the caller.
        earlier: the search that goes on, with its trials.
        state: of its oracle.

    Attributes:
        objectives: what is looked for.
        num_trials: how many there will be at most; None where only the oracle ends it.
        facts: for the record.
        seconds_saved: by stopping trials that fell behind.
        said: sentences on what was chosen for the cell.

    Raises:
        MLTrainError: what was asked cannot be done.
        Exception: whatever the body raises, unchanged.
    """

    def __init__(
        self,
        spec: SearchSpec,
        cell: Cell,
        *,
        on_event: OnTrialEvent,
        control: TrainControl,
        interrupts: Interrupts,
        earlier: Search | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self._spec, self._cell, self._interrupts = spec, cell, interrupts
        self.said: list[str] = []
        self._epochs = 1
        self._monitor = "loss"
        space = self._rehearsed()
        given = self._given_oracle()
        self.objectives = spec.objectives or oracles.objectives_of(given) or (Objective.parse(self._monitor),)
        if self.objectives[0].metric in COSTS:
            raise OptionError(
                f"expected a metric of the training as the first --objective, received {self.objectives[0].metric}: "
                f"write val_loss,{self.objectives[0].metric}"
            )
        begun = earlier.facts if earlier else {}  # empty if its process died before it had chosen
        seed = begun.get("seed", spec.training.seed)
        self._seed: int = random.SystemRandom().getrandbits(31) if seed is None else seed
        self._oracle = given or self._made_oracle(OracleKind(spec.oracle))
        self.num_trials: int | None = self._oracle.max_trials
        self._oracle.update_space(space)
        self.prune = self._chosen_prune()
        self._pruner = pruning.made(self.prune, self.objectives[0])
        self._folders: dict[int, Path | None] = {}
        self._running: dict[int, Proposal] = {}
        supervision = Supervision(judge=self, on_event=on_event, control=control, interrupts=interrupts)
        self._places = Places(spec, cell, supervision, self.num_trials)
        self._best: float | None = None
        self.seconds_saved = 0.0
        self.facts: dict[str, Any] = {
            "environment": environment.facts(devices.devices()),
            "oracle": str(self._spec.oracle) if isinstance(self._spec.oracle, str) else type(self._oracle).__name__,
            "prune": str(self.prune),
            "seed": self._seed,
            "objectives": list(map(str, self.objectives)),
        }
        for option in ("oracle", "objectives"):
            if begun and begun[option] != self.facts[option]:
                raise OptionError(
                    f"expected the --{option.removesuffix('s')} with which {spec.resume} began, received {self.facts[option]} in "
                    f"place of {begun[option]}: a resumed search keeps it"
                )
        if earlier and state:
            self._restore(earlier, state)

    def __enter__(self) -> Tuner:
        """Make ready to train; see `Places`."""
        self._places.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        """End whatever still runs."""
        self._places.__exit__(*exception)

    def _rehearsed(self) -> HyperParameters:
        """Return what the cell asks for on the way to its first `fit`, and take note of that `fit`."""
        hp = HyperParameters()

        def on_fit(_fit: Any, _model: Any, merged: dict[str, Any], notices: list[str], _scope: Any) -> None:
            self._epochs = phase.num_epochs(merged)
            validates = merged.get("validation_data") is not None or merged.get("validation_split")
            self._monitor = self._spec.training.monitor or ("val_loss" if validates else "loss")
            self.said = notices

        run_to_first_fit(self._spec.training, self._cell.copied(), on_fit, interrupts=self._interrupts, hp=hp)
        if not hp.space:
            raise OptionError(
                'expected hyperparameters in the cell, it asks for none: write hp.Int("units", 16, 256) or '
                'hp.Float("lr", 1e-4, 1e-1, log=True) where a constant stands'
            )
        return hp

    def _given_oracle(self) -> Any:
        """Return the user's own oracle; None where one of ours is named."""
        oracle = self._spec.oracle
        if isinstance(oracle, str) and oracle in list(OracleKind):
            return None
        return oracles.adopted(phase.value_of(self._cell, oracle, "oracle"), self._most_trials())

    def _made_oracle(self, kind: OracleKind) -> Any:
        num_trials = self._spec.trials if kind in _EXHAUSTIVE else self._most_trials()
        return oracles.made(kind, self.objectives, seed=self._seed, num_trials=num_trials, max_epochs=self._epochs)

    def _most_trials(self) -> int | None:
        return self._spec.trials or (None if self._spec.max_time else _DEFAULT_TRIALS)

    def _chosen_prune(self) -> Prune:
        """Return what stops trials: nothing by itself where the oracle does so, or where one curve does not tell."""
        fits = self._spec.oracle != OracleKind.HYPERBAND and len(self.objectives) == 1 and self._spec.executions_per_trial == 1
        if not fits and self._spec.prune not in (Prune.AUTO, Prune.NONE):
            raise OptionError(
                f"expected --prune none with Hyperband, several objectives or executions, received {self._spec.prune}: "
                "leave it out"
            )
        return self._spec.prune if fits else Prune.NONE

    def _restore(self, earlier: Search, state: Mapping[str, Any]) -> None:
        oracles.restore(self._oracle, state, earlier.trials)
        for run in earlier.trials:
            assert run.trial is not None
            self._folders[run.trial.number] = run.folder
            if run.status in (RunStatus.COMPLETED, RunStatus.PRUNED):
                self._note(run.trial.number, run.trial.scores, tuple(_curve(run, self.objectives[0])), run.status)
        self.seconds_saved = earlier.facts.get("seconds_saved", 0.0)

    @property
    def state(self) -> dict[str, Any]:
        """What another tuner needs to go on from here, with the trials' records."""
        return oracles.state_of(self._oracle)

    @property
    def progress(self) -> dict[str, Any]:
        """What the record keeps of the search so far."""
        found = {"space": described(self._oracle.get_space()), "seconds_saved": self.seconds_saved}
        return found | {"importances": importances(self._oracle, self.objectives[0])}

    def is_room(self) -> bool:
        """Tell whether another trial may start beside those that run."""
        return len(self._running) < self._places.width

    def is_idle(self) -> bool:
        """Tell whether no trial runs."""
        return not self._running

    def propose(self) -> Proposal | None:
        """Return what to try next, a trial that was not ended first; None where there is nothing, or nothing yet."""
        asked = self._begun_before() or self._oracle.create_trial(self._slot())
        if asked.status != "RUNNING":
            return None
        return Proposal(number=self._number(asked), values=dict(asked.hyperparameters.values), oracle_trial=asked)

    def _begun_before(self) -> Any:
        waiting = [each for each in self._oracle.ongoing_trials.values() if self._number(each) not in self._running]
        return min(waiting, key=self._number, default=None)

    def _slot(self) -> str:
        """Return a tuner id, as Keras Tuner calls it, that has no trial."""
        return next(slot for slot in map("trial{}".format, count(1)) if slot not in self._oracle.ongoing_trials)

    def _number(self, oracle_trial: Any) -> int:
        number: int = self._oracle.start_order.index(oracle_trial.trial_id) + 1
        return number

    def start(self, proposal: Proposal, folder: Path | None) -> None:
        """Begin to train a proposal.

        Args:
            proposal: of `propose`.
            folder: for TensorBoard's files and the model; None writes nothing.
        """
        self._folders[proposal.number] = folder
        task = TrialTask(
            number=proposal.number,
            folder=folder,
            hyperparameters=proposal.oracle_trial.hyperparameters,
            objectives=self.objectives,
            executions=self._spec.executions_per_trial,
            options=_options(proposal.values),
            weights=self._weights(proposal.values),
        )
        self._places.start(task)
        self._running[proposal.number] = proposal

    def next_ended(self) -> tuple[Proposal, TrialOutcome] | None:
        """Wait until one of the running trials has ended; return it and what came of it.

        Returns None where there is something to say, or more room than before.

        Raises:
            OptionError, UnknownNameError: the line asks for what is not there.
        """
        ended = self._places.next_ended()
        if ended is None:
            return None
        number, outcome = ended
        return self._running.pop(number), outcome

    def move(self, seconds_left: float | None) -> list[str]:
        """Let trials go on in several processes where that pays; return what is new on who trains them, in sentences.

        Args:
            seconds_left: of the search; None where that has no limit.
        """
        if not self._running:
            num_left = None if self.num_trials is None else self.num_trials - len(self._oracle.start_order)
            self._places.move(num_left, seconds_left)
        said = list(self._places.said)
        self._places.said.clear()
        return said

    def falls_behind(
        self, number: int, metrics: Mapping[str, float], values: tuple[float, ...], num_epochs: int, share_left: float
    ) -> bool:
        """Tell whether a running trial is to stop; see `trial.Judge`."""
        asked = self._running[number].oracle_trial
        oracles.report(self._oracle, asked, metrics, len(values))
        # With a seed times may not decide: they are others the next time.
        pays = self.prune is not Prune.AUTO or self._spec.training.seed is not None or share_left >= _WORTH_STOPPING
        is_behind = bool(pays and self._pruner and num_epochs and self._pruner.falls_behind(number, values, num_epochs))
        return is_behind or asked.status == "STOPPED"

    def tell(self, proposal: Proposal, outcome: TrialOutcome) -> None:
        """Tell the oracle what came of a trial; nothing where it was cut short, so that it is proposed again."""
        if outcome.status in (RunStatus.STOPPED, RunStatus.INTERRUPTED):
            return
        asked = proposal.oracle_trial
        oracles.end(
            self._oracle,
            asked,
            status=outcome.status,
            space=outcome.space,
            values=outcome.values,
            scores=outcome.scores,
            num_epochs=len(outcome.epochs),
        )
        self.seconds_saved += outcome.seconds_saved
        first = self.objectives[0].metric
        values = tuple(epoch.metrics[first] for epoch in outcome.epochs if first in epoch.metrics)
        self._note(proposal.number, outcome.scores, values, outcome.status)

    def _note(self, number: int, scores: Mapping[str, float], values: tuple[float, ...], status: RunStatus) -> None:
        first = self.objectives[0]
        if self._pruner:
            self._pruner.ended(number, values if scores else (), pruned=status is RunStatus.PRUNED)
        if scores and status is RunStatus.COMPLETED and self._is_better(scores[first.metric]):
            self._best = scores[first.metric]

    def _is_better(self, score: float) -> bool:
        return self._best is None or self.objectives[0].is_better(score, self._best)

    def keeps(self, metrics: Mapping[str, float]) -> bool:
        """Tell whether a trial's model is worth its file: it may be the best, or only later shows what it is worth."""
        if self._spec.oracle == OracleKind.HYPERBAND or self._spec.executions_per_trial > 1:
            return True
        score = metrics.get(self.objectives[0].metric)
        return score is not None and self._is_better(score)

    def _weights(self, values: Mapping[str, Any]) -> Path | None:
        """Return the model that Hyperband goes on from."""
        before = values.get("tuner/trial_id")
        folder = self._folders[self._number(self._oracle.trials[before])] if before else None
        return next(folder.glob("last.*"), None) if folder else None


def _options(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of the training that Hyperband sets."""
    if "tuner/epochs" not in values:
        return {}
    return {"epochs": values["tuner/epochs"], "initial_epoch": values["tuner/initial_epoch"]}


def _curve(run: Run, objective: Objective) -> list[float]:
    return [epoch.metrics[objective.metric] for epoch in run.epochs if objective.metric in epoch.metrics]
