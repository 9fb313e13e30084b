"""What the machine can compute on."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.device import Device, DeviceReport
from jupyter_mltrain.domain.spec import Precision
from jupyter_mltrain.engine import strategy

_BFLOAT16_SINCE = (8, 0)  # compute capability of the first NVIDIA GPUs whose tensor cores take bfloat16
_PLAN = (
    "epoch at once, epoch-xla as soon as a compiled loop is measured to be faster; block for tf.data; keras where nothing else "
    "keeps the meaning."
)
_PLAN_OF_SEVERAL = "keras. Several devices share the work in Keras's own loop."
_FLOAT16_SINCE = (7, 0)
_PROCESSOR_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # microseconds of processor time, and in which time


def report() -> DeviceReport:
    """Return the devices and what `auto` would choose of them, with reasons."""
    found = devices()
    precision, reason = _precision(found)
    choice = strategy.choose("auto", found)
    plan = _PLAN_OF_SEVERAL if choice.kind == "mirrored" else _PLAN
    return DeviceReport(devices=found, strategy=choice, precision=precision, precision_reason=reason, plan=plan)


def devices() -> tuple[Device, ...]:
    """Return TensorFlow's logical devices; this starts TensorFlow's runtime."""
    import tensorflow as tf

    physical = {gpu.name.removeprefix("/physical_device:"): gpu for gpu in tf.config.list_physical_devices("GPU")}
    memory = gpu_memory() if physical else {}
    found = []
    for logical in tf.config.list_logical_devices():
        name = logical.name.removeprefix("/device:")
        if logical.device_type == "CPU":
            found.append(_cpu(name))
        else:
            details = tf.config.experimental.get_device_details(physical[name]) if name in physical else {}
            found.append(_accelerator(name, logical.device_type, details, memory.get(name, (None, None))))
    return tuple(found)


def _cpu(name: str) -> Device:
    import psutil

    memory = psutil.virtual_memory()
    return Device(name=name, kind="CPU", description=processor(), memory=memory.total, memory_free=memory.available)


def _accelerator(name: str, kind: str, details: dict[str, Any], memory: tuple[int | None, int | None]) -> Device:
    return Device(
        name=name,
        kind=kind,
        description=details.get("device_name", ""),
        compute_capability=details.get("compute_capability"),
        memory=memory[0],
        memory_free=memory[1],
    )


def gpu_memory() -> dict[str, tuple[int, int]]:
    """Ask NVIDIA's own tool for total and free bytes, since TensorFlow does not tell; empty where it is missing.

    The tool counts the machine's cards, TensorFlow those that `CUDA_VISIBLE_DEVICES` shows it.
    """
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return {}
    query = [tool, "--query-gpu=index,uuid,memory.total,memory.free", "--format=csv,noheader,nounits"]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False).stdout  # noqa: S603
    cards = [[cell.strip() for cell in line.split(",")] for line in answer.splitlines()]
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    visible = shown.split(",") if shown else [card[0] for card in cards]
    found = {}
    for number, label in enumerate(visible):
        card = next((card for card in cards if label in card[:2]), None)
        if card is not None:
            found[f"GPU:{number}"] = (int(card[2]) * 2**20, int(card[3]) * 2**20)
    return found


def num_cores() -> int:
    """Return how many cores this process may use: the machine's, or fewer where it or its container is held to them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = map(int, _PROCESSOR_QUOTA.read_text().split())
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return cores
    return min(cores, max(1, quota // period))


def cards() -> list[str]:
    """Return the GPUs as `CUDA_VISIBLE_DEVICES` names them."""
    import tensorflow as tf

    shown = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return [shown[n] if n < len(shown) and shown[n] else str(n) for n in range(len(tf.config.list_physical_devices("GPU")))]


def processor() -> str:
    """Return the processor's name as its maker writes it, else what Python knows."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _precision(found: tuple[Device, ...]) -> tuple[str, str]:
    """Keep the user's policy: another precision gives other numbers, so it is proposed and never taken unasked."""
    import keras

    policy = keras.config.dtype_policy().name
    capability = max((device.compute_capability or (0, 0) for device in found), default=(0, 0))
    if capability >= _FLOAT16_SINCE:
        faster = Precision.MIXED_BFLOAT16 if capability >= _BFLOAT16_SINCE else Precision.MIXED_FLOAT16
        return policy, f"It gives the same numbers as the bare cell; --precision {faster} would use the tensor cores."
    return policy, "It gives the same numbers as the bare cell."
