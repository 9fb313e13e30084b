"""Hear the front end while a cell runs: its messages wait on the shell channel until the cell ends, unless somebody looks."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any, Self

from jupyter_mltrain.domain.events import TrainControl

Frames = list[Any]
Receive = Callable[[Mapping[str, Any]], None]

_SECONDS_BETWEEN_LOOKS = 0.05
_MESSAGES_A_LOOK = 50
_MANAGER_TARGET = "jupyter.widget.control"


class PumpControl(TrainControl):
    """A control that serves one widget's messages between two steps, in the thread that entered it.

    Two kinds of message are served: custom ones to the widget, and those by which a reloaded page asks for the state of
    all widgets. Every other message, to another widget too, waits as it would behind any running cell, and is handed to
    the kernel in its order on exit.

    The shell channel is private to ipykernel. Where it is not as in 6.29 to 7.4, or fails, this is a plain
    `TrainControl`: the interrupt button still works.

    Args:
        kernel: the running ipykernel.
        comm_id: of the widget.
        receive: takes the content of the widget's messages; must not raise.
        idle: called after every look, at most 20 times a second.
    """

    def __init__(self, kernel: Any, *, comm_id: str, receive: Receive, idle: Callable[[], None]) -> None:
        super().__init__()
        self._kernel = kernel
        self._comm_id = comm_id
        self._receive = receive
        self._idle = idle
        self._manager_comm_ids: set[str] = set()
        self._stream: Any = None
        self._deliver: Callable[[Frames], Any] | None = None
        self._later: list[Frames] = []
        self._thread: int | None = None
        self._next_look = 0.0

    def __enter__(self) -> Self:
        """Take the place of the kernel's own receiver."""
        self._thread = threading.get_ident()
        with _interrupts_held():
            try:
                stream = _shell_stream(self._kernel)
                self._deliver = stream._recv_callback  # noqa: SLF001 - there is no public way to read it
                stream.on_recv(self._sort, copy=False)
                self._stream = stream
            except Exception:  # noqa: BLE001 - a private interface may have changed in any way
                self._stream = None
        return self

    def __exit__(self, *_: object) -> None:
        """Give the place back, with all that waited, in its order and before anything that comes from now on."""
        self._thread = None
        if self._stream is None:
            return
        with _interrupts_held():
            self._look(limit=None)
            for frames in self._later:
                self._stream.io_loop.add_callback(self._deliver, frames)
            self._stream.on_recv(self._deliver, copy=False)

    def poll(self) -> None:
        """Look for messages if the last look is a while ago."""
        now = monotonic()
        if now < self._next_look or threading.get_ident() != self._thread:
            return
        self._next_look = now + _SECONDS_BETWEEN_LOOKS
        if self._stream is not None:
            with _interrupts_held():
                self._look(limit=_MESSAGES_A_LOOK)
        self._idle()

    def _look(self, *, limit: int | None) -> None:
        import zmq

        try:
            self._stream.flush(zmq.POLLIN, limit)
        except Exception:  # noqa: BLE001 - as above, or the kernel is shutting down: the training goes on
            self._next_look = float("inf")

    def _sort(self, frames: Frames) -> None:
        try:
            served = self._serve(frames)
        except Exception:  # noqa: BLE001 - what cannot be read is the kernel's to report
            served = False
        if not served:
            self._later.append(frames)

    def _serve(self, frames: Frames) -> bool:
        session = self._kernel.session
        identities, parts = session.feed_identities(frames, copy=False)
        kind = session.unpack(parts[1].bytes)["msg_type"]
        if kind not in {"comm_open", "comm_msg"}:
            return False
        content = session.unpack(parts[4].bytes)
        if kind == "comm_open" and content["target_name"] == _MANAGER_TARGET:
            self._manager_comm_ids.add(content["comm_id"])
        is_own = content["comm_id"] == self._comm_id and content["data"].get("method") == "custom"
        if not is_own and content["comm_id"] not in self._manager_comm_ids:
            return False
        # Only now: a message counts as received once it is deserialized, the kernel would refuse it a second time.
        message = session.deserialize(parts, content=True, copy=False)
        if is_own:
            self._receive(content["data"]["content"])
        else:
            getattr(self._kernel.comm_manager, kind)(self._stream, identities, message)
        return True


def _shell_stream(kernel: Any) -> Any:
    """Return the stream on which requests reach the main thread."""
    channel = getattr(kernel, "shell_channel_thread", None)
    if channel is None:  # ipykernel 6: the main thread reads the channel itself
        return kernel.shell_stream
    return channel.manager.get_shell_channel_to_subshell_pair(None).to_stream


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Put an interrupt off: one that came between taking a message and keeping it would lose somebody's cell."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[Any, ...]] = []
    handler = signal.signal(signal.SIGINT, lambda *arguments: held.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if held and callable(handler):
            handler(*held[-1])
