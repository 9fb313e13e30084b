"""The machine's devices, and what the engine would choose from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_mltrain.domain.device import Device, DeviceReport
from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.table import Cell, Table, Value
from jupyter_mltrain.widgets.view import Line, Page, View


@dataclass(frozen=True, slots=True, repr=False)
class DevicesView(Page):
    """What `%devices` shows; the same each time on one machine, but for the free memory of its GPUs."""

    report: DeviceReport

    def parts(self) -> Sequence[View]:
        """Return the devices and the two choices."""
        report = self.report
        columns, rows = _without_empty(
            ("device", "description", "memory", "free", "compute capability"), [_row(device) for device in report.devices]
        )
        return [
            Table(columns, rows, sortable=False),
            Line(
                f"{report.strategy.kind} on {', '.join(report.strategy.devices)}. {report.strategy.reason}",
                lead="--strategy auto",
            ),
            Line(f"{report.precision}. {report.precision_reason}", lead="--precision auto"),
            Line(report.plan, lead="--plan auto"),
        ]


def _row(device: Device) -> tuple[Value, ...]:
    # the free memory of the machine itself would change with every look
    free = device.memory_free if device.kind == "GPU" else None
    capability = ".".join(map(str, device.compute_capability)) if device.compute_capability else None
    return device.name, device.description or device.kind, _memory(device.memory), _memory(free), capability


def _memory(num_bytes: int | None) -> Cell | None:
    return None if num_bytes is None else Cell(theme.size(num_bytes), num_bytes)


def _without_empty(columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> tuple[list[str], list[list[Value]]]:
    """Leave out the columns that are empty in every row."""
    kept = [i for i in range(len(columns)) if any(row[i] is not None for row in rows)]
    return [columns[i] for i in kept], [[row[i] for i in kept] for row in rows]
