"""Lend this machine to a search: `python -m jupyter_mltrain.worker HOST:PORT`, the line that a cell with `--workers` shows.

It trains trials until the search is over. Whoever has the token can run code on both machines, and what they send is not
encrypted: across a network that others use, connect through `ssh -L`.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

from jupyter_mltrain.domain.errors import MLTrainError


def main() -> None:
    """Train what the search sends."""
    parser = argparse.ArgumentParser(prog="python -m jupyter_mltrain.worker", description="Train trials of another's %%tune.")
    parser.add_argument("address", metavar="HOST:PORT", help="of the search")
    parser.add_argument("--parallel", type=int, default=1, metavar="N", help="trials side by side, each in a process of its own")
    options = parser.parse_args()
    token = os.environ.pop("MLTRAIN_TOKEN", "")  # what the cell starts need not know it
    if options.parallel < 1:
        parser.error(f"expected --parallel of at least 1, received {options.parallel}: leave it out for one")
    if not token:
        parser.error("expected the search's token in MLTRAIN_TOKEN, received none: copy the line that its cell shows")
    from jupyter_mltrain.engine.quiet import quieten

    quieten()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended; what was being trained is trained elsewhere."))
    from jupyter_mltrain.engine.tuning.host import Host

    try:
        Host(options.address, token, options.parallel, _say).serve()
    except MLTrainError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        sys.exit("Interrupted; what was being trained is trained elsewhere.")
    _say("The search is over.")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command's own words


if __name__ == "__main__":
    main()
