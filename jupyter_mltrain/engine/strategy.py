"""Which devices train, and how they share the work."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from jupyter_mltrain.domain.device import Device, StrategyChoice
from jupyter_mltrain.domain.errors import DeviceError


def choose(asked: str, found: tuple[Device, ...]) -> StrategyChoice:
    """Choose from the devices that there are.

    Args:
        asked: `auto`, `cpu`, `gpu`, `gpu:N` (the N-th GPU, from 0) or `mirrored`.
        found: what `devices.devices()` returned.

    Raises:
        DeviceError: the machine lacks what was asked; the message lists what it has.
    """
    gpus = tuple(device.name for device in found if device.kind == "GPU")
    cpus = tuple(device.name for device in found if device.kind == "CPU")
    if asked == "auto":
        return _automatic(gpus, cpus)
    if asked == "cpu":
        return StrategyChoice(kind="cpu", devices=cpus[:1], reason="CPU: asked for.")
    if asked == "mirrored":
        shared = gpus if len(gpus) > 1 else cpus if not gpus else ()
        if len(shared) < 2:
            raise _lacking("two GPUs, or two logical CPU devices, for --strategy mirrored", found)
        return _mirrored(shared, "asked for")
    number = int(asked.partition(":")[2] or 0)
    if number >= len(gpus):
        raise _lacking(f"GPU {number} for --strategy {asked}" if gpus else f"a GPU for --strategy {asked}", found)
    return StrategyChoice(kind="gpu", devices=(gpus[number],), reason=f"{gpus[number]}: asked for.")


def _automatic(gpus: tuple[str, ...], cpus: tuple[str, ...]) -> StrategyChoice:
    if len(gpus) > 1:
        return _mirrored(gpus, f"this machine has {len(gpus)} of them")
    if gpus:
        return StrategyChoice(kind="gpu", devices=gpus, reason=f"{gpus[0]}: the one GPU of this machine.")
    # Sharing one processor between replicas only costs: 1.25 to 3.8 times the time of one device (measured).
    return StrategyChoice(kind="cpu", devices=cpus[:1], reason="CPU: this machine has no GPU.")


def _mirrored(names: tuple[str, ...], why: str) -> StrategyChoice:
    kind = names[0].partition(":")[0]
    reason = f"Mirrored over {len(names)} {kind}s: each computes its share of every batch; {why}."
    return StrategyChoice(kind="mirrored", devices=names, reason=reason)


def _lacking(wanted: str, found: tuple[Device, ...]) -> DeviceError:
    there = ", ".join(f"{device.name} ({device.description})" if device.description else device.name for device in found)
    return DeviceError(f"expected {wanted}, this machine has {there}: leave --strategy out to take the best of them")


class Scope:
    """The strategy's scope around a body, which can be left for the while of one `fit`."""

    def __init__(self, choice: StrategyChoice, *, is_default: bool) -> None:
        """Make the `tf.distribute` strategy.

        Args:
            choice: what to train on.
            is_default: whether TensorFlow would take that one device by itself, so that nothing need be entered and the
                numbers are the bare cell's to the bit.
        """
        self.devices = choice.devices
        self.strategy: Any = None
        self._device: str | None = None
        if choice.kind == "mirrored":
            self.strategy = _mirrored_strategy(choice.devices)
        elif not is_default:
            self._device = f"/{choice.devices[0]}"
        self._entered = ExitStack()

    def __enter__(self) -> Scope:
        """Enter the strategy's scope."""
        self._entered.enter_context(self._context())
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave it."""
        self._entered.close()

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Leave the scope for a while: a model that was built outside it can only be trained outside it."""
        self._entered.close()
        try:
            yield
        finally:
            self._entered.enter_context(self._context())

    def _context(self) -> AbstractContextManager[Any]:
        import tensorflow as tf

        if self.strategy is not None:
            scope: AbstractContextManager[Any] = self.strategy.scope()
            return scope
        return tf.device(self._device) if self._device else ExitStack()


def scope_of(choice: StrategyChoice, found: tuple[Device, ...]) -> Scope:
    """Return the scope to train in.

    Args:
        choice: what `choose` chose.
        found: what it chose from.
    """
    is_default = choice.kind == "gpu" or not any(device.kind == "GPU" for device in found)
    return Scope(choice, is_default=is_default and choice.devices[0].endswith(":0"))


@functools.cache
def _mirrored_strategy(names: tuple[str, ...]) -> Any:
    """Make one strategy a process: TensorFlow takes the first all-reduce of a second one for the first one's, and fails."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(list(names))
