from __future__ import annotations

import subprocess
import sys
from typing import Any

import nbformat
from nbclient import NotebookClient

SEARCH = """
import time
from jupyter_mltrain.domain.events import EngineStarting, EpochEnded, PhaseStarted, SearchStarted, TrialEvent, TrialStarted
from jupyter_mltrain.domain.run import Epoch
from jupyter_mltrain.domain.search import Objective
from jupyter_mltrain.widgets.search_view import SearchView

def search(view, num_trials=50):
    view.on_event(EngineStarting(name="digits"))
    objectives = (Objective(metric="val_accuracy", direction="max"),)
    view.on_event(SearchStarted(name="digits", num_trials=num_trials, objectives=objectives, oracle="tpe", prune="auto"))
    for number in range(1, num_trials + 1):
        view.on_event(TrialStarted(number=number, values={"units": 16 * number}))
        view.on_event(TrialEvent(number=number, event=PhaseStarted(phase=1, num_epochs=3, num_steps=2, first_epoch=1)))
        for epoch in (1, 2, 3):
            time.sleep(0.003)
            view.control.poll()
            ended = EpochEnded(epoch=Epoch(number=epoch, phase=1, metrics={"loss": 0.5}, seconds=0.003), best=True)
            view.on_event(TrialEvent(number=number, event=ended))
"""
SHOW_UNTIL_STOPPED = """
with SearchView("search") as view:
    search(view)
    print("searched", flush=True)
    while not view.control.stop_requested:
        time.sleep(0.01)
        view.control.poll()
"""


def test_without_a_kernel_it_shows_and_imports_nothing() -> None:
    code = f"""{SEARCH}
import sys
from jupyter_mltrain.domain.events import TrainControl
with SearchView("digits") as view:
    search(view, num_trials=2)
assert type(view.control) is TrainControl
assert not sys.modules.keys() & {{"IPython", "ipywidgets", "anywidget", "zmq", "tensorflow", "matplotlib"}}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_nothing_is_left_in_the_notebook() -> None:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [SEARCH, 'with SearchView("digits") as view:\n    search(view)\n"the result"']
    executed = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)), metadata={"kernelspec": kernel})
    NotebookClient(executed).execute()
    live, result = executed.cells[1].outputs
    assert live == {"output_type": "display_data", "data": {"text/plain": ""}, "metadata": {}}
    assert result.data == {"text/plain": "'the result'"}


def test_every_trial_is_sent_and_stop_is_heard(kernel: Any) -> None:
    kernel.run(SEARCH)
    cell = kernel.start(SHOW_UNTIL_STOPPED)
    deltas: list[dict[str, Any]] = []
    stopped = False
    while not deltas or "ended" not in deltas[-1] or not deltas[-1]["ended"]:
        message = kernel.client.get_iopub_msg(timeout=60)
        content = message["content"]
        if message["msg_type"] == "display_data":
            view = content["data"]["application/vnd.jupyter.widget-view+json"]["model_id"]
        if message["msg_type"] == "comm_msg" and content["data"]["method"] == "custom":
            deltas.append(content["data"]["content"])
        if message["msg_type"] == "stream" and not stopped:
            stopped = True
            kernel.send("comm_msg", comm_id=view, data={"method": "custom", "content": {"cmd": "stop"}})
    assert kernel.status(cell) == "ok"
    assert [delta["seq"] for delta in deltas] == list(range(1, len(deltas) + 1))
    assert {row["number"] for delta in deltas for row in delta.get("trials", [])} == set(range(1, 51))
    assert deltas[-1].items() >= {"ended": True, "doing": "Ended."}.items()
    assert any(delta.get("stopping") for delta in deltas)
