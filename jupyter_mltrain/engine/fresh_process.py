"""A script in a Python process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_NUM_LAST_LINES = 4


def run_script(script: Path, home: Path) -> str:
    """Run a script in a process that records in `home` and shows no windows; wait for its end.

    Returns:
        the last lines that it wrote to its standard error if it failed, else an empty text.
    """
    others = {name: value for name, value in os.environ.items() if not name.startswith("MLTRAIN_")}
    done = subprocess.run(  # noqa: S603 - the user's own code
        [sys.executable, script],
        cwd=script.parent,
        env={**others, "MLTRAIN_HOME": str(home), "MLTRAIN_STORE": "", "MLTRAIN_ARTIFACTS": "", "MPLBACKEND": "agg"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return ""
    lines = done.stderr.strip().splitlines()[-_NUM_LAST_LINES:]
    return "\n".join(lines) or f"exit code {done.returncode}"
