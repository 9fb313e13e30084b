"""A real kernel, driven as a front end drives it."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest


@dataclass
class Reply:
    """What one cell came to."""

    status: str
    error: str = ""
    streams: dict[str, str] = field(default_factory=lambda: {"stdout": "", "stderr": ""})
    texts: list[str] = field(default_factory=list)


class Kernel:
    """Runs cells; `interrupt_after` sends the kernel's interrupt while one runs."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager, self.client = manager, client

    def run(self, cell: str, *, interrupt_after: float | None = None, timeout: float = 120) -> Reply:
        timer = threading.Timer(interrupt_after or 0, self.interrupt)
        try:
            return self._collect(self.client.execute(cell), timeout, on_start=timer.start if interrupt_after else None)
        finally:
            timer.cancel()

    def interrupt(self) -> None:
        os.kill(self.manager.provisioner.pid, signal.SIGINT)

    def value(self, expression: str) -> str:
        """Return the text of an expression's value."""
        reply = self.run(f"print({expression})")
        assert reply.status == "ok", reply.error
        return reply.streams["stdout"].strip()

    def _collect(self, message_id: str, timeout: float, on_start: Callable[[], None] | None) -> Reply:
        reply = Reply("")
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=timeout)
            except queue.Empty:
                pytest.fail(f"the kernel said nothing for {timeout} seconds")
            if message["parent_header"].get("msg_id") != message_id:
                continue
            content = message["content"]
            match message["msg_type"]:
                case "execute_input" if on_start:
                    on_start()
                case "stream":
                    reply.streams[content["name"]] += content["text"]
                case "display_data" | "execute_result":
                    reply.texts.append(content["data"].get("text/plain", ""))
                case "error":
                    reply.error = "\n".join([content["ename"], *content["traceback"]])
                case "status" if content["execution_state"] == "idle":
                    break
        reply.status = self._answer(message_id, timeout)["status"]
        return reply

    def _answer(self, message_id: str, timeout: float) -> dict[str, Any]:
        while True:  # a kernel that was slow to start was asked for its information more than once
            message = self.client.get_shell_msg(timeout=timeout)
            if message["parent_header"].get("msg_id") == message_id:
                return message["content"]
