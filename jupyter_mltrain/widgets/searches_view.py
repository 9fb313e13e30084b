"""Several searches: a list of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_mltrain.domain.search import Search
from jupyter_mltrain.widgets import facts, search_facts, theme
from jupyter_mltrain.widgets.table import Cell, Table, Value
from jupyter_mltrain.widgets.view import Line, Page, View

_COLUMNS = ("search", "status", "trials", "objective", "best score", "started", "tags")


@dataclass(frozen=True, slots=True, repr=False)
class SearchesTable(Page):
    """A page of searches, in the order given.

    Attributes:
        searches: with or without their trials.
        total: how many there are on all pages.
    """

    searches: Sequence[Search]
    total: int

    def parts(self) -> Sequence[View]:
        """Return the table, or what to do first."""
        if not self.searches:
            return [Line("No search is recorded here yet, or none fits: put %%tune on top of a cell that trains a Keras model.")]
        more = f", {len(self.searches)} shown" if self.total > len(self.searches) else ""
        caption = f"{theme.count(self.total)} {'search' if self.total == 1 else 'searches'}{more}"
        return [Table(_COLUMNS, [_row(search) for search in self.searches], caption)]


def _row(search: Search) -> tuple[Value, ...]:
    score = search.facts.get("best", {}).get("score")
    started = Cell(theme.moment(search.started_at), int(search.started_at.timestamp()))
    objectives = ", ".join(objective.metric for objective in search.objectives)
    return (
        *(search.ref, search.status.value, search.num_trials, objectives),
        *(search_facts.score_cell(score), started, facts.labels(search.tags)),
    )
