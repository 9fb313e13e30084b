"""What a training would need, as `%%train --dry-run` shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jupyter_mltrain.domain.estimate import Estimate
from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.table import Cell, Table
from jupyter_mltrain.widgets.view import Line, Page, View


@dataclass(frozen=True, slots=True, repr=False)
class EstimateView(Page):
    """Parameters, memory by what it is for, steps, plan and time."""

    estimate: Estimate

    def parts(self) -> Sequence[View]:
        """Return the headline, the memory, and a line for each of the rest."""
        estimate = self.estimate
        return [
            Line(_parameters(estimate), lead=estimate.model),
            Table(("memory", "bytes"), list(_memory(estimate)), sortable=False),
            *(Line(sentence) for sentence in (_steps(estimate), *_plan(estimate), *estimate.notices)),
        ]


def _parameters(estimate: Estimate) -> str:
    total = theme.plural(estimate.num_trainable + estimate.num_frozen, "parameter")
    if not estimate.num_frozen:
        return f"{total}, all of them trained"
    return f"{total}, {theme.count(estimate.num_trainable)} of them trained"


def _memory(estimate: Estimate) -> Iterator[tuple[str, Cell | str]]:
    rows = {
        "weights": estimate.weights,
        "gradients": estimate.gradients,
        "optimizer": estimate.optimizer,
        "best weights": estimate.best_weights,
        "activations": estimate.activations,
        "data": estimate.data,
        "in all": estimate.memory,
        "free for it": estimate.memory_free,
    }
    for name, num_bytes in rows.items():
        yield name, "unknown" if num_bytes is None else Cell(theme.size(num_bytes), num_bytes)


def _steps(estimate: Estimate) -> str:
    steps = "Steps an epoch are not known before the data are read" if estimate.num_steps is None else _steps_an_epoch(estimate)
    return f"{steps}, {theme.plural(estimate.epochs, 'epoch')}."


def _steps_an_epoch(estimate: Estimate) -> str:
    rows = f" of {theme.plural(estimate.batch_size, 'row')}" if estimate.batch_size else ""
    return f"{theme.plural(estimate.num_steps or 0, 'step')}{rows} an epoch"


def _plan(estimate: Estimate) -> Iterator[str]:
    begins_with_plan = estimate.reason.startswith("Plan ")
    yield estimate.reason if begins_with_plan else f"Plan {estimate.plan}. {estimate.reason}".rstrip()
    if estimate.epoch_seconds is not None:
        total = theme.duration(estimate.epoch_seconds * estimate.epochs)
        yield f"About {theme.duration(estimate.epoch_seconds)} an epoch, {total} in all, without what compiling takes."
