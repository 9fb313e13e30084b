"""One search on its way into the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.domain.errors import OptionError, StoreError
from jupyter_mltrain.domain.events import Notice, OnSearchEvent
from jupyter_mltrain.domain.model import ModelVersion, Signature
from jupyter_mltrain.domain.run import Failure, Run, RunStatus
from jupyter_mltrain.domain.search import Objective, Search, SearchSpec, best_of
from jupyter_mltrain.domain.spec import Cell
from jupyter_mltrain.services.origins import keep_origin
from jupyter_mltrain.services.recording import when_it_can
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.services.untracked import UntrackedSearches
from jupyter_mltrain.services.user import user_name
from jupyter_mltrain.store.processes import this_process

if TYPE_CHECKING:
    from jupyter_mltrain.engine.tuning.trial import TrialOutcome
    from jupyter_mltrain.engine.tuning.tuner import Proposal, Tuner

_DEFAULT_NAME = "search"


class SearchRecord:
    """Writes a search and its trials as they come; a new search, or one that goes on.

    Attributes:
        spec: what is done; of a search that goes on with the options that it began with.
        search: as it was when it began.
        earlier: the search that goes on; None for a new one.
        state: of its oracle.
        ended: its trials that are over, in their order.
        said: sentences for the record.
    """

    def __init__(self, session: Session, spec: SearchSpec, cell: Cell, on_event: OnSearchEvent) -> None:
        """Record that a search begins or goes on; waits for the store are told to `on_event`.

        Raises:
            UnknownNameError: there is no search to go on with.
            OptionError: another process is at it, or nothing is to be recorded of it.
        """
        self.spec, self._cell, self._session, self._on_event = spec, cell, session, on_event
        self._searches: Any = session.store.searches if spec.training.track else UntrackedSearches(session.home)
        self.earlier: Search | None = None
        self.state: Mapping[str, Any] | None = None
        self.said: list[str] = []
        self._objectives: tuple[Objective, ...] = ()
        self._again: dict[int, Run] = {}  # by number
        self._running: dict[int, Run] = {}  # by number
        self._kept: dict[str, tuple[Signature, int]] = {}
        self._progress: dict[str, Any] = {}
        if spec.resume:
            self._resume(spec.resume)
        self.search: Search = self.earlier or self._created()
        again = {run.id for run in self._again.values()}
        self.ended = [run for run in self.search.trials if run.id not in again]

    def _resume(self, ref: str) -> None:
        if not self.spec.training.track:
            raise OptionError("expected --resume or --no-track, received both: leave one out")
        found = self._searches.get(ref)
        self.earlier = self._searches.resume_search(found.id, this_process())
        self.spec = self.spec.going_on(found.options)
        self.state = self._searches.state(found.id)
        self.said += found.facts.get("said", [])
        for trial in found.trials:
            if trial.result and not trial.folder.exists():  # its weights may be gone on with
                self._session.store.artifacts.bring_run(trial)
        self._again = {run.trial.number: run for run in self._searches.unfinished(found.id)}
        if found.source.partition("\n")[2] != self._cell.source.partition("\n")[2]:
            self.said.append(f"The cell has changed since {found.ref} began; its earlier trials were made with the former one.")

    def _created(self) -> Search:
        training = self.spec.training
        created: Search = self._searches.create_search(
            name=training.name or training.register or _DEFAULT_NAME,
            source=self._cell.source,
            options=self.spec.given(),
            tags=training.tags,
            note=training.note,
            facts={},
            user=user_name(),
            process=this_process(),
        )
        return created

    @property
    def is_tracked(self) -> bool:
        """Whether anything is written."""
        return self.spec.training.track

    def begin(self, tuner: Tuner) -> None:
        """Record what the search is done with."""
        self._objectives = tuner.objectives
        self.said += tuner.said
        self._searches.add_facts(self.search.id, tuner.facts)

    def begin_trial(self, proposal: Proposal, tuner: Tuner) -> Run:
        """Record that a trial begins, or that one that was cut short begins anew."""
        again = self._again.pop(proposal.number, None)
        run: Run
        if again is not None:
            run = self._write(self._searches.restart_trial, again.id, this_process())
            self._session.store.artifacts.has_changed(run)
        else:
            run = self._write(
                self._searches.begin_trial,
                self.search.id,
                values=proposal.values,
                state=tuner.state,
                source=self._cell.source,
                options=self.search.options,
                tags=self.spec.training.tags,
                note="",
                user=self.search.user,
                process=this_process(),
            )
        self._running[proposal.number] = run
        if self.is_tracked:
            keep_origin(run, self._cell)
        return run

    def end_trial(self, proposal: Proposal, outcome: TrialOutcome, tuner: Tuner) -> Run:
        """Record how a trial ended."""
        run = self._running[proposal.number]
        is_cut_short = outcome.status in (RunStatus.STOPPED, RunStatus.INTERRUPTED)  # it may not have asked for all its values
        ended: Run = self._write(
            self._searches.end_trial,
            run.id,
            status=outcome.status,
            result=outcome.result,
            failure=outcome.failure,
            epochs=outcome.epochs,
            facts=outcome.facts,
            scores=outcome.scores,
            values=proposal.values if is_cut_short else outcome.values or proposal.values,
            state=tuner.state,
        )
        del self._running[proposal.number]
        if self.is_tracked:
            self._session.store.uploader.begin()
        self.ended.append(ended)
        if outcome.best and outcome.signature is not None and outcome.num_params is not None:
            self._kept[ended.id] = outcome.signature, outcome.num_params
        best = best_of(self.ended, self._objectives)
        self._progress = tuner.progress
        if best and best.trial:
            self._progress["best"] = {"trial": best.trial.number, "score": best.trial.scores[self._objectives[0].metric]}
        return ended

    def register_best(self) -> None:
        """Register the best trial's model, where that was asked for."""
        best, name = best_of(self.ended, self._objectives), self.spec.training.register
        if name is None or (best and best.result and (best.result.model_id or "").partition("@")[0] == name):  # before it went on
            return
        file = next(best.folder.glob("best.*"), None) if best else None
        if best is None or file is None:
            self.said.append(f"Nothing is registered as {name}: no trial has come to a model.")
            return
        signature, num_params = self._kept.get(best.id) or _about(file)
        version: ModelVersion = self._write(
            self._session.store.models.register,
            name,
            file=file,
            signature=signature,
            num_params=num_params,
            metrics=best.result.best_metrics if best.result else {},
            run=best,
            user=best.user,
        )
        self._write(self._session.store.runs.note_model, best.id, version.ref)
        self.said.append(f'Trial {best.ref} is registered as {version.name}: jupyter_mltrain.load_model("{version.name}")')

    def finish(self, status: RunStatus) -> Search:
        """Record that the search is over, and return it with its trials."""
        facts = {**self._progress, "said": self.said}
        finished: Search = self._write(self._searches.finish_search, self.search.id, status=status, facts=facts)
        return finished

    def fail(self, error: BaseException) -> None:
        """Record what ended the search, and the trial that was running."""
        status = RunStatus.INTERRUPTED if isinstance(error, KeyboardInterrupt) else RunStatus.FAILED
        failure = Failure.of(error)
        try:
            for run in self._running.values() if self.spec.training.track else ():
                self._session.store.runs.finish_run(run.id, status=RunStatus.INTERRUPTED, result=None)
            self._searches.finish_search(self.search.id, status=status, failure=failure, facts=self._progress)
        except StoreError as trouble:
            error.add_note(f"The search could not be marked {status}: {trouble}")

    def _write(self, write: Callable[..., Any], *arguments: Any, **record: Any) -> Any:
        return when_it_can(partial(write, *arguments, **record), self._say)

    def _say(self, text: str) -> None:
        self.said.append(text)
        self._on_event(Notice(text=text))


def _about(file: Path) -> tuple[Signature, int]:
    from jupyter_mltrain.engine.loading import about

    return about(file, {})
