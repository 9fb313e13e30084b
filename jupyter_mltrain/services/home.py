"""Where a home, its database and shared files are, and what the project sets in the nearest pyproject.toml."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.errors import OptionError


def find_home(configured: str = "") -> Path:
    """Return the home folder: `configured`, else `MLTRAIN_HOME`, else the project's `home`, else `.mltrain` here."""
    chosen = configured or os.environ.get("MLTRAIN_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    project = _project_file()
    home = project_settings().get("home")
    return (project.parent / home if project and home else Path.cwd() / ".mltrain").absolute()


def find_store(configured: str = "") -> str:
    """Return the URL of the shared database: `configured`, else `MLTRAIN_STORE`, else the project's `store`; empty for none."""
    return str(configured or os.environ.get("MLTRAIN_STORE", project_settings().get("store", "")))


def find_artifacts(configured: str = "") -> str:
    """Return the URL of the shared files: `configured`, else `MLTRAIN_ARTIFACTS`, else the project's; empty for none."""
    return str(configured or os.environ.get("MLTRAIN_ARTIFACTS", project_settings().get("artifacts", "")))


def project_settings() -> Mapping[str, Any]:
    """Return `[tool.jupyter_mltrain]` of the nearest pyproject.toml, upwards from here; empty where there is none.

    Raises:
        OptionError: the file is not TOML.
    """
    project = _project_file()
    if project is None:
        return {}
    try:
        settings = tomllib.loads(project.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"expected TOML in {project}, received: {error}; mend that line") from error
    found: Mapping[str, Any] = settings.get("tool", {}).get("jupyter_mltrain", {})
    return found


def _project_file() -> Path | None:
    here = Path.cwd()
    return next((each / "pyproject.toml" for each in (here, *here.parents) if (each / "pyproject.toml").is_file()), None)
