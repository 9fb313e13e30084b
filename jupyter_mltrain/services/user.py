"""Who is at work."""

from __future__ import annotations

import getpass
import os


def user_name() -> str:
    """Return who trains, registers or moves an alias, for the record."""
    try:
        return os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
