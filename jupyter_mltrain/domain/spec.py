"""What was asked for: one frozen `TrainSpec` for a `%%train` line or a `train(...)` call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Literal, Protocol, TypeVar

from jupyter_mltrain.domain.checkpoints import All, CheckpointEvery, check_kept
from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.origin import Origin

_STRATEGY = re.compile(r"auto|cpu|gpu(:\d+)?|mirrored")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DATA = ("data", "validation_data", "sample_weight")
_MAY_CHANGE = ("epochs", "checkpoint_every", "keep_checkpoints")  # when a run goes on
_Choice = TypeVar("_Choice", bound=StrEnum)

Auto = Literal["auto"]
AUTO: Auto = "auto"
"""For a batch size or a learning rate: found by trying, before the first step."""


class Precision(StrEnum):
    """The Keras dtype policy; `auto` leaves the policy that is set."""

    AUTO = "auto"
    FLOAT32 = "float32"
    MIXED_BFLOAT16 = "mixed_bfloat16"
    MIXED_FLOAT16 = "mixed_float16"
    FLOAT64 = "float64"


class Plan(StrEnum):
    """How an epoch is executed."""

    AUTO = "auto"  # begins as `epoch` or `block` and moves up where that pays
    KERAS = "keras"  # Keras's own step loop, the bare cell's numbers to the bit
    BLOCK = "block"  # several steps a call
    EPOCH = "epoch"  # a whole epoch's steps in one loop of the graph
    EPOCH_XLA = "epoch-xla"  # that loop compiled by XLA


class LearningRateSchedule(StrEnum):
    """How the learning rate falls from `learning_rate` over the whole training."""

    COSINE = "cosine"  # to zero along half a cosine (Loshchilov and Hutter 2017)
    LINEAR = "linear"  # to zero along a line
    EXPONENTIAL = "exponential"  # to a hundredth, by the same factor every step


def flag(name: str) -> str:
    """Return the option of `%%train` for a field of `TrainSpec`."""
    return {"learning_rate": "--lr", "validation_data": "--val"}.get(name, "--" + name.replace("_", "-"))


def chosen(option: str, choices: type[_Choice], value: str) -> _Choice:
    """Return the member of `choices` that `value` names; raise `OptionError` if none does."""
    try:
        return choices(value)
    except ValueError as error:
        raise OptionError(f"expected {option} {', '.join(choices)}, received {value!r}: choose one of them") from error


def check_name(name: str, what: str) -> str:
    """Return `name` if it can name a run or a model, and a file; raise `OptionError` if not."""
    if not _NAME.fullmatch(name):
        raise OptionError(
            f"expected a {what} name of 1 to 100 letters, digits, '.', '_' or '-', beginning with a letter or digit, "
            f"received {name[:120]!r}: choose another"
        )
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSpec:
    """The options of one training; `None` means: not given, so the cell's own or the default holds.

    Data expressions (`data`, `validation_data`, `sample_weight`, `class_weight`, `callbacks`, `metrics`) are Python
    source that is evaluated in the notebook's namespace, or the objects themselves when called from Python. `data_memory` is
    the share of the device's free memory that data may take as tensors; `dry_run` asks for an estimate in place of the run;
    `hp` names the trial whose hyperparameters are taken: `best`, a search, or `SEARCH/TRIAL`, or maps their names to
    values; `checkpoint_every` is what
    `CheckpointEvery.parse` takes, None for as often as is cheap; `keep_checkpoints` is how many a completed run keeps; `fork`
    names the run whose state this one begins with, and an epoch of it: `digits@5`, `digits@best`. For TensorBoard,
    `histograms` asks for the weights every so many epochs, `graph` for the model's operations, `confusion` for a matrix of the
    validation data after each epoch.
    """

    name: str | None = None
    # data
    data: Any = None
    validation_data: Any = None
    validation_split: float | None = None
    target: str | None = None
    sample_weight: Any = None
    class_weight: Any = None
    shuffle: bool | None = None
    # training
    model: str | None = None
    epochs: int | None = None
    batch_size: int | Auto | None = None
    learning_rate: float | Auto | None = None
    lr_schedule: LearningRateSchedule | None = None
    optimizer: str | None = None
    weight_decay: float | None = None
    momentum: float | None = None
    l2: float | None = None
    dropout: float | None = None
    loss: str | None = None
    metrics: tuple[str, ...] = ()
    early_stop: int | None = None
    monitor: str | None = None
    callbacks: Any = None
    steps_per_epoch: int | None = None
    validation_steps: int | None = None
    initial_epoch: int | None = None
    seed: int | None = None
    deterministic: bool = False
    allow_nan: bool = False
    # engine
    strategy: str = "auto"
    precision: Precision = Precision.AUTO
    plan: Plan = Plan.AUTO
    data_memory: float = 0.25
    dry_run: bool = False
    hp: str | Mapping[str, Any] | None = None
    checkpoint_every: str | None = None
    keep_checkpoints: int | All | None = None
    fork: str | None = None
    # tracking
    register: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    track: bool = True
    histograms: int | None = None
    graph: bool = False
    confusion: bool = False

    def __post_init__(self) -> None:
        """Check every value that can be checked without the notebook and without TensorFlow."""
        if self.name is not None:
            check_name(self.name, "run")
        if self.register is not None:
            check_name(self.register, "model")
        if self.register is not None and not self.track:
            raise OptionError("expected --register or --no-track, received both: a version needs its recorded run")
        if not _STRATEGY.fullmatch(self.strategy):
            raise OptionError(
                f"expected --strategy auto, cpu, gpu, gpu:N or mirrored, received {self.strategy!r}: %devices lists what there is"
            )
        if self.checkpoint_every is not None:
            CheckpointEvery.parse(self.checkpoint_every)
        if self.keep_checkpoints is not None:
            check_kept(self.keep_checkpoints)
        if self.fork is not None and (self.dry_run or not self.track):
            other = "--dry-run" if self.dry_run else "--no-track"
            raise OptionError(f"expected --fork or {other}, received both: leave one out")
        self._check_auto()
        self._check_at_least(1, "epochs", "batch_size", "steps_per_epoch", "validation_steps", "early_stop", "histograms")
        self._check_at_least(0, "initial_epoch", "seed", "weight_decay", "momentum", "l2")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise OptionError(f"expected --dropout of at least 0 and below 1, received {self.dropout}: 0.5 is a common start")
        if self.fixed_learning_rate is not None and not self.fixed_learning_rate > 0:
            raise OptionError(f"expected --lr above 0, received {self.learning_rate}: 0.001 is a common start")
        if self.validation_split is not None and not 0 < self.validation_split < 1:
            raise OptionError(
                f"expected --validation-split between 0 and 1, received {self.validation_split}: 0.2 holds back a fifth"
            )
        if self.validation_split is not None and self.validation_data is not None:
            raise OptionError("expected --val or --validation-split, received both: leave one out")
        if not 0 <= self.data_memory <= 1:
            raise OptionError(
                f"expected data_memory from 0 to 1, received {self.data_memory}: 0.25 gives data a quarter of the free memory"
            )

    @property
    def fixed_learning_rate(self) -> float | None:
        """The learning rate that was given as a number; None where it is to be found, or was not given."""
        return None if self.learning_rate == AUTO else self.learning_rate

    def _check_auto(self) -> None:
        for option, value in (("--lr", self.learning_rate), ("--batch-size", self.batch_size)):
            if isinstance(value, str) and value != AUTO:
                raise OptionError(f"expected {option} auto or a number, received {value!r}: leave it out for the default")
            if value == AUTO and self.lr_schedule is not None:
                raise OptionError(
                    f"expected {option} auto or --lr-schedule, received both: find the one first, then give it as a number "
                    "with the schedule"
                )

    def _check_at_least(self, lowest: int, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if value is not None and value != AUTO and not value >= lowest:
                option = "--" + name.replace("_", "-")
                raise OptionError(f"expected {option} of at least {lowest}, received {value}: leave it out for the default")

    def expressions(self) -> tuple[str, ...]:
        """Return the texts among the options that are evaluated in the notebook's namespace."""
        given = (getattr(self, name) for name in (*_DATA, "class_weight", "callbacks", "model"))
        return tuple(value for value in given if isinstance(value, str))

    def given(self) -> dict[str, Any]:
        """Return the options that differ from their defaults, for the record; an object is named by its class."""
        default = TrainSpec()
        given: dict[str, Any] = {}
        for option in fields(self):
            value = getattr(self, option.name)
            if value is None:
                continue
            is_plain = isinstance(value, int | float | tuple | dict) and option.name not in _DATA
            if not is_plain and not isinstance(value, str):
                given[option.name] = f"<{type(value).__name__}>"
            elif value != getattr(default, option.name):
                given[option.name] = value
        return given

    def completed(self, options: Mapping[str, Any]) -> TrainSpec:
        """Return this spec with options as `given` returned them, and the record kept them."""
        kinds: Mapping[str, Callable[[Any], Any]] = {
            "precision": Precision,
            "plan": Plan,
            "lr_schedule": LearningRateSchedule,
            "metrics": tuple,
        }
        return replace(self, **{name: kinds[name](value) if name in kinds else value for name, value in options.items()})

    def going_on(self, options: Mapping[str, Any]) -> TrainSpec:
        """Return this spec with the options of the run that it goes on with.

        Args:
            options: as `given` returned them; what was an object is named there only, and has to be given again.

        Raises:
            OptionError: it gives an option that cannot change on the way another value, or an object is missing.
        """
        given = self.given()
        for name, value in given.items():
            before = options.get(name)
            if name not in _MAY_CHANGE and value != (tuple(before) if isinstance(before, list) else before):
                raise OptionError(
                    f"expected {flag(name)} as the run began, {before or 'not given'}, received {value}: leave it out, or leave "
                    "--resume out for a new run"
                )
        for name, value in options.items():
            if str(value).startswith("<") and name not in given:
                raise OptionError(f"expected {flag(name)} again to go on with the run, received none: it was given as an object")
        return self.completed({name: value for name, value in options.items() if name not in given})


