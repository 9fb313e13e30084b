from __future__ import annotations

from dataclasses import replace

from sample_runs import Page

from jupyter_mltrain.domain.device import Device, DeviceReport, StrategyChoice
from jupyter_mltrain.widgets.devices_view import DevicesView

CPU = Device(name="CPU:0", kind="CPU", description="AMD EPYC 7B13", memory=16 * 10**9, memory_free=3 * 10**9)
GPU = Device(name="GPU:0", kind="GPU", description="", memory=40 * 10**9, memory_free=39 * 10**9, compute_capability=(8, 0))
REPORT = DeviceReport(
    devices=(CPU,),
    strategy=StrategyChoice(kind="cpu", devices=("CPU:0",), reason="CPU: this machine has no GPU."),
    precision="float32",
    precision_reason="The policy that is set.",
    plan="epoch at once.",
)


def test_devices_and_what_auto_would_choose() -> None:
    assert DevicesView(REPORT).text() == "\n".join(
        [
            "  device  description     memory",
            "  CPU:0   AMD EPYC 7B13  16.0 GB",
            "--strategy auto: cpu on CPU:0. CPU: this machine has no GPU.",
            "--precision auto: float32. The policy that is set.",
            "--plan auto: epoch at once.",
        ]
    )


def test_free_memory_is_shown_of_a_gpu_alone() -> None:
    assert Page(DevicesView(replace(REPORT, devices=(CPU, GPU))).html()).rows == [
        ["device", "description", "memory", "free", "compute capability"],
        ["CPU:0", "AMD EPYC 7B13", "16.0 GB", "", ""],
        ["GPU:0", "GPU", "40.0 GB", "39.0 GB", "8.0"],
    ]


def test_it_is_the_same_each_time_on_a_machine_without_a_gpu() -> None:
    later = replace(REPORT, devices=(replace(CPU, memory_free=1),))
    assert DevicesView(REPORT)._repr_mimebundle_() == DevicesView(later)._repr_mimebundle_()
