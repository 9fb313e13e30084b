"""What stays of a search under its `%%tune` cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jupyter_mltrain.domain.run import Run, RunStatus
from jupyter_mltrain.domain.search import Search
from jupyter_mltrain.widgets import facts, search_facts, theme
from jupyter_mltrain.widgets.table import Table
from jupyter_mltrain.widgets.view import Line, Page, View

_MOST_TRIALS = 5
_MOST_ON_FRONT = 20
_CAUSE_WIDTH = 300
_MOST_NUMBERS = 10


@dataclass(frozen=True, slots=True, repr=False)
class SearchResult(Page):
    """What a search came to, in lines that are the same whenever its trials give the same numbers.

    Attributes:
        search: with its trials.
        notices: sentences for the user.
    """

    search: Search
    notices: tuple[str, ...] = ()

    def parts(self) -> Sequence[View]:
        """Return the headline, the best trials, how to go on with the best, why trials failed, and the notices."""
        table = _best_trials(self.search)
        sentences = (*_next_steps(self.search), *causes(self.search.trials), *self.notices)
        return [Line(headline(self.search), lead=self.search.name), *([table] if table else []), *map(Line, sentences)]


def headline(search: Search) -> str:
    """Return `completed, 20 trials: 13 completed, 6 pruned, 1 failed; best trial 7 by val_accuracy 0.9722`."""
    ended_early = search.status not in (RunStatus.COMPLETED, RunStatus.RUNNING)
    trials = theme.plural(len(search.trials), "trial")
    outcomes = search_facts.outcomes(search.trials)
    text = f"{search.status}{' after ' if ended_early else ', '}{trials}{f': {outcomes}' if outcomes else ''}{_best(search)}"
    if search.failure:
        return f"{text}; {search.failure.kind}: {theme.one_line(search.failure.message, 500)}"
    return text


def _best(search: Search) -> str:
    best = search.best
    if best is None:
        return "; no trial has a score" if search.trials else ""
    first = search.objectives[0]
    repeatable = search_facts.repeatable((first,))
    score = f" {search_facts.score_text(search_facts.known_score(best, first))}" if repeatable else ""
    return f"; best trial {search_facts.number(best)} by {first.metric}{score}"


def _best_trials(search: Search) -> Table | None:
    """Return the best trials by the first objective, of several the Pareto front."""
    if not search.objectives:
        return None
    if len(search.objectives) > 1:
        trials = list(search.front)
        others = f", {_MOST_ON_FRONT} shown" if len(trials) > _MOST_ON_FRONT else ""
        caption = f"Pareto front: {theme.plural(len(trials), 'trial')}{others}"
        return _table(search, trials[:_MOST_ON_FRONT], caption)
    return _table(search, search_facts.by_score(search.trials, search.objectives[0])[:_MOST_TRIALS], "")


def _table(search: Search, trials: Sequence[Run], caption: str) -> Table | None:
    if not trials:
        return None
    objectives = search_facts.repeatable(search.objectives)
    names = search_facts.hyperparameters(trials)
    columns = ("trial", *(objective.metric for objective in objectives), *names, "epochs")
    rows = [
        (search_facts.number(trial), *search_facts.cells(trial, objectives, names), facts.num_epochs(trial)) for trial in trials
    ]
    return Table(columns, rows, caption, sortable=False)


def _next_steps(search: Search) -> Iterator[str]:
    """Yield how to train with the best trial's values and how to get its model."""
    if search.best is not None:
        best = f"{search.name}/{search_facts.number(search.best)}"
        yield f'Train with its values: %%train --hp {best} … Its model: jupyter_mltrain.load_model("{best}")'


def causes(trials: Sequence[Run]) -> Iterator[str]:
    """Yield one line on why trials failed, a cause that several share once; nothing if none did."""
    failed: defaultdict[str, list[str]] = defaultdict(list)
    for trial in trials:
        if trial.failure:
            cause = theme.one_line(f"{trial.failure.kind}: {trial.failure.message}", _CAUSE_WIDTH)
            failed[cause].append(str(search_facts.number(trial)))
    if failed:
        yield "Failed: " + "; ".join(f"{cause} ({_trials(numbers)})" for cause, numbers in failed.items())


def _trials(numbers: Sequence[str]) -> str:
    more = len(numbers) - _MOST_NUMBERS
    named = ", ".join(numbers[:_MOST_NUMBERS]) + (f" and {more} more" if more > 0 else "")
    return f"trial{'s' if len(numbers) > 1 else ''} {named}"
