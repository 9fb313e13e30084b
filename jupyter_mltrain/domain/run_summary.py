"""What a list of many runs holds of each: all that it is ordered and searched by, without what is long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from jupyter_mltrain.domain.run import Run, RunStatus, TrainingResult, Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run without its source, facts and epochs; the fields are those of `Run`."""

    id: str
    name: str
    number: int
    status: RunStatus
    started_at: datetime
    user: str
    note: str
    tags: Mapping[str, str]
    result: TrainingResult | None
    trial: Trial | None

    @classmethod
    def of(cls, run: Run) -> RunSummary:
        """Return the summary of a run."""
        return cls(
            id=run.id,
            name=run.name,
            number=run.number,
            status=run.status,
            started_at=run.started_at,
            user=run.user,
            note=run.note,
            tags=run.tags,
            result=run.result,
            trial=run.trial,
        )

    @property
    def ref(self) -> str:
        """The name that finds exactly this run: `digits#2`, of a trial `digits#2/7`."""
        return f"{self.trial.search}/{self.trial.number}" if self.trial else f"{self.name}#{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """What is looked for among runs, and their order.

    Attributes:
        contains: words that all are in a run's name, status, user, note, tags or model, in any capitals.
        sort: a column of `runs.frame()`; empty for the newest first.
    """

    contains: str = ""
    sort: str = ""
    descending: bool = False
