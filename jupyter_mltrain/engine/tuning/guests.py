"""Workers on other machines, as the search that they help sees them.

Keras Tuner has a protocol for this: a chief that holds the oracle, and workers that ask it by gRPC. It was tried with Keras
Tuner 1.4.8 and TensorFlow 2.21: a chief and two workers did 8 trials of random search in 21 s and 10 of Hyperband in 26 s, and
took the engine's own TPE oracle. When one of the workers was killed its trial stayed `RUNNING`, 7 of 8 were done, and the chief
never ended. It carries values and scores alone, through a port that anybody may talk to: no output, no curves, no end by what
other trials reached, no interrupt, and models only by a disk that all see. All of that goes through the pipes of a
`WorkerProcess`, so the same messages go over the network.
"""

from __future__ import annotations

import os
import pickle
import secrets
import shutil
import socket
import threading
import time
from dataclasses import replace
from multiprocessing import AuthenticationError
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.search import split_address
from jupyter_mltrain.engine.tuning.channel import Channel, write_piece
from jupyter_mltrain.engine.tuning.host import TOKEN, versions
from jupyter_mltrain.engine.tuning.process import Messages
from jupyter_mltrain.engine.tuning.trial import TrialOutcome, TrialTask

_LEAST_TOKEN = 16  # characters
_SECONDS_BETWEEN_LOOKS = 0.1  # at whether the search is over
_SECONDS_TO_END = 5.0
_MOST_HANDSHAKES = 16  # at a time


class Guests:
    """Listens for workers of other machines while it is entered, and lets those join that know the token.

    One that has joined is put into `messages` with `("joined",)`, and what it sends after that; one that cannot with
    `("refused", why)`, as a guest without a task.

    Args:
        address: to listen at, `HOST:PORT`; with port 0 any that is free.
        parcel: of `sending.pack`.
        folder: where that put large arrays; guests' files are put beside them.
        messages: where what they send is put.
    """

    def __init__(self, address: str, parcel: bytes, folder: Path, messages: Messages) -> None:
        self._host, self._port = split_address(address)
        self._parcel, self._folder, self._messages = parcel, folder, messages
        self._token, self._is_known = _token()
        self._is_over = threading.Event()
        self._handshakes = threading.BoundedSemaphore(_MOST_HANDSHAKES)
        self._channels: set[Channel] = set()

    def __enter__(self) -> Guests:
        """Listen.

        Raises:
            OptionError: that is not possible at this address.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            self._server = socket.create_server((self._host, self._port), family=family)
        except OSError as error:  # gaierror too
            raise OptionError(
                f"expected --workers with an address of this machine and a free port, received {self._host}:{self._port} "
                f"({error.strerror}): 0.0.0.0:0 listens at all its addresses and takes any port"
            ) from error
        self._server.settimeout(_SECONDS_BETWEEN_LOOKS)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Tell all that the search is over, and listen no longer."""
        self._is_over.set()
        self._thread.join()
        self._server.close()
        for channel in tuple(self._channels):
            channel.send("over")
            channel.finish()  # a guest that reads it hangs up
        until = time.monotonic() + _SECONDS_TO_END
        while self._channels and time.monotonic() < until:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        for channel in tuple(self._channels):
            channel.close()

    @property
    def invitation(self) -> str:
        """What to run on another machine."""
        host = socket.getfqdn() if self._host in ("0.0.0.0", "::", "") else self._host  # noqa: S104 - where it was asked for
        name = f"[{host}]" if ":" in host else host
        command = f"python -m jupyter_mltrain.worker {name}:{self._server.getsockname()[1]}"
        if self._is_known:
            return f"Workers on other machines join with the same {TOKEN}:\n    {command}"
        return f"Workers on other machines join with:\n    {TOKEN}={self._token} {command}"

    def _accept(self) -> None:
        while not self._is_over.is_set():
            if not self._handshakes.acquire(timeout=_SECONDS_BETWEEN_LOOKS):
                continue
            try:
                endpoint, _ = self._server.accept()
            except OSError:  # nobody came
                self._handshakes.release()
                continue
            threading.Thread(target=self._welcome, args=(Channel(endpoint),), daemon=True).start()

    def _welcome(self, channel: Channel) -> None:
        """Let a worker join, and take what it sends until it goes."""
        try:
            channel.shake_hands(self._token, asks_first=True)
        except (AuthenticationError, EOFError, OSError):
            channel.close()
            return
        finally:
            self._handshakes.release()
        self._channels.add(channel)
        try:
            guest = self._joined(channel)
            if guest is not None:
                guest.listen(self._messages)
        except Exception:  # noqa: BLE001, S110 - whatever it is, this guest is gone, and `listen` has told
            pass
        finally:
            self._channels.discard(channel)
            channel.close()

    def _joined(self, channel: Channel) -> Guest | None:
        """Give a worker what it needs; return it once it is ready, None where it cannot train here."""
        _, name, theirs = channel.receive()
        guest = Guest(name, channel, self._folder / f"from-{secrets.token_hex(4)}")
        differ = [f"{each} {theirs.get(each)} for {mine}" for each, mine in versions().items() if theirs.get(each) != mine]
        if differ:
            why = f"expected the versions of the search's machine, received {', '.join(differ)}: install these there"
            channel.send("refused", why)
            self._messages.put((guest, ("refused", why)))
            return None
        files = {path.name: path for path in self._folder.glob("*.npy")}
        channel.send("hello", self._parcel, tuple(files))
        _, missing = channel.receive()
        for each in missing:
            channel.send_file(files[each], each)
        channel.send("sent")
        answer = channel.receive()
        if answer[0] != "ready":
            self._messages.put((guest, answer))
            return None
        return guest