@dataclass(frozen=True, slots=True, kw_only=True)
class CellOutcome:
    """What a body left: the value of its last expression and the names that it bound to new objects."""

    value: Any = None
    assigned: Mapping[str, Any] = field(default_factory=dict)


class Cell(Protocol):
    """The user's code, as the engine sees it: something that runs once and a namespace to look names up in.

    Attributes:
        source: its text, magic line included.
        origin: what it hangs on besides, to be kept with its run; None where that is not known.
    """

    source: str
    origin: Origin | None

    @property
    def lacks_hp(self) -> bool:
        """Whether the body speaks of `hp` and nothing of that name is there."""
        ...

    def run(self, hp: Any = None) -> CellOutcome:
        """Run the body once; the user's own exceptions pass through unchanged.

        Args:
            hp: what the name `hp` stands for meanwhile; None leaves it as it is.
        """
        ...

    def copied(self) -> Cell:
        """Return the same body over a copy of the namespace, so that what it binds is gone with it."""
        ...

    def portable(self, expressions: Iterable[str]) -> Cell:
        """Return the same body over only what it and some expressions use of the namespace, to be sent by cloudpickle."""
        ...

    @property
    def needs(self) -> Mapping[str, Any]:
        """What it takes from the namespace, by name; of a portable one only what goes with it."""
        ...

    def evaluate(self, expression: str, option: str) -> Any:
        """Return the value of a Python expression over the namespace.

        Args:
            expression: the source, for example `"x_train, y_train"`.
            option: the option that it was given for, for the message.

        Raises:
            UnknownNameError: a name in it does not exist; near misses are suggested.
            OptionError: it is not Python, or it raised.
        """
        ...
