"""A real kernel, spoken to as a front end does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel


class Kernel:
    """Sends requests without waiting, and looks for what comes back."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager, self.client = manager, client

    def run(self, code: str) -> str:
        """Run a cell to its end; return what it printed, raise if it failed."""
        printed: list[str] = []
        reply = self.client.execute_interactive(
            code, timeout=60, output_hook=lambda message: printed.append(message["content"].get("text", ""))
        )
        assert reply["content"]["status"] == "ok", reply["content"]
        return "".join(printed)

    def start(self, code: str, *, stop_on_error: bool = True) -> str:
        """Send a cell and return the request's id."""
        return str(self.client.execute(code, stop_on_error=stop_on_error))

    def status(self, request: str) -> str:
        """Return how the kernel answered a request: `ok`, `error` or `aborted`."""
        return str(
            self._find(lambda: self.client.get_shell_msg(timeout=60), lambda m: _parent(m) == request)["content"]["status"]
        )

    def wait_for(self, kind: str, **content: Any) -> dict[str, Any]:
        """Return the next published message of a kind whose content has these values."""

        def fits(message: dict[str, Any]) -> bool:
            return message["msg_type"] == kind and content.items() <= message["content"].items()

        return self._find(lambda: self.client.get_iopub_msg(timeout=60), fits)

    def published(self, request: str) -> list[dict[str, Any]]:
        """Return all that was published for a request, in order, until it was done."""
        messages: list[dict[str, Any]] = []
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if _parent(message) == request:
                messages.append(message)
                if message["content"].get("execution_state") == "idle":
                    return messages

    def send(self, kind: str, **content: Any) -> None:
        """Send a message that has no reply, as a widget's are."""
        metadata = {"version": "1.0.0"} if kind == "comm_open" else {}
        self.client.shell_channel.send(self.client.session.msg(kind, content, metadata=metadata))

    def _find(self, get: Any, fits: Any) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if fits(message := get()):
                return dict(message)
        pytest.fail("the message did not come")


def _parent(message: dict[str, Any]) -> str:
    return str(message["parent_header"].get("msg_id"))


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    manager, client = start_new_kernel(startup_timeout=60)
    yield Kernel(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)
