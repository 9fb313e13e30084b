"""What the machine can train on."""

from __future__ import annotations

from jupyter_mltrain.domain.device import DeviceReport
from jupyter_mltrain.engine.interrupts import uninterrupted


def report() -> DeviceReport:
    """Return the devices, what `auto` would choose of them, and why; this starts TensorFlow."""
    with uninterrupted():
        from jupyter_mltrain.engine import devices

    return devices.report()
