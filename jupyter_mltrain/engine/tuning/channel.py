"""What two machines say to each other about a search."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from pathlib import Path
from typing import Any

_SECONDS_TO_SHAKE_HANDS = 10
_SECONDS_OF_SILENCE = 30  # after which a machine that does not even acknowledge has gone away
_PIECE = 2**20  # bytes of a file in one message


class Channel:
    """A TCP connection that carries Python objects and files, once both sides have shown that they know a token.

    The handshake is that of `multiprocessing.connection` (HMAC challenges, both ways). Nothing is unpickled before it. What
    follows is not encrypted. `send` may be called from any thread, `receive` from one.

    Args:
        endpoint: connected; it belongs to the channel from now on.
    """

    def __init__(self, endpoint: socket.socket) -> None:
        endpoint.settimeout(None)
        _notice_silence(endpoint)
        self._endpoint = endpoint
        self._connection = Connection(os.dup(endpoint.fileno()))
        self._lock = threading.Lock()

    def shake_hands(self, token: str, *, asks_first: bool) -> None:
        """Show that this side knows the token, and that the other does; one of them asks first.

        Raises:
            AuthenticationError: it does not.
            EOFError, OSError: it has gone away, or says nothing.
        """
        steps: list[Callable[[Connection, bytes], None]] = [deliver_challenge, answer_challenge]
        self._limit_waiting(_SECONDS_TO_SHAKE_HANDS)
        try:
            for step in steps if asks_first else reversed(steps):
                step(self._connection, token.encode())
        except AssertionError as error:  # it asks for something else
            raise AuthenticationError(str(error)) from error
        self._limit_waiting(0)

    def _limit_waiting(self, seconds: int) -> None:
        self._endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", seconds, 0))

    def send(self, *message: Any) -> None:
        """Send a message; where nobody is there any more, `receive` tells."""
        with self._lock, suppress(OSError):
            self._connection.send(message)

    def send_file(self, path: Path, name: str) -> None:
        """Send a file in messages that `write_piece` takes."""
        with path.open("rb") as file:
            place, piece = 0, file.read(_PIECE)
            while piece or not place:
                self.send("file", name, place, piece)
                place += max(1, len(piece))
                piece = file.read(_PIECE)

    def receive(self) -> Any:
        """Wait for a message.

        Raises:
            EOFError, OSError: the other side has gone away.
        """
        return self._connection.recv()

    def finish(self) -> None:
        """Send nothing more; the other side is told when it has received all."""
        with suppress(OSError):
            self._endpoint.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End the connection; whoever waits in `receive` is told. May be called twice."""
        with suppress(OSError):
            self._endpoint.shutdown(socket.SHUT_RDWR)
        self._endpoint.close()


def write_piece(folder: Path, name: str, place: int, piece: bytes) -> None:
    """Write what `Channel.send_file` has sent; the first piece makes the file anew.

    Raises:
        ValueError: the name leads out of the folder.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"expected the name of a file in a folder, received {name!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab" if place else "wb") as file:
        file.write(piece)


def _notice_silence(endpoint: socket.socket) -> None:
    """Let TCP end the connection when the other machine has gone away without a word."""
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    every = _SECONDS_OF_SILENCE // 3
    for name, value in (
        ("TCP_KEEPIDLE", every),  # Linux
        ("TCP_KEEPALIVE", every),  # macOS
        ("TCP_KEEPINTVL", every),
        ("TCP_KEEPCNT", 2),
        ("TCP_USER_TIMEOUT", 1000 * _SECONDS_OF_SILENCE),
    ):
        if hasattr(socket, name):
            endpoint.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
