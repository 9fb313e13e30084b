"""Runs and searches that nobody records: the same steps, kept in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.run import Run, RunStatus, Trial
from jupyter_mltrain.domain.search import Search
from jupyter_mltrain.store.clock import now

_ID = "untracked"


def untracked_run(folder: Path, **about: Any) -> Run:
    """Return a run that begins; `about` is what `RunStore.create_run` takes."""
    return Run(
        id=_ID,
        number=0,
        status=RunStatus.RUNNING,
        started_at=now(),
        ended_at=None,
        result=None,
        failure=None,
        folder=folder,
        **about,
    )


class UntrackedSearches:
    """Does what `SearchStore` does for one search, in memory."""

    def __init__(self, folder: Path) -> None:
        """Take the folder that the runs name, in which nothing is written."""
        self._folder = folder
        self._search: Search
        self._trials: dict[str, Run] = {}

    def create_search(self, **about: Any) -> Search:
        """Begin."""
        self._search = Search(
            id=_ID,
            number=0,
            status=RunStatus.RUNNING,
            started_at=now(),
            ended_at=None,
            failure=None,
            num_trials=0,
            **about,
        )
        return self._search

    def begin_trial(self, _search_id: str, *, values: Mapping[str, Any], state: Mapping[str, Any], **about: Any) -> Run:  # noqa: ARG002
        """Begin a trial."""
        trial = Trial(search=self._search.ref, number=len(self._trials) + 1, values=values)
        run = untracked_run(self._folder, name=f"{trial.search}/{trial.number}", facts={}, trial=trial, **about)
        run = replace(run, id=f"{_ID}-{trial.number}")
        self._trials[run.id] = run
        return run

    def end_trial(
        self,
        run_id: str,
        *,
        scores: Mapping[str, float],
        values: Mapping[str, Any],
        state: Mapping[str, Any],  # noqa: ARG002
        **ended: Any,
    ) -> Run:
        """End a trial."""
        run = self._trials[run_id]
        assert run.trial is not None
        trial = replace(run.trial, scores=scores, values=values)
        self._trials[run_id] = replace(run, ended_at=now(), trial=trial, **ended)
        return self._trials[run_id]

    def add_facts(self, _search_id: str, facts: Mapping[str, Any]) -> None:
        """Take facts."""
        self._search = replace(self._search, facts={**self._search.facts, **facts})

    def finish_search(self, search_id: str, *, status: RunStatus, failure: Any = None, facts: Mapping[str, Any]) -> Search:
        """End the search."""
        self.add_facts(search_id, facts)
        trials = tuple(self._trials.values())
        self._search = replace(
            self._search, status=status, failure=failure, ended_at=now(), trials=trials, num_trials=len(trials)
        )
        return self._search
