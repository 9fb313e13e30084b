"""Start a TensorBoard, find the one that was started, ask it what it shows, and stop it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Set as AbstractSet
from pathlib import Path

import psutil

from jupyter_mltrain.domain.board import BoardServer
from jupyter_mltrain.domain.errors import BoardError
from jupyter_mltrain.domain.run import Process
from jupyter_mltrain.engine.environment import search_path

_SECONDS_BETWEEN_LOOKS = 0.05
_MOST_SECONDS_TO_START = 120.0
_MOST_SECONDS_TO_READ = 20.0
_SECONDS_TO_END = 5.0
_NUM_LAST_LINES = 5

_here = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy for the network knows nothing of this machine


def start_server(file: Path, logs: Path) -> BoardServer:
    """Start a TensorBoard that serves `logs`, and return once it answers; it ends with this process.

    Args:
        file: where it will tell where it is found; what it says goes to the file beside it that ends in `.log`.
        logs: the folder with a folder of event files a run.

    Raises:
        BoardError: it does not start; with the last lines that it said.
    """
    file.unlink(missing_ok=True)
    log = file.with_suffix(".log")
    with log.open("wb") as said:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "jupyter_mltrain.engine.board_process", file, logs, str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={**os.environ, **_environment()},
            start_new_session=True,  # the kernel's interrupts are not for it
        )
    try:
        server = _started(process, file)
    except BaseException:  # an interrupt too
        process.kill()
        process.wait()
        raise
    if server is None:
        process.kill()
        lines = log.read_text(errors="replace").strip().splitlines()[-_NUM_LAST_LINES:]
        how = f"exit code {process.wait()}, its last lines:\n" + "\n".join(lines)
        raise BoardError(f"expected TensorBoard to start, received {how}\nMend what they say, or see all of it in {log}")
    threading.Thread(target=process.wait, name="TensorBoard's end", daemon=True).start()  # whoever stops it: no zombie stays
    return server


def find_server(file: Path) -> BoardServer | None:
    """Return the TensorBoard that `file` tells of, whether it lives or not; None where none was started."""
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    process = Process(host=socket.gethostname(), pid=found["pid"], started=found["started"])
    return BoardServer(process=process, port=found["port"], prefix=found["prefix"])


def await_runs(server: BoardServer, names: AbstractSet[str]) -> None:
    """Wait until TensorBoard has read runs of all these names; not for longer than it may take where a disk is slow."""
    until = time.monotonic() + _MOST_SECONDS_TO_READ
    while not names <= {run.partition("/")[0] for run in runs_shown(server)} and time.monotonic() < until:
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def runs_shown(server: BoardServer) -> tuple[str, ...]:
    """Return the runs as TensorBoard names them: `digits#2/train`, `digits#2/validation`.

    Raises:
        BoardError: it does not answer.
    """
    try:
        with _here.open(f"{server.address}data/runs", timeout=_MOST_SECONDS_TO_READ) as reply:
            return tuple(json.load(reply))
    except OSError as error:
        raise BoardError(
            f"expected TensorBoard to answer on port {server.port}, received: {error}; start it anew after %runs board --stop"
        ) from error


def stop_server(server: BoardServer) -> None:
    """End a TensorBoard that lives, and return when it is gone.

    Raises:
        BoardError: it is another user's.
    """
    try:
        process = psutil.Process(server.process.pid)
        process.terminate()
        until = time.monotonic() + _SECONDS_TO_END
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > until:
                process.kill()
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise BoardError(
            f"expected a TensorBoard of your own to stop, process {server.process.pid} is another user's: ask them to stop it"
        ) from error


def _started(process: subprocess.Popen[bytes], file: Path) -> BoardServer | None:
    """Return where it is once it answers; None if it has ended or takes too long."""
    until = time.monotonic() + _MOST_SECONDS_TO_START
    while process.poll() is None and time.monotonic() < until:
        server = find_server(file)
        if server is not None:
            return server
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return None


def _environment() -> dict[str, str]:
    """Return what its environment has besides this one's: the modules found here, and no card, which is for training."""
    return {"PYTHONPATH": search_path(), "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
