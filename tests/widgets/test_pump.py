from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_mltrain.widgets.pump import PumpControl

PREPARE = """
import threading, time
from comm import create_comm
from jupyter_mltrain.widgets.pump import PumpControl

own, other, log = create_comm(target_name="own"), create_comm(target_name="other"), []
other.on_msg(lambda message: log.append("other"))

def receive(content):
    log.append(content["text"])
    control.request_stop()

control = PumpControl(get_ipython().kernel, comm_id=own.comm_id, receive=receive, idle=lambda: None)

def train():
    for _ in range(3000):
        if control.stop_requested:
            break
        time.sleep(0.01)
        control.poll()
    log.append("end")

print(own.comm_id, other.comm_id)
"""
TRAIN = """
with control:
    print("training", flush=True)
    train()
"""
THREADED = """
with control:
    print("training", flush=True)
    time.sleep(0.5)
    thread = threading.Thread(target=control.poll)
    thread.start()
    thread.join()
    log.append("thread looked")
    train()
"""
ENDED = """
with control:
    control.poll()
print("training", flush=True)
time.sleep(0.5)
control.poll()
log.append("end")
"""


@pytest.fixture
def comms(kernel: Any) -> tuple[str, str]:
    own, other = kernel.run(PREPARE).split()
    return own, other


def send_stop(kernel: Any, comm_id: str) -> None:
    kernel.send("comm_msg", comm_id=comm_id, data={"method": "custom", "content": {"text": "stop"}})


def test_own_message_is_heard_while_the_cell_runs(kernel: Any, comms: tuple[str, str]) -> None:
    cell = kernel.start(TRAIN)
    kernel.wait_for("stream", text="training\n")
    send_stop(kernel, comms[0])
    assert kernel.status(cell) == "ok"
    assert kernel.run("print(log)") == "['stop', 'end']\n"


def test_everything_else_waits_and_keeps_its_order(kernel: Any, comms: tuple[str, str]) -> None:
    own, other = comms
    cell = kernel.start(TRAIN)
    kernel.wait_for("stream", text="training\n")
    queued = [kernel.start(f"log.append({name!r})") for name in "ABC"]
    kernel.send("comm_msg", comm_id=other, data={"method": "custom", "content": {}})
    send_stop(kernel, own)
    assert [kernel.status(request) for request in [cell, *queued]] == ["ok"] * 4
    log = kernel.run("print(*log)").split()
    assert log[:2] == ["stop", "end"]
    assert [name for name in log[2:] if name != "other"] == ["A", "B", "C"]
    assert log.count("other") == 1


def test_a_queued_cell_runs_in_the_notebooks_own_context(kernel: Any, comms: tuple[str, str]) -> None:
    kernel.run("from contextvars import ContextVar\nprecision = ContextVar('precision', default=8)")
    kernel.start(TRAIN)
    kernel.wait_for("stream", text="training\n")
    kernel.start("precision.set(3)")
    send_stop(kernel, comms[0])
    assert kernel.run("print(precision.get())") == "3\n"


def test_a_reloaded_page_gets_the_state_of_all_widgets(kernel: Any, comms: tuple[str, str]) -> None:
    widget = kernel.run("import ipywidgets\nwidget = ipywidgets.IntText(value=7)\nprint(widget.model_id)").strip()
    cell = kernel.start(TRAIN)
    kernel.wait_for("stream", text="training\n")
    kernel.send("comm_open", comm_id="page", target_name="jupyter.widget.control", data={})
    kernel.send("comm_msg", comm_id="page", data={"method": "request_states"})
    states = kernel.wait_for("comm_msg", comm_id="page")["content"]["data"]["states"]
    assert states[widget]["state"]["value"] == 7
    send_stop(kernel, comms[0])
    assert kernel.status(cell) == "ok"


def test_an_interrupt_ends_the_cell_and_loses_no_queued_cell(kernel: Any, comms: tuple[str, str]) -> None:
    cell = kernel.start(TRAIN, stop_on_error=False)
    kernel.wait_for("stream", text="training\n")
    queued = [kernel.start(f"log.append({number})") for number in range(20)]
    kernel.manager.interrupt_kernel()
    assert kernel.status(cell) == "error"
    assert [kernel.status(request) for request in queued] == ["ok"] * 20
    assert kernel.run("print(log == list(range(20)))") == "True\n"


def test_only_the_thread_that_entered_looks(kernel: Any, comms: tuple[str, str]) -> None:
    cell = kernel.start(THREADED)
    kernel.wait_for("stream", text="training\n")
    send_stop(kernel, comms[0])
    assert kernel.status(cell) == "ok"
    assert kernel.run("print(*log)") == "thread looked stop end\n"


def test_nothing_is_taken_after_the_end(kernel: Any, comms: tuple[str, str]) -> None:
    cell = kernel.start(ENDED)
    kernel.wait_for("stream", text="training\n")
    send_stop(kernel, comms[0])
    assert kernel.status(cell) == "ok"
    assert kernel.run("print(*log)") == "end\n"


def test_without_the_private_channel_it_is_a_plain_control() -> None:
    looks: list[str] = []
    control = PumpControl(SimpleNamespace(), comm_id="x", receive=lambda content: None, idle=lambda: looks.append("idle"))
    with control:
        control.poll()
        assert not control.stop_requested
        control.request_stop()
    assert control.stop_requested
    assert looks == ["idle"]