class Guest:
    """A worker on another machine; to be used as a `WorkerProcess` is.

    Attributes:
        name: of its machine, with the number of its process there.
        number: of the trial that it trains; None while it waits.
    """

    def __init__(self, name: str, channel: Channel, folder: Path) -> None:
        self.name = name
        self.number: int | None = None
        self._channel, self._folder = channel, folder

    def begin(self, task: TrialTask) -> None:
        """Give it a trial."""
        self.number = task.number
        weights = task.weights and task.weights.name
        if task.weights:
            self._channel.send_file(task.weights, task.weights.name)
        self._channel.send("task", task.number, task.folder is not None, weights, pickle.dumps(task))

    def send(self, message: tuple[Any, ...]) -> None:
        """Send it something; where it has gone away, `listen` tells."""
        self._channel.send(*message)

    def listen(self, messages: Messages) -> None:
        """Put what it sends into a queue, `("joined",)` first and `("left",)` last, and files into its folder."""
        messages.put((self, ("joined",)))
        try:
            while True:
                match self._channel.receive():
                    case ("file", name, place, piece):
                        write_piece(self._folder, name, place, piece)
                    case message:
                        messages.put((self, message))
        finally:
            messages.put((self, ("left",)))

    def brought(self, task: TrialTask, outcome: TrialOutcome, folder: Path) -> TrialOutcome:
        """Return what came of its trial, with the files where they would be had it been trained here and not in `folder`."""
        best = outcome.best
        if task.folder and self._folder.exists():
            shutil.copytree(self._folder, task.folder, dirs_exist_ok=True)
            best = best and task.folder / best.relative_to(folder)
        self.forget()
        return replace(outcome, best=best, facts={**outcome.facts, "worker": self.name})

    def forget(self) -> None:
        """Remove what it has sent of a trial."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _token() -> tuple[str, bool]:
    """Return the token of a search, and whether it is one that the user has chosen and that is not to be shown."""
    given = os.environ.get(TOKEN)
    if given is None:
        return secrets.token_urlsafe(24), False
    if len(given) < _LEAST_TOKEN:
        raise OptionError(
            f"expected {TOKEN} of at least {_LEAST_TOKEN} characters, received {len(given)}: leave it out, and the cell makes one"
        )
    return given, True
