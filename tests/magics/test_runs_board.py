"""`%runs board` in a real shell."""

from __future__ import annotations

import re

import pytest

from jupyter_mltrain.domain.errors import OptionError, UnknownNameError
from jupyter_mltrain.engine.board_server import find_server
from jupyter_mltrain.store.processes import is_alive


@pytest.fixture
def boards(trained):
    yield trained
    trained.run("%runs board --stop")


def address(notebook):
    return re.search(r"http://127\.0\.0\.1:\d+/\w+/", notebook.outputs[0].data["text/plain"])[0]


def server(notebook):
    (file,) = (notebook.home / "board").glob("*.json")
    return find_server(file)


def test_it_is_shown_for_what_is_named_with_the_curves_of_the_same_runs(boards):
    boards.run("%runs board digits#1 digits#2")
    assert boards.outputs[0].data["text/plain"] == f"TensorBoard: digits#1, digits#2 at {server(boards).address}."
    assert boards.outputs[1].data["text/plain"] == "curves of loss, accuracy: 2 runs"
    assert boards.outputs[1].data["image/png"]
    assert len(boards.outputs) == 2
    assert (boards.stdout, boards.stderr) == ("", "")
    assert boards["Out"] == {}


def test_without_names_it_is_for_all_runs_and_the_same_process(boards):
    boards.run("%runs board digits#1")
    first = address(boards)
    boards.run("%runs board")
    assert boards.text.splitlines() == [f"TensorBoard: the runs of this home at {first}.", "curves of loss, accuracy: 3 runs"]


def test_a_run_without_an_epoch_has_no_picture(boards):
    boards.run("%runs board other")
    assert boards.text == f"TensorBoard: other#1 at {address(boards)}."


def test_stop_ends_it_and_says_so(boards):
    boards.run("%runs board")
    process = server(boards).process
    boards.run("%runs board --stop")
    assert boards.text == "TensorBoard: stopped."
    assert not is_alive(process)
    boards.run("%runs board --stop")
    assert boards.text == "TensorBoard: none was running."


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        ("digts", UnknownNameError, "no run named 'digts': did you mean digits?"),
        ("digits#1 digits#7", UnknownNameError, "no run named 'digits#7': did you mean digits#2 or digits#1?"),
        ("--stop digits", OptionError, "expected --stop without runs, received digits: one TensorBoard serves them all"),
        ("--stpo", OptionError, "received '--stpo': did you mean --stop?"),
    ],
)
def test_errors_are_one_line_and_start_nothing(trained, line, kind, message):
    trained.try_run(f"%runs board {line}")
    assert isinstance(trained.error, kind)
    assert message in str(trained.error)
    assert trained.stdout == f"{kind.__name__}: {trained.error}\n"
    assert not (trained.home / "board").exists()


def test_before_the_first_run_it_says_what_to_do(notebook):
    notebook.try_run("%runs board")
    assert "expected a recorded run, there is none" in str(notebook.error)
    notebook.run("%runs board --stop")
    assert notebook.text == "TensorBoard: none was running."
