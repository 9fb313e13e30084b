"""Which session a call from Python works in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_mltrain.domain.origin import Origin
from jupyter_mltrain.services.session import Session


@contextmanager
def opened() -> Iterator[Session]:
    """Give the session of the notebook, else one that is closed afterwards."""
    shell = _shell()
    session = _session_of_extension(shell) if shell else None
    if session is not None:
        yield session
        return
    session = Session()
    try:
        yield session
    finally:
        session.close()


def origin_of_call() -> Origin | None:
    """Return what the cell that runs hangs on; None outside a notebook in which the extension is loaded."""
    shell = _shell()
    if shell is None or _session_of_extension(shell) is None:
        return None
    from jupyter_mltrain.magics.origin import origin_of_call

    return origin_of_call(shell)


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def _session_of_extension(shell: Any) -> Session | None:
    from jupyter_mltrain.magics.extension import session_of

    return session_of(shell)
