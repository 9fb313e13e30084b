"""What came of copying a home, in sentences."""

from __future__ import annotations

from jupyter_mltrain.domain.copying import CopyReport
from jupyter_mltrain.widgets.theme import plural


def sentences(report: CopyReport) -> tuple[str, ...]:
    """Return how much was copied, what was there already, and what is not as it was."""
    searches = "1 search" if report.searches == 1 else f"{report.searches} searches"
    copied = (
        f"Copied: {plural(report.runs, 'run')}, {searches} with {plural(report.trials, 'trial')}, "
        f"{plural(report.versions, 'model version')}, {plural(report.moves, 'move')} of aliases."
    )
    there = f"There already: {report.there_already} of the runs, searches and versions."
    return (copied, *([there] if report.there_already else []), *report.said)
