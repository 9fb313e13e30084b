"""How often a training's state is kept, as it is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from jupyter_mltrain.domain.errors import OptionError

NEVER = "never"

All = Literal["all"]
ALL: All = "all"
"""For a number of checkpoints: every one that is taken."""

_FORM = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>epochs?|steps?|s|sec|m|min|h)")
_SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class CheckpointEvery:
    """When a checkpoint is due: after so many epochs, or between two blocks of steps after so many steps or seconds."""

    epochs: int | None = None
    steps: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> CheckpointEvery:
        """Return what `1 epoch`, `500 steps`, `90s`, `2 min`, `1.5h` or `never` stands for.

        Raises:
            OptionError: it is none of these.
        """
        if text == NEVER:
            return cls()
        found = _FORM.fullmatch(text)
        number, unit = (float(found["number"]), found["unit"].rstrip("s") or "s") if found else (0.0, "")
        if not number or (unit in ("epoch", "step") and not number.is_integer()):
            raise OptionError(
                f"expected --checkpoint-every 1 epoch, 500 steps, 90s, 2 min, 1h or never, received {text!r}: leave it out for "
                "as often as is cheap"
            )
        match unit:
            case "epoch":
                return cls(epochs=int(number))
            case "step":
                return cls(steps=int(number))
            case _:
                return cls(seconds=number * _SECONDS[unit])

    @property
    def is_never(self) -> bool:
        """Whether nothing is kept."""
        return self == CheckpointEvery()


def check_kept(number: int | All) -> None:
    """Raise `OptionError` if that is no number of checkpoints to keep."""
    if number != ALL and (not isinstance(number, int) or number < 1):
        raise OptionError(f"expected --keep-checkpoints of at least 1, or all, received {number!r}: leave it out to keep none")
