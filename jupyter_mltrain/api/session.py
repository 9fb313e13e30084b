"""Which session a call from Python works in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_mltrain.services.session import Session


@contextmanager
def opened() -> Iterator[Session]:
    """Give the session of the notebook, else one that is closed afterwards."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    session = _session_of_extension(shell) if shell else None
    if session is not None:
        yield session
        return
    session = Session()
    try:
        yield session
    finally:
        session.close()


def _session_of_extension(shell: Any) -> Session | None:
    from jupyter_mltrain.magics.extension import session_of

    return session_of(shell)
