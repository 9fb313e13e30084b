"""Real kernels for a test; those of one test have one folder and one home."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from front_end import Kernel
from jupyter_client.manager import start_new_kernel


@pytest.fixture
def start_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Kernel]]:
    monkeypatch.setenv("MLTRAIN_HOME", str(tmp_path / "home"))
    with ExitStack() as stack:
        yield lambda: stack.enter_context(_running(tmp_path))


@pytest.fixture
def kernel(start_kernel: Callable[[], Kernel]) -> Kernel:
    return start_kernel()


@contextmanager
def _running(folder: Path) -> Iterator[Kernel]:
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))
    try:
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
