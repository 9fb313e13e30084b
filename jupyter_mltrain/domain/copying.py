"""What came of copying one home into another."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyReport:
    """How much was copied, and what is not as it was.

    Attributes:
        runs, searches, trials, versions, moves: how many were copied; moves are those of aliases.
        there_already: how many of the runs, searches and versions the other home had.
        said: sentences on what got another number and on what was left out.
    """

    runs: int = 0
    searches: int = 0
    trials: int = 0
    versions: int = 0
    moves: int = 0
    there_already: int = 0
    said: tuple[str, ...] = ()
