"""The columns of the live list of runs: what each shows of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jupyter_mltrain.domain.run import Epoch
from jupyter_mltrain.domain.run_summary import RunSummary
from jupyter_mltrain.services.run_order import value_of
from jupyter_mltrain.widgets import theme

_WIDTH = 120  # characters shown of a cell


def _recorded(value: Any) -> str:
    return theme.one_line(theme.recorded(value), _WIDTH)


def _moment(value: datetime) -> str:
    return theme.moment(value)


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        id: its name in `runs.frame()`.
        name: its header.
        shown: gives the text of a value.
        metric: of an epoch, that is shown of a run that goes on.
    """

    id: str
    name: str
    shown: Callable[[Any], str] = _recorded
    metric: str = ""

    @property
    def is_number(self) -> bool:
        """Whether its values stand on the right."""
        return self.shown in (theme.number, theme.count, theme.duration)

    def text(self, run: RunSummary, newest: Epoch | None) -> str:
        """Return what stands in the cell; `newest` is the last epoch of a run that goes on."""
        value = value_of(self.id)(run)
        if value is None and newest is not None:
            value = newest.number if self.id == "epochs" else newest.metrics.get(self.metric)
        return "" if value is None else self.shown(value)


_FIXED = (
    Column("ref", "run"),
    Column("status", "status"),
    Column("epochs", "epochs", theme.count),
    Column("best_score", "best score", theme.number),
    Column("monitor", "by"),
    Column("train_loss", "train loss", theme.number, "loss"),
    Column("val_loss", "val loss", theme.number, "val_loss"),
    Column("duration", "duration", theme.duration),
    Column("started_at", "started", _moment),
    Column("model_id", "registered as"),
    Column("tags", "tags"),
    Column("note", "note"),
    Column("user", "user"),
    Column("best_epoch", "best epoch", theme.count),
    Column("strategy", "strategy"),
    Column("precision", "precision"),
    Column("plan", "plan"),
)

SHOWN = tuple(column.id for column in _FIXED[:11])
"""What is shown until somebody chooses."""


def columns(metrics: Iterable[str], hyperparams: Iterable[str]) -> dict[str, Column]:
    """Return all columns that there are, by their ids."""
    of_metrics = (Column(f"metrics.{name}", f"{_recorded(name)}, best epoch", theme.number, name) for name in metrics)
    of_hyperparams = (Column(f"hyperparams.{name}", _recorded(name)) for name in hyperparams)
    return {column.id: column for column in (*_FIXED, *of_metrics, *of_hyperparams)}
