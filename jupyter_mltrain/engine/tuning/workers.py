"""Trials side by side, each in a process of its own that stays for the next, here or on other machines."""

from __future__ import annotations

import pickle
import queue
import sys
import tempfile
from collections import Counter, deque
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.events import EngineStarting
from jupyter_mltrain.domain.run import Failure, RunStatus
from jupyter_mltrain.domain.spec import Cell, TrainSpec
from jupyter_mltrain.engine import sending
from jupyter_mltrain.engine.tuning.fork_server import ForkServer
from jupyter_mltrain.engine.tuning.guests import Guest, Guests
from jupyter_mltrain.engine.tuning.here import Supervision
from jupyter_mltrain.engine.tuning.hyperparameters import INTERNAL, HyperParameters
from jupyter_mltrain.engine.tuning.process import Messages, WorkerProcess
from jupyter_mltrain.engine.tuning.trial import TrialOutcome, TrialTask

_SECONDS_BETWEEN_LOOKS = 0.02  # at what the user wishes
_CHANGES = ("joined", "refused", "left")  # of who is there
_MOST_LOSSES = 3  # machines that may go away with one trial: perhaps it is what ends them


class Workers:
    """Trains several trials at once; see `here.Place`, and `here.Here` for the arguments.

    A process of this machine that dies takes its trial along, which has failed, and no other. When another machine goes away,
    its trial is done again elsewhere.

    Args:
        width: how many processes on this machine.
        fork_server: where they come from.
        address: where workers of other machines may join, `HOST:PORT`; None for nowhere.
    """

    def __init__(
        self,
        width: int,
        spec: TrainSpec,
        cell: Cell,
        supervision: Supervision,
        *,
        fork_server: ForkServer,
        address: str | None = None,
    ) -> None:
        self.said: list[str] = []
        self._num_processes, self._fork_server, self._address = width, fork_server, address
        self._spec, self._cell, self._supervision = spec, cell, supervision
        self._messages: Messages = queue.SimpleQueue()
        self._processes: dict[int, WorkerProcess] = {}  # by slot
        self._guests: list[Guest] = []
        self._tasks: dict[int, TrialTask] = {}  # by trial, until that has ended
        self._waiting: deque[int] = deque()  # trials that nobody has
        self._losses: Counter[int] = Counter()  # by trial
        self._handed_on: set[str] = set()
        self._stack = ExitStack()

    @property
    def width(self) -> int:
        """How many trials side by side; one at least, which may have to wait for somebody who joins."""
        return max(1, self._num_processes + len(self._guests))

    def __enter__(self) -> Workers:
        """Pack what the workers need, and listen for those of other machines where that was asked for.

        Raises:
            OptionError: it cannot be sent, or there is nowhere to listen.
        """
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mltrain-", ignore_cleanup_errors=True))
            self._folder = Path(folder)
            self._parcel = sending.pack(self._spec, self._cell, self._folder)
            stack.callback(self._end_processes)
            if self._address:
                guests = stack.enter_context(Guests(self._address, self._parcel, self._folder, self._messages))
                print(guests.invitation, flush=True)  # noqa: T201 - to be copied from the cell
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers, whatever they do."""
        self._stack.close()

    def _end_processes(self) -> None:
        for process in self._processes.values():
            process.end()

    def start(self, task: TrialTask) -> None:
        """Give a trial to a worker that has none; it waits for one where there is none."""
        self._tasks[task.number] = task
        self._waiting.append(task.number)
        self._give_out()

    def _give_out(self) -> None:
        while self._waiting and (worker := self._free()):
            worker.begin(self._tasks[self._waiting.popleft()])

    def _free(self) -> WorkerProcess | Guest | None:
        for slot in range(self._num_processes):
            process = self._processes.get(slot)
            if process is None or (process.number is None and not process.is_alive()):
                process = self._processes[slot] = WorkerProcess(
                    self._fork_server,
                    slot,
                    width=self._num_processes,
                    parcel=self._parcel,
                    folder=self._folder,
                    messages=self._messages,
                )
            if process.number is None:
                return process
        return next((guest for guest in self._guests if guest.number is None), None)

    def next_ended(self) -> tuple[int, TrialOutcome] | None:
        """Serve the workers until one of their trials has ended, or a guest came or went; see `here.Place`."""
        while True:
            self._hand_on_wishes()
            if self._waiting and self._handed_on:
                return self._cut_short(self._waiting.popleft())
            self._give_out()
            try:
                worker, message = self._messages.get(timeout=_SECONDS_BETWEEN_LOOKS)
            except queue.Empty:
                continue
            if isinstance(worker, Guest) and message[0] in _CHANGES:
                return self._changed(worker, message)
            match message:
                case ("event", number, event):
                    self._supervision.on_event(number, event)
                case ("asks", question, *about):
                    worker.send(("answer", getattr(self._supervision.judge, question)(*about)))
                case ("text", stream, text):
                    getattr(sys, stream).write(text)
                case ("ended", number, outcome, *where):
                    worker.number = None
                    return number, self._taken(worker, self._tasks.pop(number), pickle.loads(outcome), *where)  # noqa: S301
                case ("failed", number, failure):
                    worker.number = None
                    return self._failed(number, failure)
                case ("raised", error):
                    raise error
                case ("died",) if worker in self._processes.values():
                    del self._processes[worker.slot]
                    if worker.number is not None:
                        return self._failed(worker.number, worker.why_it_died())

    def _taken(self, worker: Any, task: TrialTask, outcome: TrialOutcome, *where: Path) -> TrialOutcome:
        """Return what came of a worker's trial, and end a process that has grown."""
        if where:
            return worker.brought(task, outcome, *where)
        if worker.has_grown():
            self._processes.pop(worker.slot).end()
        return outcome

    def _failed(self, number: int, failure: Failure) -> tuple[int, TrialOutcome]:
        return number, _without_result(self._tasks.pop(number), RunStatus.FAILED, failure)

    def _cut_short(self, number: int) -> tuple[int, TrialOutcome]:
        """Return that a trial which nobody has begun was stopped with the search."""
        status = RunStatus.INTERRUPTED if "interrupt" in self._handed_on else RunStatus.STOPPED
        return number, _without_result(self._tasks.pop(number), status)

    def _changed(self, guest: Guest, message: tuple[str, ...]) -> tuple[int, TrialOutcome] | None:
        """Note that a guest has joined, could not, or has gone; return that its trial failed where too many have."""
        match message:
            case ("joined",):
                self._guests.append(guest)
                self.said.append(f"A worker on {guest.name} joined.")
            case ("refused", why):
                self.said.append(f"A worker on {guest.name} could not join: {why}.")
            case _:
                return self._gone(guest)
        return None

    def _gone(self, guest: Guest) -> tuple[int, TrialOutcome] | None:
        """Let another do the trial of a guest that has gone away; see `_changed`."""
        self._guests.remove(guest)
        guest.forget()
        number = guest.number
        if number is None:
            self.said.append(f"The worker on {guest.name} went away.")
            return None
        self.said.append(f"The worker on {guest.name} went away in trial {number}.")
        self._losses[number] += 1
        if self._losses[number] == _MOST_LOSSES:
            why = f"{_MOST_LOSSES} workers on other machines went away while they trained it, the last on {guest.name}"
            return self._failed(number, Failure(kind="WorkersGone", message=why, traceback=why))
        self._waiting.appendleft(number)
        self._supervision.on_event(number, EngineStarting(name=""))
        return None

    def _hand_on_wishes(self) -> None:
        control = self._supervision.control
        control.poll()
        wishes = {"stop": control.stop_requested, "interrupt": self._supervision.interrupts.received}
        for wish in {name for name, is_wished in wishes.items() if is_wished} - self._handed_on:
            self._handed_on.add(wish)
            for process in self._processes.values():
                process.send((wish,))
            for guest in self._guests:
                guest.send((wish,))


def _without_result(task: TrialTask, status: RunStatus, failure: Failure | None = None) -> TrialOutcome:
    """Return what came of a trial that nobody can tell anything of."""
    given = task.hyperparameters.values
    values = {name: value for name, value in given.items() if not name.startswith(INTERNAL)}
    return TrialOutcome(status=status, values=values, space=HyperParameters.of(given, task.hyperparameters), failure=failure)
