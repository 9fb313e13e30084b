"""TensorBoard itself, on a home's runs: started, found again, filtered, stopped, and gone with what started it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from jupyter_mltrain.domain.errors import BoardError, UnknownNameError
from jupyter_mltrain.domain.run import Process, RunStatus
from jupyter_mltrain.engine.board_server import await_runs, find_server, runs_shown
from jupyter_mltrain.engine.event_files import EventFiles
from jupyter_mltrain.services.board import open_board, stop_board
from jupyter_mltrain.services.runs import remove_runs
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.store.processes import is_alive

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

from store_samples import begin_search, begin_trial, some_epochs
from store_samples import train as train_without_files

OPEN = """
import sys
from jupyter_mltrain.services.board import open_board
from jupyter_mltrain.services.session import Session
process = open_board(Session(sys.argv[1])).server.process
print(process.host, process.pid, process.started, flush=True)
sys.stdin.read()
"""


def write_events(run):
    files = EventFiles(run.folder / "tensorboard")
    for epoch in some_epochs(2):
        files.write(epoch)
    files.close({"units": 16}, RunStatus.COMPLETED)
    return run


def train(session, name):
    return write_events(train_without_files(session.store, name))


def folders(board):
    return {name.partition("/")[0] for name in runs_shown(board.server)}


def looked_at(board):
    return {name.partition("/")[0] for name in runs_shown(board.server) if re.search(board.run_filter, name)}


def assert_gone(process):
    """Wait until a process has ended."""
    psutil.wait_procs([psutil.Process(process.pid)] if psutil.pid_exists(process.pid) else [], timeout=30)
    assert not is_alive(process)


def wait_until_reaped(pid):
    while psutil.pid_exists(pid):  # ends with the test's own time limit
        time.sleep(0.02)


@pytest.fixture
def session(tmp_path):
    session = Session(str(tmp_path / "home"))
    yield session
    stop_board(session)
    session.close()


def test_it_shows_each_run_under_its_readable_name_and_only_on_this_machine(session):
    train(session, "digits")
    train(session, "digits")
    board = open_board(session)
    assert set(runs_shown(board.server)) == {f"digits#{n}{part}" for n in (1, 2) for part in ("", "/train", "/validation")}
    assert board.chosen == ()
    assert [run.ref for run in board.runs] == ["digits#2", "digits#1"]
    assert [len(run.epochs) for run in board.runs] == [4, 4]
    listening = [each for each in psutil.Process(board.server.process.pid).net_connections() if each.status == "LISTEN"]
    assert {each.laddr for each in listening} == {("127.0.0.1", board.server.port)}


def test_a_page_of_another_origin_is_told_that_it_is_there(session):
    train(session, "digits")
    server = open_board(session).server
    with urllib.request.urlopen(f"{server.address}here") as reply:
        assert (reply.status, reply.headers["Access-Control-Allow-Origin"], reply.read()) == (204, "*", b"")
    with urllib.request.urlopen(f"{server.address}data/runs") as reply:
        assert reply.headers["Access-Control-Allow-Origin"] is None
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}/here")


def test_a_later_call_and_another_notebook_take_the_one_that_runs_and_find_new_runs(session):
    first = train(session, "digits")
    board = open_board(session)
    train(session, "other")
    other = Session(str(session.home))
    later = open_board(other)
    assert later.server == board.server
    assert folders(later) == {"digits#1", "other#1"}
    remove_runs(other, ["digits#1"])
    assert not first.folder.exists()
    open_board(session)
    assert [link.name for link in (session.home / "board" / "runs").iterdir()] == ["other#1"]
    assert stop_board(other) == board.server
    assert not is_alive(board.server.process)
    assert stop_board(session) is None
    other.close()


def test_two_notebooks_at_the_same_moment_start_one(session):
    train(session, "digits")
    command = [sys.executable, "-c", OPEN, str(session.home)]
    notebooks = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert len({notebook.stdout.readline() for notebook in notebooks}) == 1
    for notebook in notebooks:
        notebook.communicate()


def test_it_is_asked_past_the_proxy_of_the_network(session, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    train(session, "digits")
    assert folders(open_board(session)) == {"digits#1"}


def test_it_is_filtered_to_what_is_named(session):
    for name in ("digits", "wide"):
        search = begin_search(session.store, name)
        for _ in range(2):
            write_events(begin_trial(session.store, search))
    for _ in range(11):
        train(session, "digits")
    train(session, "di.its")
    every = open_board(session)
    assert looked_at(every) == {"di.its#1", *(f"digits#{n}" for n in range(1, 12))}
    named = open_board(session, ["digits#1", "di.its", "digits#1"])
    assert [each.ref for each in named.chosen] == ["digits#1", "di.its#1"]
    assert looked_at(named) == {"digits#1", "di.its#1"}
    assert looked_at(open_board(session, ["digits#1/2"])) == {"digits#1 trial 2"}
    assert looked_at(open_board(session, ["wide"])) == {"wide#1 trial 1", "wide#1 trial 2"}
    assert looked_at(every) == {"di.its#1", *(f"digits#{n}" for n in range(1, 12))}


def test_a_run_without_an_epoch_yet_is_seen_once_it_has_one(session):
    run = train_without_files(session.store, "digits")
    board = open_board(session, ["digits"])
    assert runs_shown(board.server) == ()
    write_events(run)
    await_runs(board.server, {"digits#1"})
    assert looked_at(board) == {"digits#1"}


def test_after_it_was_killed_another_is_started(session):
    train(session, "digits")
    killed = open_board(session).server
    os.kill(killed.process.pid, signal.SIGKILL)
    assert_gone(killed.process)
    (file,) = (session.home / "board").glob("*.json")
    assert find_server(file) == killed
    board = open_board(session)
    assert board.server.process.pid != killed.process.pid
    assert folders(board) == {"digits#1"}


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_the_process_that_started_it(session, end):
    train(session, "digits")
    command = [sys.executable, "-c", OPEN, str(session.home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as notebook:
        host, pid, started = notebook.stdout.readline().split()
        process = Process(host=host, pid=int(pid), started=float(started))
        children = psutil.Process(process.pid).children()
        assert open_board(session).server.process == process
        notebook.send_signal(end)
    assert_gone(process)
    psutil.wait_procs(children, timeout=30)
    assert not any(child.is_running() for child in children)
    assert list((session.home / "board").glob("*.json")) == []


def test_it_is_stopped_from_another_notebook_than_the_one_that_started_it(session):
    train(session, "digits")
    command = [sys.executable, "-c", OPEN, str(session.home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as notebook:
        pid = int(notebook.stdout.readline().split()[1])
        assert stop_board(session).process.pid == pid
        assert notebook.poll() is None
        wait_until_reaped(pid)
        notebook.stdin.close()
    assert notebook.returncode == 0


def test_it_ends_when_the_file_that_tells_of_it_is_gone(session):
    train(session, "digits")
    server = open_board(session).server
    assert is_alive(server.process)
    (file,) = (session.home / "board").glob("*.json")
    file.unlink()
    assert_gone(server.process)


def test_an_interrupt_of_the_kernel_is_not_for_it(session):
    train(session, "digits")
    server = open_board(session).server
    assert os.getpgid(server.process.pid) != os.getpgid(0)


def test_where_it_does_not_start_its_last_lines_are_told(session, tmp_path, monkeypatch):
    train(session, "digits")
    broken = tmp_path / "broken" / "tensorboard"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('this one is broken')\n")
    monkeypatch.syspath_prepend(broken.parent)
    with pytest.raises(BoardError, match=r"received exit code 1, its last lines:\n(.*\n)*ImportError: this one is broken\n"):
        open_board(session)
    monkeypatch.undo()
    assert folders(open_board(session)) == {"digits#1"}


def test_one_that_is_gone_meanwhile_is_told(session):
    train(session, "digits")
    server = open_board(session).server
    stop_board(session)
    with pytest.raises(BoardError, match=f"expected TensorBoard to answer on port {server.port}, received: .*refused"):
        runs_shown(server)


def test_names_are_checked_before_anything_is_started(session):
    with pytest.raises(UnknownNameError, match="expected a recorded run, there is none"):
        open_board(session)
    train(session, "digits")
    with pytest.raises(UnknownNameError, match=r"no run named 'digts': did you mean digits\?"):
        open_board(session, ["digits#1", "digts"])
    assert not (session.home / "board").exists()
    assert stop_board(session) is None
