"""Each tutorial is tested with nothing recorded before it, whatever lies beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_HOMES = tempfile.TemporaryDirectory(prefix="mltrain-tutorials-")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Let the kernel of a tutorial, which starts with its first cell, have a home of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLTRAIN_HOME", str(Path(_HOMES.name) / item.path.stem))
        patch.setenv("MLTRAIN_STORE", "")
        yield
