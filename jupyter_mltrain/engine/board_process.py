"""TensorBoard in a process of its own: `python -m jupyter_mltrain.engine.board_process FILE LOGS PARENT`."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from jupyter_mltrain.domain.files import whole_file

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_SECONDS_BETWEEN_LOOKS = 0.2
_RELOAD_SECONDS = 2  # until runs and epochs that came to be since are seen


def main(file: Path, logs: Path, parent: int) -> None:
    """Serve `logs` until the process `parent` is gone or `file` is removed.

    Args:
        file: tells where it is found, written once it answers, removed at its end.
        logs: the folder with a folder of event files a run.
        parent: the process that started this one.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    from tensorboard import program

    prefix = f"/{secrets.token_hex(8)}"
    board = program.TensorBoard(server_class=lambda app, flags: program.WerkzeugServer(_told(app, f"{prefix}/here"), flags))
    where = ("--host", "127.0.0.1", "--port", "0", "--path_prefix", prefix)
    board.configure(argv=["tensorboard", "--logdir", str(logs), *where, "--reload_interval", str(_RELOAD_SECONDS)])
    port = urlsplit(board.launch()).port
    found = {"pid": os.getpid(), "started": psutil.Process().create_time() - psutil.boot_time(), "port": port, "prefix": prefix}
    with whole_file(file) as partial:
        partial.write_text(json.dumps(found))
    try:
        while os.getppid() == parent and file.exists():
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    finally:
        file.unlink(missing_ok=True)


def _told(app: App, path: str) -> App:
    """Return a WSGI application that also answers on `path`, which tells pages of other origins that it is there."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != path:
            return app(environ, start_response)
        start_response("204 No Content", [("Access-Control-Allow-Origin", "*"), ("Cache-Control", "no-store")])
        return ()

    return answer


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
