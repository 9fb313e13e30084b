"""Tune: the order of steps from a spec and a cell to a recorded search."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from jupyter_mltrain.domain.errors import SearchError
from jupyter_mltrain.domain.events import (
    EngineStarting,
    FactsKnown,
    Notice,
    OnSearchEvent,
    SearchEnded,
    SearchStarted,
    TrainControl,
    TrialEnded,
    TrialEvent,
    TrialStarted,
)
from jupyter_mltrain.domain.run import Run, RunStatus
from jupyter_mltrain.domain.search import Search, SearchSpec, best_of
from jupyter_mltrain.domain.spec import Cell
from jupyter_mltrain.engine.interrupts import Interrupts
from jupyter_mltrain.services.heartbeat import heard_of
from jupyter_mltrain.services.search_record import SearchRecord
from jupyter_mltrain.services.searches import frame_of
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.services.uploading import finish_upload

if TYPE_CHECKING:
    from jupyter_mltrain.engine.tuning.trial import TrialOutcome
    from jupyter_mltrain.engine.tuning.tuner import Proposal, Tuner


def tune(session: Session, spec: SearchSpec, cell: Cell, *, on_event: OnSearchEvent, control: TrainControl) -> Search:
    """Run a cell once for each trial of a search and record them.

    Args:
        session: where to record.
        spec: what the line asks for.
        cell: the body and its namespace.
        on_event: told what happens, in this thread.
        control: asked between two steps whether to end.

    Returns:
        the search with its trials.

    Raises:
        SearchError: too many trials failed in a row.
        MLTrainError: what was asked cannot be done.
        Exception: whatever the body raises before the first trial, unchanged.
    """
    with Interrupts() as interrupts, heard_of(session, track=spec.training.track):
        record = SearchRecord(session, spec, cell, on_event)
        spec = record.spec
        try:
            status = _search(record, cell, on_event=on_event, control=control, interrupts=interrupts)
            record.register_best()
            search = record.finish(status)
            if record.is_tracked:
                finish_upload(session, on_event)
        except BaseException as error:  # whatever ends a search is recorded, and goes on
            record.fail(error)
            raise
    search = replace(search, framer=frame_of)
    on_event(SearchEnded(search=search))
    return search


def _search(
    record: SearchRecord, cell: Cell, *, on_event: OnSearchEvent, control: TrainControl, interrupts: Interrupts
) -> RunStatus:
    spec = record.spec
    on_event(EngineStarting(name=record.search.name))
    from jupyter_mltrain.engine.tuning.tuner import Tuner

    limits = _Limits(spec, control)
    tuner = Tuner(
        spec,
        cell,
        on_event=lambda number, event: on_event(TrialEvent(number=number, event=event)),
        control=limits,
        interrupts=interrupts,
        earlier=record.earlier,
        state=record.state,
    )
    record.begin(tuner)
    on_event(
        SearchStarted(
            name=record.search.name,
            num_trials=tuner.num_trials,
            objectives=tuner.objectives,
            oracle=tuner.facts["oracle"],
            prune=tuner.facts["prune"],
            trials=tuple(record.ended),
            max_time=spec.max_time,
        )
    )
    for text in record.said:
        on_event(Notice(text=text))
    with tuner:
        is_interrupted = _do_trials(record, tuner, limits, on_event=on_event, interrupts=interrupts)
    if is_interrupted:
        return RunStatus.INTERRUPTED
    if limits.why:
        record.said.append(limits.why)
    return RunStatus.STOPPED if control.stop_requested else RunStatus.COMPLETED


def _do_trials(record: SearchRecord, tuner: Tuner, limits: _Limits, *, on_event: OnSearchEvent, interrupts: Interrupts) -> bool:
    """Train one trial after the other, or several side by side, until nothing is left; tell whether that was interrupted."""
    is_interrupted = False
    while True:
        while tuner.is_room() and not (is_interrupted or interrupts.received or limits.are_reached()):
            proposal = tuner.propose()
            if proposal is None:
                break
            run = record.begin_trial(proposal, tuner)
            on_event(TrialStarted(number=proposal.number, values=proposal.values))
            tuner.start(proposal, run.folder if record.is_tracked else None)
        if tuner.is_idle():
            return is_interrupted or interrupts.received
        ended = tuner.next_ended()
        if ended is not None:
            run, is_best = _end_trial(record, tuner, *ended, on_event=on_event)
            is_interrupted = is_interrupted or run.status is RunStatus.INTERRUPTED
            if not is_interrupted:
                limits.ended(run, is_best=is_best)
        for text in tuner.move(limits.seconds_left):
            record.said.append(text)
            on_event(Notice(text=text))


def _end_trial(
    record: SearchRecord, tuner: Tuner, proposal: Proposal, outcome: TrialOutcome, *, on_event: OnSearchEvent
) -> tuple[Run, bool]:
    """Judge and record a trial that has ended; return it and whether it is the best so far."""
    tuner.tell(proposal, outcome)
    run = record.end_trial(proposal, outcome, tuner)
    is_best = best_of(record.ended, tuner.objectives) is run
    on_event(TrialEnded(run=run, best=is_best))
    if outcome.seconds_saved:
        on_event(FactsKnown(facts={"seconds_saved": tuner.seconds_saved}))
    return run, is_best


class _Limits(TrainControl):
    """When a search is over before its trials are: its time, trials that bring nothing, failures, the Stop button."""

    def __init__(self, spec: SearchSpec, control: TrainControl) -> None:
        super().__init__()
        self._spec, self._control = spec, control
        self._deadline = monotonic() + spec.max_time if spec.max_time else None
        self._num_idle = self._num_failed = 0
        self.why = ""

    def poll(self) -> None:
        """Ask the search's control too, and look at the time."""
        self._control.poll()
        self.stop_requested = self._control.stop_requested or self._is_late()

    def are_reached(self) -> bool:
        """Tell whether no further trial is to begin."""
        self.poll()
        if self._is_late():
            self.why = "The search ended when its time was over (--max-time)."
        elif self._spec.patience and self._num_idle >= self._spec.patience:
            self.why = f"The search ended after {self._num_idle} trials without a better one (--patience)."
        return bool(self.why) or self.stop_requested

    def ended(self, run: Run, *, is_best: bool) -> None:
        """Take note of how a trial ended.

        Raises:
            SearchError: it was one too many that failed.
        """
        self._num_idle = 0 if is_best else self._num_idle + 1
        self._num_failed = self._num_failed + 1 if run.status is RunStatus.FAILED else 0
        if run.failure and self._num_failed >= self._spec.max_failures:
            raise SearchError(
                f"expected trials that train, received {self._num_failed} in a row that failed, the last with "
                f"{run.failure.kind}: {run.failure.message}; %runs show {run.ref} has its traceback, --max-failures allows more"
            )

    @property
    def seconds_left(self) -> float | None:
        """Until the search's time is over; None where it has no limit."""
        return None if self._deadline is None else self._deadline - monotonic()

    def _is_late(self) -> bool:
        return self.seconds_left is not None and self.seconds_left <= 0
