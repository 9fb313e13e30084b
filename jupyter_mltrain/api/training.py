"""Training from Python."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jupyter_mltrain.api.session import opened, origin_of_call
from jupyter_mltrain.domain.checkpoints import All
from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.estimate import Estimate
from jupyter_mltrain.domain.origin import Origin
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.domain.spec import Auto, CellOutcome, LearningRateSchedule, Plan, Precision, TrainSpec, chosen
from jupyter_mltrain.services.background import BackgroundRun
from jupyter_mltrain.services.detaching import Notify

NOT_OF_THE_SPEC = ("body", "resume", "background", "detach", "notify")
"""Arguments of `train` that say what and where, not how."""


def train(
    body: Any,
    *,
    name: str | None = None,
    data: Any = None,
    validation_data: Any = None,
    validation_split: float | None = None,
    target: str | None = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    shuffle: bool | None = None,
    epochs: int | None = None,
    batch_size: int | Auto | None = None,
    learning_rate: float | Auto | None = None,
    lr_schedule: str | None = None,
    optimizer: str | None = None,
    weight_decay: float | None = None,
    momentum: float | None = None,
    l2: float | None = None,
    dropout: float | None = None,
    loss: str | None = None,
    metrics: Sequence[str] = (),
    early_stop: int | None = None,
    monitor: str | None = None,
    callbacks: Any = None,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    initial_epoch: int | None = None,
    seed: int | None = None,
    deterministic: bool = False,
    allow_nan: bool = False,
    strategy: str = "auto",
    precision: str = "auto",
    plan: str = "auto",
    data_memory: float = 0.25,
    hp: str | Mapping[str, Any] | None = None,
    dry_run: bool = False,
    checkpoint_every: str | None = None,
    keep_checkpoints: int | All | None = None,
    fork: str | None = None,
    resume: str | None = None,
    background: bool = False,
    detach: bool = False,
    notify: Notify = None,
    register: str | None = None,
    tags: Mapping[str, str] | None = None,
    note: str = "",
    track: bool = True,
    histograms: int | None = None,
    graph: bool = False,
    confusion: bool = False,
) -> Run | BackgroundRun | Estimate:
    """Train a model, watched and recorded as a `%%train` cell is.

    Args:
        body: a Keras model, which is trained on `data`; or a function, which is called once under the chosen strategy: the
            `fit` calls in it are recorded, or the model that it returns is trained on `data`. An argument that it needs is
            given hyperparameters, `keras_tuner.HyperParameters`, with their defaults or the values of `hp`.
        name: what to call the run; names may repeat.
        data: `(x, y)`, `(x, y, sample_weight)`, tf.data, a `PyDataset`, a generator, or a data frame with `target`.
        validation_data: what to validate on, as `data`.
        validation_split: share of the rows held back, the last ones, between 0 and 1.
        target: column of the data frame to predict; several with commas.
        sample_weight: one weight a row.
        class_weight: class number to weight.
        shuffle: whether to shuffle arrays before each epoch; Keras's own choice if left out.
        epochs: passes over the data.
        batch_size: rows a step; 32 if nothing says otherwise; `auto` measures which is the fastest.
        learning_rate: above 0; `auto` finds one by a range test.
        lr_schedule: `cosine`, `linear` or `exponential`: how the rate falls over the whole training.
        optimizer: Keras's name; `adam` if nothing says otherwise.
        weight_decay: decoupled weight decay of the optimizer.
        momentum: of SGD and RMSprop.
        l2: L2 penalty on the kernels of all layers.
        dropout: rate of all Dropout layers.
        loss: Keras's name, or `cross-entropy` for the form that fits the targets.
        metrics: Keras's names.
        early_stop: stop after so many epochs without a better one, and restore the best.
        monitor: the metric that decides what is best: `val_loss`, else `loss`; `NAME:max` or `NAME:min`.
        callbacks: Keras callbacks.
        steps_per_epoch: for data without an end.
        validation_steps: for validation data without an end.
        initial_epoch: number of the first epoch, from 0.
        seed: of Python, NumPy, TensorFlow and Keras.
        deterministic: use deterministic operations; slower, until the process ends.
        allow_nan: go on when data or loss hold NaN or infinity.
        strategy: `auto`, `cpu`, `gpu`, `gpu:N` or `mirrored`.
        precision: `auto`, `float32`, `mixed_bfloat16`, `mixed_float16` or `float64`.
        plan: how an epoch is executed: `auto`, `keras`, `block`, `epoch` or `epoch-xla`; with a seed `auto` does not change it.
        data_memory: share of the device's free memory that data may take as tensors, 0 to 1; larger data stream.
        hp: take the hyperparameters of a trial: `best`, a search, or `SEARCH/TRIAL`; or a dict of them.
        dry_run: train and record nothing; return what the first `fit` would need.
        checkpoint_every: `1 epoch`, `500 steps`, `10 min`, `never`: when to keep what `resume` needs; else as often as is cheap.
        keep_checkpoints: how many of them, or `all`, a completed run keeps; one an epoch, if nothing else is said.
        fork: `digits@5`, `digits@best`, `digits`: the run whose state this one begins with, after that epoch, its best or its
            newest. What is asked for here holds; the epochs go on counting.
        resume: a run that was cut short, to go on with from its newest checkpoint; `last` is the newest. It keeps the options
            that it began with; objects have to be given again.
        background: train in a process of its own and return at once; it is interrupted when this process ends.
        detach: as `background`, and it goes on when this process has ended.
        notify: for the end of such a training: a function, which is given the run, in its process; or a shell command, which
            `MLTRAIN_RUN` and `MLTRAIN_STATUS` tell of what.
        register: put the best model under a new version of this name.
        tags: labels of the run.
        note: a remark for the record.
        track: False records nothing and writes nothing.
        histograms: for TensorBoard: the distributions of the weights every so many epochs.
        graph: for TensorBoard: the operations of the model.
        confusion: for TensorBoard: the confusion matrix of a classifier on the validation data, after each epoch.

    Returns:
        the run as it is recorded, a `BackgroundRun` of one that trains by itself, or the `Estimate` of a dry run.

    Raises:
        MLTrainError: what was asked cannot be done; the run is recorded as failed.
        Exception: whatever the function raises, unchanged; the run is recorded as failed.
    """
    options = {option: value for option, value in locals().items() if option not in NOT_OF_THE_SPEC}
    from jupyter_mltrain.services.estimating import estimate
    from jupyter_mltrain.services.training import train as train_cell
    from jupyter_mltrain.widgets.train_view import TrainView

    if notify and not (background or detach):
        raise OptionError("expected notify with detach or background, received neither: add one of them")
    spec, cell = train_spec(options), Body(body)
    cell.origin = origin_of_call()
    if spec.dry_run and not resume:
        with opened() as session:
            return estimate(session, spec, cell)
    if background or detach:
        from jupyter_mltrain.services.detaching import detach as detach_cell

        with opened() as session:
            return detach_cell(session, spec, cell, resume=resume, outlives=detach, notify=notify)
    with opened() as session, TrainView(resume or spec.name or "run") as view:
        return train_cell(session, spec, cell, on_event=view.on_event, control=view.control, resume=resume)[0]


class Body:
    """A model, a `HyperModel` or a function as the engine takes a cell."""

    origin: Origin | None = None  # that of a program is known to whoever wrote it

    def __init__(self, body: Any) -> None:
        """Take it.

        Raises:
            OptionError: it is none of these.
        """
        self._is_function = not hasattr(body, "fit")
        if self._is_function and not callable(body):
            raise OptionError(f"expected a Keras model or a function to train, received {type(body).__name__}: pass one of them")
        self._body = body
        self._takes_hp = self._is_function and bool(_required(body))
        self.source = _source(body) if self._is_function else f"train({body.name})"

    @property
    def lacks_hp(self) -> bool:
        """Whether it is a function of hyperparameters."""
        return self._takes_hp

    def run(self, hp: Any = None) -> CellOutcome:
        """Call the function; a model is what it is."""
        if not self._is_function:
            return CellOutcome(value=self._body)
        return CellOutcome(value=self._body(hp) if self._takes_hp else self._body())

    def copied(self) -> Body:
        """Return the same: a function has its names for itself."""
        return self

    @property
    def needs(self) -> dict[str, Any]:
        """What a function takes from around it, by name; else the body itself."""
        if not inspect.isfunction(self._body):
            return {"body": self._body}
        found = inspect.getclosurevars(self._body)
        return {**found.globals, **found.nonlocals}

    def portable(self, expressions: Iterable[str]) -> Body:  # noqa: ARG002 - of the protocol
        """Return the same: cloudpickle sends a function with what it uses."""
        return self

    def evaluate(self, expression: str, option: str) -> Any:
        """Refuse text for data, which names nothing outside a notebook's line."""
        name = option.removeprefix("--").replace("-", "_")
        raise OptionError(f"expected {name} as an object, received the text {expression!r}: pass the variable itself")


def _required(function: Any) -> list[str]:
    """Return the parameters of a function that need a value."""
    parameters = inspect.signature(function).parameters.values()
    return [each.name for each in parameters if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD]


def _source(function: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):  # it was made without a file or a cell
        return f"train({getattr(function, '__name__', type(function).__name__)})"


def train_spec(options: Mapping[str, Any]) -> TrainSpec:
    """Return the spec of `train`'s keyword arguments."""
    schedule = options["lr_schedule"]
    return TrainSpec(
        **{
            **options,
            "metrics": tuple(options["metrics"]),
            "tags": options["tags"] or {},
            "precision": chosen("precision", Precision, options["precision"]),
            "plan": chosen("plan", Plan, options["plan"]),
            "lr_schedule": chosen("lr_schedule", LearningRateSchedule, schedule) if schedule else None,
        }
    )
