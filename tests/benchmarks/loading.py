"""How long `%load_ext jupyter_mltrain` takes, over IPython's own start."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from statistics import median
from time import perf_counter

_NUM_STARTS = 11


def measure() -> Iterator[tuple[str, str]]:
    """Yield the medians of fresh processes, those with and without the extension in turn."""
    _seconds("pass")
    alone, extended = zip(*((_seconds("pass"), _seconds("%load_ext jupyter_mltrain")) for _ in range(_NUM_STARTS)), strict=True)
    yield "start of IPython", f"{median(alone):.2f} s"
    yield "`%load_ext jupyter_mltrain` over it", f"{median(extended) - median(alone):.2f} s"


def _seconds(code: str) -> float:
    started = perf_counter()
    subprocess.run([sys.executable, "-m", "IPython", "--no-banner", "--quick", "-c", code], check=True)
    return perf_counter() - started
