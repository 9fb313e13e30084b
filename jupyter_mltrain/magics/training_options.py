"""The options that `%%train` and `%%tune` share, and the spec that they make."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from IPython.core.magic_arguments import argument, argument_group

from jupyter_mltrain.domain.errors import OptionError, did_you_mean
from jupyter_mltrain.domain.spec import LearningRateSchedule, Plan, Precision, TrainSpec, chosen
from jupyter_mltrain.magics.options import float_or_auto, int_or_auto, key_value
from jupyter_mltrain.magics.settings import MLTrain
from jupyter_mltrain.services.home import project_settings

_FIELDS = {field.name for field in fields(TrainSpec)}
_NOT_TRAINING = {"home", "store", "artifacts"}

_OPTIONS = (
    argument_group("data"),
    argument("--data", nargs="+", metavar="EXPR", help="what to train on: x, y or x, y, weights; tf.data; a data frame …"),
    argument("--val", dest="validation_data", nargs="+", metavar="EXPR", help="what to validate on, as --data"),
    argument("--validation-split", type=float, metavar="SHARE", help="share of the rows held back, the last ones, 0 to 1"),
    argument("--target", metavar="COLUMN", help="column of the data frame to predict; several with commas"),
    argument("--sample-weight", nargs="+", metavar="EXPR", help="one weight a row"),
    argument("--class-weight", nargs="+", metavar="EXPR", help="a dict: class number to weight"),
    argument("--shuffle", action=argparse.BooleanOptionalAction, default=None, help="shuffle arrays before each epoch"),
    argument_group("training"),
    argument("--model", metavar="NAME", help="which model, where the cell calls no fit and builds several or none"),
    argument("--epochs", type=int, metavar="N", help="passes over the data"),
    argument(
        "--batch-size", type=int_or_auto, metavar="N", help="rows a step; 32 if nothing says otherwise; auto measures the fastest"
    ),
    argument(
        "--lr", dest="learning_rate", type=float_or_auto, metavar="RATE", help="learning rate; auto finds one by a range test"
    ),
    argument("--lr-schedule", choices=[*map(str, LearningRateSchedule)], help="let the rate fall over the whole training"),
    argument("--optimizer", metavar="NAME", help="sgd, rmsprop, adam, adamw or any other of Keras; adam if nothing says"),
    argument("--momentum", type=float, metavar="M", help="of SGD and RMSprop"),
    argument("--weight-decay", type=float, metavar="W", help="decoupled weight decay of the optimizer"),
    argument("--l2", type=float, metavar="W", help="L2 penalty on the kernels of all layers"),
    argument("--dropout", type=float, metavar="RATE", help="rate of all Dropout layers"),
    argument("--loss", metavar="NAME", help="mse, cross-entropy (the form that fits the targets) or any other of Keras"),
    argument("--metrics", nargs="+", metavar="NAME", help="metrics of Keras: accuracy mae …"),
    argument(
        "--early-stop", type=int, metavar="PATIENCE", help="stop after so many epochs without a better one; restore the best"
    ),
    argument("--monitor", metavar="METRIC", help="which decides what is best: val_loss, else loss; NAME:max or NAME:min"),
    argument("--callbacks", nargs="+", metavar="EXPR", help="Keras callbacks besides the cell's own"),
    argument("--steps-per-epoch", type=int, metavar="N", help="for data without an end"),
    argument("--validation-steps", type=int, metavar="N", help="for validation data without an end"),
    argument("--initial-epoch", type=int, metavar="N", help="number of the first epoch, from 0"),
    argument("--seed", type=int, metavar="N", help="seed Python, NumPy, TensorFlow and Keras before the cell"),
    argument(
        "--deterministic",
        action="store_true",
        default=None,
        help="use deterministic operations; slower, until the kernel restarts",
    ),
    argument("--allow-nan", action="store_true", default=None, help="go on when data or loss hold NaN or infinity"),
    argument_group("engine"),
    argument("--strategy", metavar="WHICH", help="auto, cpu, gpu, gpu:N or mirrored; %%devices tells what there is"),
    argument("--precision", choices=[*map(str, Precision)], help="dtype policy of the layers that the cell makes"),
    argument("--plan", choices=[*map(str, Plan)], help="how an epoch is executed; with --seed auto does not change it midway"),
    argument_group("tracking"),
    argument("--register", metavar="MODEL", help="put the best model under a new version of this name"),
    argument("--tag", dest="tags", action="append", type=key_value, metavar="KEY=VALUE", help="label the run; may repeat"),
    argument("--note", nargs="+", metavar="TEXT", help="a remark for the record"),
    argument("--histograms", type=int, metavar="N", help="for TensorBoard: distributions of the weights every N epochs"),
    argument("--graph", action="store_true", default=None, help="for TensorBoard: the operations of the model"),
    argument(
        "--confusion", action="store_true", default=None, help="for TensorBoard: a classifier's confusion matrix after each epoch"
    ),
    argument("--no-track", dest="track", action="store_false", default=None, help="record nothing, write nothing"),
)


def training_options(magic: Callable[..., None]) -> Callable[..., None]:
    """Declare the options of a training on a magic, as the `@argument`s in this place would."""
    for option in reversed(_OPTIONS):
        magic = option(magic)
    return magic


def train_spec(options: Mapping[str, Any], settings: MLTrain, *, with_defaults: bool = True) -> TrainSpec:
    """Return what a line asks for, over the defaults of the settings and of the project.

    Args:
        options: of the line; None where one is not given.
        settings: of the notebook.
        with_defaults: False where a run goes on with the options that it began with.

    Raises:
        OptionError: an option or a default does not exist or has a value that it cannot have.
    """
    given = {name: value for name, value in options.items() if name in _FIELDS and value is not None}
    for name in ("data", "validation_data", "sample_weight", "class_weight", "callbacks", "note", "checkpoint_every"):
        if name in given:
            given[name] = " ".join(given[name])
    if "metrics" in given:
        given["metrics"] = tuple(" ".join(given["metrics"]).replace(",", " ").split())
    if "tags" in given:
        given["tags"] = dict(given["tags"])
    defaults = {name.replace("-", "_"): value for name, value in project_settings().items()}
    for name in defaults.keys() - _FIELDS - _NOT_TRAINING:
        hint = f": set it with %config MLTrain.{name}" if settings.has_trait(name) else did_you_mean(name, _FIELDS)
        raise OptionError(f"expected options in [tool.jupyter_mltrain], received {name!r}{hint}")
    merged = {**{n: v for n, v in defaults.items() if n in _FIELDS}, **settings.training_defaults()} if with_defaults else {}
    merged |= given
    for name, kind in (("precision", Precision), ("plan", Plan), ("lr_schedule", LearningRateSchedule)):
        if name in merged:
            merged[name] = chosen(name, kind, merged[name])
    return TrainSpec(**merged)
