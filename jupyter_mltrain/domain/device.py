"""The machine's devices and what was chosen from them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One logical device.

    Attributes:
        name: `CPU:0`, `GPU:1`.
        kind: `CPU`, `GPU` or `TPU`.
        description: the maker's name of it.
        memory: bytes in all, None where it cannot be told.
        memory_free: bytes free now, None where it cannot be told.
        compute_capability: of an NVIDIA GPU, for example `(8, 0)`.
    """

    name: str
    kind: str
    description: str = ""
    memory: int | None = None
    memory_free: int | None = None
    compute_capability: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyChoice:
    """What the engine will train on.

    Attributes:
        kind: `cpu`, `gpu` or `mirrored`.
        devices: names of the devices.
        reason: one sentence, for example `"CPU: this machine has no GPU."`.
    """

    kind: str
    devices: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReport:
    """What `%devices` shows: the devices and what `auto` would choose, each with its reason.

    Attributes:
        plan: how the steps of an epoch are carried out on them.
    """

    devices: tuple[Device, ...]
    strategy: StrategyChoice
    precision: str
    precision_reason: str
    plan: str
