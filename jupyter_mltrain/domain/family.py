"""The runs that were forked from one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jupyter_mltrain.domain.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A run and its forks, those in their turn with theirs.

    Attributes:
        run: without its epochs.
        forks: the oldest first.
    """

    run: Run
    forks: tuple[Family, ...] = ()

    @property
    def runs(self) -> Iterator[Run]:
        """All runs, each before its forks."""
        yield self.run
        for fork in self.forks:
            yield from fork.runs


def families(runs: Iterable[Run]) -> tuple[Family, ...]:
    """Return the families of runs, the oldest first; one whose parent is not among them begins a family.

    Args:
        runs: the oldest first.
    """
    found = {run.id: run for run in runs}
    forks: dict[str, list[Run]] = {}
    for run in found.values():
        if run.parent:
            forks.setdefault(run.parent.id, []).append(run)

    def family(run: Run) -> Family:
        return Family(run=run, forks=tuple(map(family, forks.get(run.id, ()))))

    return tuple(family(run) for run in found.values() if run.parent is None or run.parent.id not in found)
