"""What a training would need, found without training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What `%%train --dry-run` found out about the first `fit` of a cell.

    Attributes:
        model: its name.
        num_trainable, num_frozen: parameters that are trained, and that are not.
        batch_size: rows a step; None where the data do not say before they are read.
        num_steps: of an epoch; None where the data do not say.
        epochs: of this `fit`, at most.
        weights, gradients: bytes of all parameters, and of the gradients of those that are trained.
        optimizer: bytes of what the optimizer keeps.
        best_weights: bytes of the best epoch's weights, which are kept beside the last ones; 0 where a GPU has the others.
        activations: bytes at the peak of one step; None where the step cannot be traced.
        data: bytes that the engine takes for data: as tensors where they are held, and the blocks that are gathered ahead; 0 for
            pipelines and generators.
        memory_free: bytes that this training could have: what is free, and what of the above is there already.
        plan: what the steps would be done with.
        reason: why, in a sentence; with measured times where there are any.
        step_seconds: of a step of training in that plan, measured; None where nothing could be tried.
        epoch_seconds: of an epoch, and of its validation where that could be measured too.
        notices: what else there is to know, a sentence each.
    """

    model: str
    num_trainable: int
    num_frozen: int
    batch_size: int | None
    num_steps: int | None
    epochs: int
    weights: int
    gradients: int
    optimizer: int
    best_weights: int
    activations: int | None
    data: int
    memory_free: int
    plan: str
    reason: str
    step_seconds: float | None
    epoch_seconds: float | None
    notices: tuple[str, ...] = ()

    @property
    def memory(self) -> int:
        """Bytes that this training needs in all, as far as is known."""
        known = self.weights + self.gradients + self.optimizer + self.best_weights + self.data
        return known + (self.activations or 0)

    @property
    def fits(self) -> bool:
        """Whether that is free."""
        return self.memory <= self.memory_free
