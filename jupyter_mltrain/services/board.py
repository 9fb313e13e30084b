"""TensorBoard on the runs of a home: one process for all notebooks of that home on a machine."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_mltrain.domain.board import Board, BoardServer
from jupyter_mltrain.domain.run import Run, RunFilter
from jupyter_mltrain.domain.search import Search
from jupyter_mltrain.services.runs import get_run
from jupyter_mltrain.services.searches import run_or_search
from jupyter_mltrain.services.session import Session

_MOST_CURVES = 7  # as many as there are colours


def open_board(session: Session, refs: Sequence[str] = ()) -> Board:
    """Return the home's TensorBoard, for the runs, trials and searches named, or for the newest 160 runs that are no trials.

    The one that runs is taken, whoever started it, else one is started, which ends with this process.

    Raises:
        UnknownNameError: a name stands for nothing, or nothing is recorded yet; near misses are suggested.
        BoardError: TensorBoard does not start; with the last lines that it said.
        StoreError: the home cannot be written.
    """
    from jupyter_mltrain.engine.board_server import await_runs, find_server, start_server
    from jupyter_mltrain.store import board_folder
    from jupyter_mltrain.store.processes import is_alive

    chosen = tuple({each.id: each for each in (run_or_search(session, ref) for ref in refs or (None,))}.values())
    if refs:
        linked = tuple(run for each in chosen for run in (each.trials if isinstance(each, Search) else (each,)))
        for run in linked:
            session.store.artifacts.bring_run(run)
    else:
        chosen, linked = (), session.store.runs.list(RunFilter(limit=board_folder.MOST_RUNS))
    with board_folder.server_file(session.home) as file:
        logs = file.parent / "runs"
        written = board_folder.link_runs(logs, linked)
        server = find_server(file)
        if server is None or not is_alive(server.process):
            server = start_server(file, logs)
    await_runs(server, written)
    newest = () if chosen else tuple(get_run(session, run.id) for run in linked[:_MOST_CURVES])
    runs = tuple(each for each in chosen if isinstance(each, Run))
    return Board(server=server, chosen=chosen, runs=runs or newest, run_filter=board_folder.filter_of(chosen))


def stop_board(session: Session) -> BoardServer | None:
    """Stop the home's TensorBoard on this machine, and return what it was; None where none ran.

    Raises:
        BoardError: it is another user's.
        StoreError: the home cannot be written.
    """
    from jupyter_mltrain.engine.board_server import find_server, stop_server
    from jupyter_mltrain.store.board_folder import server_file
    from jupyter_mltrain.store.processes import is_alive

    if not session.home.exists():
        return None
    with server_file(session.home) as file:
        server = find_server(file)
        if server is None or not is_alive(server.process):
            return None
        stop_server(server)
        file.unlink(missing_ok=True)
    return server
