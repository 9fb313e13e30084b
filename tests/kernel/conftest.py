"""A real kernel for a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from front_end import Kernel
from jupyter_client.manager import start_new_kernel


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    monkeypatch.setenv("MLTRAIN_HOME", str(tmp_path / "home"))
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path))
    try:
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
