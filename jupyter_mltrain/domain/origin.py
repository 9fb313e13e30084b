"""Where the code of a run comes from: what its cell hangs on in the notebook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What was run in a notebook before a training cell, as far as that cell hangs on it.

    Attributes:
        cells: earlier cells that made or changed what the training cell uses, in the order in which they ran; a cell that
            trains begins with its magic, `%%train digits`.
        unknown: name of what it uses to its class, where no cell of the session made it.
        left_out: lines of these cells that only their notebook can run: shell commands, settings, other magics.
        folder: where relative paths began.
        call: the cell that made the run by a call of `train`; empty where the run's source is a cell with a magic.
        number: of that call among those of the cell, from 1.
        modules: file of each module imported from that folder, relative to it, to a hash of its content.
    """

    cells: tuple[str, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    folder: str = "."
    call: str = ""
    number: int = 1
    modules: Mapping[str, str] = field(default_factory=dict)
