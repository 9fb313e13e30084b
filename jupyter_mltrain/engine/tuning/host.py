"""A machine that trains trials of a search that another one does: what `python -m jupyter_mltrain.worker` runs."""

from __future__ import annotations

import os
import platform
import queue
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing, suppress
from multiprocessing import AuthenticationError
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.errors import DeviceError, OptionError
from jupyter_mltrain.domain.search import split_address
from jupyter_mltrain.engine.environment import packages
from jupyter_mltrain.engine.tuning.channel import Channel, write_piece
from jupyter_mltrain.engine.tuning.fork_server import ForkServer
from jupyter_mltrain.engine.tuning.process import Messages, WorkerProcess

_THE_SAME = ("jupyter-mltrain", "keras", "keras-tuner", "numpy")  # not TensorFlow's build, which may be another for GPUs
TOKEN = "MLTRAIN_TOKEN"  # noqa: S105 - the variable's name
_SECONDS_TO_CONNECT = 60.0
_SECONDS_BETWEEN_TRIES = 0.5


def versions() -> dict[str, str]:
    """Return what must be the same on both machines, since code and objects are sent as Python has them."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, **{name: packages().get(name, "none") for name in _THE_SAME}}


class Host:
    """Trains trials in so many processes side by side, each of which is a worker of its own for the search.

    Args:
        address: of the search, `HOST:PORT`.
        token: of the search.
        width: how many processes.
        say: told in sentences what happens, from several threads.
    """

    def __init__(self, address: str, token: str, width: int, say: Callable[[str], None]) -> None:
        self.address, self._endpoint, self._token = address, split_address(address), token
        self.width, self.say = width, say
        self.name = f"{socket.gethostname()}-{os.getpid()}"
        self._lock = threading.Lock()
        self._complete: set[str] = set()  # names of arrays

    def serve(self) -> None:
        """Train until the search is over.

        Raises:
            MLTrainError: this machine cannot, or the search is gone.
        """
        ended: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mltrain-", ignore_cleanup_errors=True))
            self.folder, self.fork_server = Path(folder), stack.enter_context(closing(ForkServer()))
            for slot in range(self.width):
                threading.Thread(target=self._serve, args=(slot, ended), daemon=True).start()
            for _ in range(self.width):
                error = ended.get()
                if error is not None:
                    raise error

    def _serve(self, slot: int, ended: queue.SimpleQueue[Exception | None]) -> None:
        try:
            is_over = False
            while not is_over:
                with closing(self._connected()) as channel:
                    is_over = _Seat(self, slot, channel).serve()
            ended.put(None)
        except Exception as error:  # noqa: BLE001 - raised again where the threads are waited for
            ended.put(error)

    def _connected(self) -> Channel:
        """Connect with the search; it may not have begun, or go on soon."""
        until = time.monotonic() + _SECONDS_TO_CONNECT
        while True:
            try:
                return self._greeted(socket.create_connection(self._endpoint, timeout=_SECONDS_TO_CONNECT))
            except AuthenticationError as error:
                raise OptionError(
                    f"expected the token of the search at {self.address}, received another: copy the line that its cell shows"
                ) from error
            except (EOFError, OSError) as error:
                if time.monotonic() > until:
                    raise DeviceError(
                        f"expected a search at {self.address}, received no answer ({error or 'it hung up'}): is its cell "
                        "running, and may this machine connect to it?"
                    ) from error
                time.sleep(_SECONDS_BETWEEN_TRIES)

    def _greeted(self, endpoint: socket.socket) -> Channel:
        channel = Channel(endpoint)
        try:
            channel.shake_hands(self._token, asks_first=False)
        except (AuthenticationError, EOFError, OSError):
            channel.close()
            raise
        return channel

    def fetch(self, names: Iterable[str], channel: Channel) -> bool:
        """Take the arrays that no other process of this machine has got yet; False where the search ends meanwhile."""
        with self._lock:
            missing = [name for name in names if name not in self._complete]
            channel.send("wants", missing)
            while (message := channel.receive())[0] == "file":
                write_piece(self.folder, *message[1:])
            if message[0] != "sent":
                return False
            self._complete |= set(missing)
            return True


class _Seat:
    """One process on this machine, between it and the search."""

    def __init__(self, host: Host, slot: int, channel: Channel) -> None:
        self._host, self._slot, self._channel = host, slot, channel
        self._messages: Messages = queue.SimpleQueue()
        self._folder = host.folder / f"trial-{slot}"
        self._parcel = b""
        self._process: WorkerProcess | None = None

    def serve(self) -> bool:
        """Hand on what either says until the search is over; False where the connection is lost."""
        try:
            if not self._joins():
                return True
            threading.Thread(target=self._listen, daemon=True).start()
            while True:
                sender, message = self._messages.get()
                if sender is self._channel and message[0] in ("over", "lost"):
                    return bool(message[0] == "over")
                if sender is self._channel:
                    self._from_search(message)
                elif sender is self._process:
                    self._from_process(message)
        except (EOFError, OSError):
            return False
        finally:
            if self._process:
                self._process.end()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _joins(self) -> bool:
        """Become a worker of the search; False where that is over."""
        self._channel.send("joins", self._host.name, versions())
        match self._channel.receive():
            case ("refused", why):
                raise OptionError(why)
            case ("hello", parcel, names):
                self._parcel = parcel
                if not self._host.fetch(names, self._channel):
                    return False
            case _:
                return False
        process = self._started(rehearses=True)
        while (message := self._messages.get()[1])[0] not in ("ready", "refused", "died"):
            pass  # what the cell prints
        if message[0] != "ready":
            found = message[1] if message[0] == "refused" else process.why_it_died().message
            why = f"expected that the cell comes to its first fit there too, received {found}: add what it needs there"
            self._channel.send("refused", why)
            raise OptionError(why)
        self._channel.send("ready")
        self._host.say(f"Joined the search at {self._host.address}.")
        return True

    def _started(self, *, rehearses: bool = False) -> WorkerProcess:
        host = self._host
        self._process = WorkerProcess(
            host.fork_server,
            self._slot,
            width=host.width,
            parcel=self._parcel,
            folder=host.folder,
            messages=self._messages,
            rehearses=rehearses,
        )
        return self._process

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                self._messages.put((self._channel, self._channel.receive()))
        self._messages.put((self._channel, ("lost",)))

    def _from_search(self, message: Any) -> None:
        match message:
            case ("file", *piece):
                write_piece(self._folder, *piece)
            case ("task", number, writes, weights, task):
                process = self._process if self._process and self._process.is_alive() else self._started()
                self._host.say(f"Trial {number} begins.")
                begins_with = self._prepared(weights)
                process.hand_on(number, task, folder=self._folder if writes else None, weights=begins_with)
            case _ if self._process:
                self._process.send(message)

    def _prepared(self, weights: str | None) -> Path | None:
        """Empty the trials' folder, and return where the weights are now that were sent into it."""
        place = weights and (self._folder / weights).replace(self._folder.with_name(f"{self._slot}-{weights}"))
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        return place or None

    def _from_process(self, message: Any) -> None:
        process = self._process
        assert process is not None
        match message:
            case ("ready",):
                pass
            case ("ended", number, outcome):
                process.number = None
                for path in filter(Path.is_file, self._folder.rglob("*")):
                    self._channel.send_file(path, str(path.relative_to(self._folder)))
                self._channel.send("ended", number, outcome, self._folder)
                if process.has_grown():
                    self._process = None
                    process.end()
            case ("died",):
                self._process = None
                if process.number is not None:
                    self._channel.send("failed", process.number, process.why_it_died())
            case _:
                self._channel.send(*message)
