"""Recorded runs as objects."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.api.registered_models import load_model
from jupyter_mltrain.api.session import opened
from jupyter_mltrain.domain.errors import MissingExtraError
from jupyter_mltrain.domain.family import Family
from jupyter_mltrain.domain.reproduction import Reproduction
from jupyter_mltrain.domain.run import Run, RunFilter, RunStatus
from jupyter_mltrain.domain.run_summary import RunOrder
from jupyter_mltrain.domain.spec import chosen
from jupyter_mltrain.services.background import BackgroundRun, attach
from jupyter_mltrain.services.registry import predictor_of
from jupyter_mltrain.services.reproducing import reproduce, restore_random_numbers
from jupyter_mltrain.services.runs import family_trees, get_run, list_runs, moment, remove_runs

if TYPE_CHECKING:
    import pandas as pd

_OF_RUN = ("ref", "id", "name", "status", "user", "started_at", "ended_at", "note")
_OF_RESULT = (
    "epochs",
    "train_loss",
    "val_loss",
    "monitor",
    "best_epoch",
    "best_score",
    "duration",
    "strategy",
    "precision",
    "plan",
    "model_id",
)
_COLUMNS = (*_OF_RUN, *_OF_RESULT)


class Runs:
    """The recorded runs: `len(runs)`, `for run in runs` (the newest first), `runs["digits#2"]`."""

    def __len__(self) -> int:
        with opened() as session:
            return list_runs(session, RunFilter())[1]

    def __iter__(self) -> Iterator[Run]:
        return iter(self.list())

    def __getitem__(self, ref: str) -> Run:
        """Return a run with its epochs by `"digits#2"`, `"digits"` (the newest of that name) or its id.

        Its `predict` loads the best model when it is first called.
        """
        with opened() as session:
            run = get_run(session, ref)

        @functools.cache
        def predictor() -> Callable[[Any], Any]:
            return predictor_of(load_model(run))

        def predict(x: Any) -> Any:
            return predictor()(x)

        return replace(run, predictor=predict)

    def attach(self, ref: str | None = None) -> BackgroundRun:
        """Return a run that trains in a process of its own, to wait for it, to stop or pause it, or to take its model.

        Raises:
            UnknownNameError: there is no such run; near misses are suggested.
            OptionError: it trains in a notebook's kernel.
        """
        with opened() as session:
            return attach(session, ref)

    def list(
        self,
        *,
        name: str | None = None,
        status: str | None = None,
        model: str | None = None,
        tags: Mapping[str, str] | None = None,
        since: str | datetime | None = None,
        best: str | None = None,
        search: str | None = None,
        contains: str = "",
        sort: str = "",
        descending: bool = False,
        limit: int | None = None,
    ) -> tuple[Run, ...]:
        """Return runs without their epochs, the newest first, or by the metric `best` the best first.

        The arguments are the options of `%runs list`; `since` may be a moment too, and without `limit` all are returned.
        `sort` is a column of `frame`; runs without a value in it are last.
        """
        which = RunFilter(
            name=name,
            status=chosen("status", RunStatus, status) if status else None,
            model=model,
            tags=tags or {},
            since=moment(since) if isinstance(since, str) else since,
            best=best,
            search=search,
            limit=sys.maxsize if limit is None else limit,
        )
        order = RunOrder(contains=contains, sort=sort, descending=descending)
        with opened() as session:
            return list_runs(session, which, order)[0]

    def remove(self, *refs: str) -> tuple[Run, ...]:
        """Remove runs with their files, all or none, and return what they were; models that they registered stay.

        Raises:
            OptionError: one of them is running.
            UnknownNameError: one of them does not exist; near misses are suggested.
        """
        with opened() as session:
            return remove_runs(session, refs)

    def tree(self, ref: str | None = None) -> tuple[Family, ...]:
        """Return runs with their forks: each family that there is, the oldest first, or that of one run.

        Args:
            ref: a run of the family, as `runs[ref]` takes it.

        Raises:
            UnknownNameError: there is no such run.
        """
        with opened() as session:
            return family_trees(session, ref)

    def reproduce(self, ref: str | None = None, *, to: str | None = None, run: bool = False) -> Reproduction:
        """Write a script and a notebook that do a run of `%%train` again, with the cells that it hangs on.

        Args:
            ref: names the run; the newest of all where it is None.
            to: new folder for them; else `digits-2-reproduce` beside the notebook.
            run: run the script in a new process, and compare: `.agreement` tells what came of it.

        Raises:
            MLTrainError: the run cannot be written so, or the script ends before its training does.
        """
        with opened() as session:
            return reproduce(session, ref, to=to, runs=run)

    def restore_random_numbers(self, file: str | Path) -> None:
        """Let Python, NumPy, TensorFlow and Keras draw the random numbers that they drew when a run without a seed began.

        Args:
            file: `random.npz`, which `reproduce` wrote.

        Raises:
            OptionError: it is no such file.
        """
        restore_random_numbers(Path(file))

    def frame(self, **filters: Any) -> pd.DataFrame:
        """Return a data frame with a row a run, in the order of `list`, whose arguments it takes.

        Columns: what is known of every run, then `metrics.*` of the best epoch, `hyperparams.*` and `tags.*`.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError(
                'expected pandas for runs.frame(), it is not installed: pip install "jupyter-mltrain[frames]"'
            ) from error
        rows = [_row(run) for run in self.list(**filters)]
        return pd.DataFrame(rows, columns=list(dict.fromkeys((*_COLUMNS, *(column for row in rows for column in row)))))

    def _repr_mimebundle_(self, **_filters: object) -> Any:
        from jupyter_mltrain.widgets.runs_view import RunsList

        with opened() as session:
            return RunsList(*list_runs(session, RunFilter()))._repr_mimebundle_()


def _row(run: Run) -> dict[str, Any]:
    row = {name: getattr(run, name) for name in _OF_RUN} | {"status": run.status.value}
    if run.result:
        row |= {name: getattr(run.result, name) for name in _OF_RESULT}
        row |= {f"metrics.{name}": value for name, value in run.result.best_metrics.items()}
    if run.parent:
        row |= {"parent": run.parent.ref, "parent_epoch": run.parent.epoch}
    row |= {f"hyperparams.{name}": value for name, value in run.facts.get("hyperparams", {}).items()}
    return row | {f"tags.{key}": value for key, value in run.tags.items()}
