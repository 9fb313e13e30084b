"""What a training in a process of its own tells, and what is asked of it: files in the folder of its run.

They outlive the process and whoever looks, need no port, and are read from wherever the home is reached.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

from jupyter_mltrain.domain import events
from jupyter_mltrain.domain.events import EpochEnded, Event, FactsKnown, Progress, RunEnded, TrainControl, Wish
from jupyter_mltrain.domain.files import whole_file
from jupyter_mltrain.domain.run import Epoch
from jupyter_mltrain.store.codec import as_mapping, as_record, dumps, loads

_SECONDS_BETWEEN_LOOKS = 0.05
_END = b'\n{"kind":"RunEnded"}\n'  # on a line of its own, wherever the process died


class RunChannel:
    """The files of one run.

    Attributes:
        output: what the process has printed.
        parcel: the folder with what the process is to do; it is removed when that is known.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder of the run."""
        self.output, self.parcel = folder / "output.txt", folder / "parcel"
        self._events, self._progress, self._wish = folder / "events.jsonl", folder / "progress.json", folder / "wish"
        self._unwritten = b""

    @property
    def exists(self) -> bool:
        """Whether the run trains, or has trained, in a process of its own."""
        return self._events.exists()

    @property
    def has_ended(self) -> bool:
        """Whether the record says how the run has ended."""
        with self._events.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - len(_END)))
            return file.read() == _END

    @property
    def said(self) -> str:
        """What the process has printed."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def begin(self) -> None:
        """Begin anew, with nothing told and nothing asked for."""
        shutil.rmtree(self.parcel, ignore_errors=True)
        self.parcel.mkdir()
        self._progress.unlink(missing_ok=True)
        self._wish.unlink(missing_ok=True)
        self.output.write_bytes(b"")
        self._events.write_bytes(b"")

    def tell(self, event: Event) -> None:
        """Add an event, or put a `Progress` in place of the last one; an event that cannot be written is with the next one."""
        with suppress(OSError):
            if isinstance(event, Progress):
                _replace(self._progress, dumps(as_mapping(event)))
            elif not isinstance(event, FactsKnown | RunEnded):  # those are in the record
                self._append(f"{_text(event)}\n".encode())

    def end(self) -> None:
        """Tell that the record says how the run has ended."""
        with suppress(OSError):
            self._append(_END)
        shutil.rmtree(self.parcel, ignore_errors=True)

    def _append(self, line: bytes) -> None:
        self._unwritten += line
        with self._events.open("ab", buffering=0) as file:
            written = file.write(self._unwritten)  # a part of it, where there is no room for more
        self._unwritten = self._unwritten[written:]

    def told(self, position: int) -> tuple[Sequence[Event | None], int]:
        """Return the events after a position, and the position after them; None stands for the end of the run."""
        with self._events.open("rb") as file:
            file.seek(position)
            lines = file.read().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        return [_event(line.decode()) for line in whole if line.endswith(b"}\n")], position + sum(map(len, whole))

    def progress(self) -> Progress | None:
        """Return where the training is."""
        try:
            return as_record(Progress, loads(self._progress.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def ask(self, wish: Wish) -> None:
        """Ask something of the training; a wish before that it has not seen yet is gone."""
        _replace(self._wish, wish)

    @property
    def wish(self) -> Wish | None:
        """What was asked for last; None for nothing."""
        try:
            return Wish(self._wish.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def control(self) -> TrainControl:
        """Return what hands the wishes on to the engine."""
        return _Control(self._wish)


class _Control(TrainControl):
    def __init__(self, wish: Path) -> None:
        super().__init__()
        self._wish, self._next_look, self._seen = wish, 0.0, (0, 0)

    def poll(self) -> None:
        if monotonic() < self._next_look:
            return
        self._next_look = monotonic() + _SECONDS_BETWEEN_LOOKS
        with suppress(OSError):
            found = self._wish.stat()
            if (found.st_ino, found.st_mtime_ns) != self._seen:
                self._seen = found.st_ino, found.st_mtime_ns
                self.request(Wish(self._wish.read_text(encoding="utf-8")))


def _replace(path: Path, text: str) -> None:
    with whole_file(path, lasting=False) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def _text(event: Event) -> str:
    fields = as_mapping(event)
    if isinstance(event, EpochEnded):
        fields["epoch"] = as_mapping(event.epoch)
    return dumps({"kind": type(event).__name__, **fields})


def _event(line: str) -> Event | None:
    fields: dict[str, Any] = loads(line)
    kind = fields.pop("kind")
    if kind == "RunEnded":
        return None
    if kind == "EpochEnded":
        fields["epoch"] = as_record(Epoch, fields["epoch"])
    event: Event = as_record(getattr(events, kind), fields)
    return event
