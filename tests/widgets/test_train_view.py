from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

TRAIN = """
import time
from jupyter_mltrain.domain.events import EpochEnded, EngineStarting, PhaseStarted, Progress
from jupyter_mltrain.domain.run import Epoch
from jupyter_mltrain.widgets.train_view import TrainView

def train(view, num_epochs=300, after=lambda number: None):
    view.on_event(EngineStarting(name="<b>digits</b>"))
    view.on_event(PhaseStarted(phase=1, num_epochs=num_epochs, num_steps=2, first_epoch=1))
    for number in range(1, num_epochs + 1):
        for step in (1, 2):
            time.sleep(0.001)
            view.control.poll()
            view.on_event(Progress(epoch=number, step=step, num_steps=2, validating=False,
                                   steps_per_second=1000.0, metrics={"loss": 1 / number}, memory=10**9))
        metrics = {"loss": 1 / number, "val_loss": 2 / number}
        view.on_event(EpochEnded(epoch=Epoch(number=number, phase=1, metrics=metrics, seconds=0.002), best=True))
        after(number)
"""
SHOW = """
started = time.monotonic()
with TrainView("run") as view:
    train(view)
print(time.monotonic() - started)
"""
SHOW_UNTIL_STOPPED = """
with TrainView("run") as view:
    train(view)
    print("trained", flush=True)
    while not view.control.stop_requested:
        time.sleep(0.01)
        view.control.poll()
"""
EMPTY = {"output_type": "display_data", "data": {"text/plain": ""}, "metadata": {}}


def notebook(*cells: str) -> nbformat.NotebookNode:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata={"kernelspec": kernel})


def test_without_a_kernel_it_shows_and_imports_nothing() -> None:
    code = f"""{TRAIN}
import sys
from pathlib import Path
from typing import Any
from jupyter_mltrain.domain.events import TrainControl
with TrainView("digits") as view:
    train(view, num_epochs=3)
assert type(view.control) is TrainControl
assert not sys.modules.keys() & {{"IPython", "ipywidgets", "anywidget", "zmq", "tensorflow"}}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_in_a_shell_without_a_kernel_it_shows_nothing(tmp_path: Path) -> None:
    (tmp_path / "cell.ipy").write_text(
        f'{TRAIN}\nwith TrainView("digits") as view:\n    train(view, num_epochs=3)\nprint(view.control)'
    )
    done = subprocess.run(
        [sys.executable, "-m", "IPython", str(tmp_path / "cell.ipy")], capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("<jupyter_mltrain.domain.events.TrainControl")
    assert done.stderr == ""


def test_nothing_is_left_in_the_notebook_and_strict_nbval_passes(tmp_path: Path) -> None:
    executed = notebook(TRAIN, 'with TrainView("digits") as view:\n    train(view)\n"the result"')
    NotebookClient(executed).execute()
    assert executed.cells[1].outputs[0] == EMPTY
    assert executed.cells[1].outputs[1].data == {"text/plain": "'the result'"}
    assert len(executed.cells[1].outputs) == 2
    nbformat.write(executed, tmp_path / "executed.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider", "executed.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout


def test_nothing_is_left_when_the_training_fails() -> None:
    executed = notebook(TRAIN, 'with TrainView("digits") as view:\n    train(view, after=lambda number: 1 / 0)')
    with pytest.raises(CellExecutionError):
        NotebookClient(executed).execute()
    first, second = executed.cells[1].outputs
    assert (first, second.output_type, second.ename) == (EMPTY, "error", "ZeroDivisionError")


def test_what_is_sent(kernel: Any) -> None:
    kernel.run(TRAIN)
    messages = kernel.published(kernel.start(SHOW))
    opened = [message["content"]["data"]["state"] for message in messages if message["msg_type"] == "comm_open"]
    assert opened[-1]["state"].items() >= {"seq": 0, "name": "run", "doing": "Starting…", "epochs": []}.items()
    deltas = [message["content"]["data"]["content"] for message in messages if message["msg_type"] == "comm_msg"]
    assert [delta["seq"] for delta in deltas] == list(range(1, len(deltas) + 1))
    assert [number for delta in deltas for number, _ in delta.get("epochs", [])] == list(range(1, 301))
    seconds = next(float(message["content"]["text"]) for message in messages if message["msg_type"] == "stream")
    assert len(deltas) <= seconds / 0.1 + 2
    assert deltas[0]["name"] == "<b>digits</b>"
    assert deltas[-1].items() >= {"ended": True, "doing": "Ended."}.items()


def test_the_front_end_can_ask_for_the_whole_state_and_for_a_stop(kernel: Any) -> None:
    kernel.run(TRAIN)
    cell = kernel.start(SHOW_UNTIL_STOPPED)
    view = kernel.wait_for("display_data")["content"]["data"]["application/vnd.jupyter.widget-view+json"]["model_id"]
    kernel.wait_for("stream", text="trained\n")
    kernel.send("comm_msg", comm_id=view, data={"method": "custom", "content": {"cmd": "sync"}})
    while "state" not in (sent := kernel.wait_for("comm_msg")["content"]["data"]):
        pass
    assert [number for number, _ in sent["state"]["state"]["epochs"]] == list(range(1, 301))
    kernel.send("comm_msg", comm_id=view, data={"method": "custom", "content": {"cmd": "stop"}})
    assert kernel.status(cell) == "ok"
    while "ended" not in (sent := kernel.wait_for("comm_msg")["content"]["data"]["content"]):
        pass
    assert sent.items() >= {"stopping": True, "ended": True}.items()
