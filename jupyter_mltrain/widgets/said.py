"""What a live view of records says of the last command, as JSON: a sentence, and the code that does the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_mltrain.domain.errors import MLTrainError
from jupyter_mltrain.widgets import theme

NOTHING: Mapping[str, Any] = {"text": "", "code": "", "is_error": False}


def said(text: str, call: str = "") -> dict[str, Any]:
    """Return a sentence with the call of `jupyter_mltrain` that does what was done, if there is one."""
    code = f"import jupyter_mltrain\njupyter_mltrain.{call}" if call else ""
    return {"text": theme.visible(text), "code": code, "is_error": False}


def trouble(error: MLTrainError) -> dict[str, Any]:
    """Return what went wrong."""
    return {"text": theme.visible(f"{type(error).__name__}: {error}"), "code": "", "is_error": True}
