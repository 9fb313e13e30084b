"""The largest resident size of a process that does nothing but one training; Linux only.

`python -m tests.benchmarks.plans.memory NAME ROWS ARM SECONDS` is that process; ARM is `bare` or a plan.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mltrain.domain.spec import Plan
from jupyter_mltrain.engine.quiet import quieten

if TYPE_CHECKING:
    from tests.benchmarks.plans.measuring import Settings
    from tests.benchmarks.plans.models import Case

_PEAK = re.compile(r"VmHWM:\s*(\d+) kB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """Bytes: the largest size of the two processes, and of the arrays, those to validate on included; a pipeline counts 0."""

    bare: int
    engine: int
    data: int


def measure(case: Case, settings: Settings) -> Peaks:
    """Train in two fresh processes, each as long as for the steady state."""
    import keras

    arguments = case.make(case.num_rows)[1]
    data = sum(getattr(part, "nbytes", 0) for part in keras.tree.flatten(list(arguments.values())))
    bare, engine = (_peak(case, arm, settings.steady_seconds) for arm in ("bare", settings.plan))
    return Peaks(bare=bare, engine=engine, data=data)


def _peak(case: Case, arm: str, seconds: float) -> int:
    command = [sys.executable, "-m", "tests.benchmarks.plans.memory", case.name, str(case.num_rows), arm, str(seconds)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _train(name: str, num_rows: int, arm: str, seconds: float) -> None:
    quieten()
    from tests.benchmarks.plans import arms
    from tests.benchmarks.plans.models import cases

    case = next(each for each in cases([num_rows]) if each.name == name)
    endless = {"epochs": arms.EPOCHS_WITHOUT_END, "callbacks": [arms.EpochClock(seconds)]}
    if arm == "bare":
        arms.bare(case, num_rows, **endless)
    else:
        arms.engine(case, num_rows, plan=Plan(arm), **endless)
    (kilobytes,) = _PEAK.findall(Path("/proc/self/status").read_text())  # a child's `ru_maxrss` begins with its parent's
    print(int(kilobytes) * 1024)


if __name__ == "__main__":
    _train(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
