"""`%%train`: the cell below becomes a watched, recorded, registered training."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import Any

from IPython.core.magic import cell_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, argument_group, kwds, magic_arguments

from jupyter_mltrain.domain.errors import OptionError, did_you_mean
from jupyter_mltrain.domain.estimate import Estimate
from jupyter_mltrain.domain.events import Event, FactsKnown, Notice
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.domain.spec import LearningRateSchedule, Plan, Precision, TrainSpec, chosen
from jupyter_mltrain.magics.cell import NotebookCell
from jupyter_mltrain.magics.commands import SessionMagics
from jupyter_mltrain.magics.display import show
from jupyter_mltrain.magics.manual import Manual
from jupyter_mltrain.magics.options import float_or_auto, int_or_auto, key_value
from jupyter_mltrain.services.home import project_settings

_FIELDS = {field.name for field in fields(TrainSpec)}
_NOT_TRAINING = {"home"}


@magics_class
class TrainMagics(SessionMagics):
    """Holds `%%train`."""

    @no_var_expand
    @cell_magic
    @magic_arguments("%train")
    @kwds(formatter_class=Manual, usage="%(prog)s [NAME] [options]")
    @argument("name", nargs="?", metavar="NAME", help="what to call the run; names may repeat")
    @argument_group("data")
    @argument("--data", nargs="+", metavar="EXPR", help="what to train on: x, y or x, y, weights; tf.data; a data frame …")
    @argument("--val", dest="validation_data", nargs="+", metavar="EXPR", help="what to validate on, as --data")
    @argument("--validation-split", type=float, metavar="SHARE", help="share of the rows held back, the last ones, 0 to 1")
    @argument("--target", metavar="COLUMN", help="column of the data frame to predict; several with commas")
    @argument("--sample-weight", nargs="+", metavar="EXPR", help="one weight a row")
    @argument("--class-weight", nargs="+", metavar="EXPR", help="a dict: class number to weight")
    @argument("--shuffle", action=argparse.BooleanOptionalAction, default=None, help="shuffle arrays before each epoch")
    @argument_group("training")
    @argument("--model", metavar="NAME", help="which model, where the cell calls no fit and builds several or none")
    @argument("--epochs", type=int, metavar="N", help="passes over the data")
    @argument(
        "--batch-size", type=int_or_auto, metavar="N", help="rows a step; 32 if nothing says otherwise; auto measures the fastest"
    )
    @argument(
        "--lr", dest="learning_rate", type=float_or_auto, metavar="RATE", help="learning rate; auto finds one by a range test"
    )
    @argument("--lr-schedule", choices=[*map(str, LearningRateSchedule)], help="let the rate fall over the whole training")
    @argument("--optimizer", metavar="NAME", help="sgd, rmsprop, adam, adamw or any other of Keras; adam if nothing says")
    @argument("--momentum", type=float, metavar="M", help="of SGD and RMSprop")
    @argument("--weight-decay", type=float, metavar="W", help="decoupled weight decay of the optimizer")
    @argument("--l2", type=float, metavar="W", help="L2 penalty on the kernels of all layers")
    @argument("--dropout", type=float, metavar="RATE", help="rate of all Dropout layers")
    @argument("--loss", metavar="NAME", help="mse, cross-entropy (the form that fits the targets) or any other of Keras")
    @argument("--metrics", nargs="+", metavar="NAME", help="metrics of Keras: accuracy mae …")
    @argument(
        "--early-stop", type=int, metavar="PATIENCE", help="stop after so many epochs without a better one; restore the best"
    )
    @argument("--monitor", metavar="METRIC", help="which decides what is best: val_loss, else loss; NAME:max or NAME:min")
    @argument("--callbacks", nargs="+", metavar="EXPR", help="Keras callbacks besides the cell's own")
    @argument("--steps-per-epoch", type=int, metavar="N", help="for data without an end")
    @argument("--validation-steps", type=int, metavar="N", help="for validation data without an end")
    @argument("--initial-epoch", type=int, metavar="N", help="number of the first epoch, from 0")
    @argument("--seed", type=int, metavar="N", help="seed Python, NumPy, TensorFlow and Keras before the cell")
    @argument(
        "--deterministic",
        action="store_true",
        default=None,
        help="use deterministic operations; slower, until the kernel restarts",
    )
    @argument("--allow-nan", action="store_true", default=None, help="go on when data or loss hold NaN or infinity")
    @argument_group("engine")
    @argument("--strategy", metavar="WHICH", help="auto, cpu, gpu, gpu:N or mirrored; %%devices tells what there is")
    @argument("--precision", choices=[*map(str, Precision)], help="dtype policy of the layers that the cell makes")
    @argument("--plan", choices=[*map(str, Plan)], help="how an epoch is executed; with --seed auto does not change it midway")
    @argument(
        "--dry-run",
        action="store_true",
        default=None,
        help="run the cell up to its first fit, and show what that would need in place of doing it",
    )
    @argument_group("tracking")
    @argument("--register", metavar="MODEL", help="put the best model under a new version of this name")
    @argument("--tag", dest="tags", action="append", type=key_value, metavar="KEY=VALUE", help="label the run; may repeat")
    @argument("--note", nargs="+", metavar="TEXT", help="a remark for the record")
    @argument("--no-track", dest="track", action="store_false", default=None, help="record nothing, write nothing")
    @argument("--as", dest="variable", metavar="NAME", help="variable for the run, else run; for the estimate, else estimate")
    def train(self, line: str, cell: str) -> None:
        """Train what the cell below fits or builds, show it live, and record it.

        Examples::

            %%train digits --epochs 20 --early-stop 3 --register digits
            model.fit(x_train, y_train, validation_data=(x_val, y_val))

            %%train --data x_train, y_train --validation-split 0.2 --lr 0.01
            keras.Sequential([keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")])

        Every fit of a Keras model in the cell is done by the engine; options win over its arguments. A cell that calls no
        fit is trained on --data: the value of its last line, else the one model that it assigns, else --model. The cell
        runs once, in the notebook's namespace; afterwards `run` holds what came of it. With --dry-run the cell runs up to
        its first fit, nothing is trained or recorded, and `estimate` holds what the training would need.
        """
        with self._parsed(self.train, line) as options:
            spec = self._spec(vars(options))
            body = NotebookCell(self.shell, "%%train", line, cell)
            if spec.dry_run:
                self.shell.user_ns[options.variable or "estimate"] = self._estimate(spec, body)
            else:
                self.shell.user_ns[options.variable or "run"] = self._train(spec, body)

    def _spec(self, options: dict[str, Any]) -> TrainSpec:
        options = {name: value for name, value in options.items() if name in _FIELDS and value is not None}
        for name in ("data", "validation_data", "sample_weight", "class_weight", "callbacks", "note"):
            if name in options:
                options[name] = " ".join(options[name])
        if "metrics" in options:
            options["metrics"] = tuple(" ".join(options["metrics"]).replace(",", " ").split())
        if "tags" in options:
            options["tags"] = dict(options["tags"])
        defaults = {name.replace("-", "_"): value for name, value in project_settings().items()}
        for name in defaults.keys() - _FIELDS - _NOT_TRAINING:
            hint = f": set it with %config MLTrain.{name}" if self._settings.has_trait(name) else did_you_mean(name, _FIELDS)
            raise OptionError(f"expected options in [tool.jupyter_mltrain], received {name!r}{hint}")
        merged = {**{n: v for n, v in defaults.items() if n in _FIELDS}, **self._settings.training_defaults(), **options}
        for name, kind in (("precision", Precision), ("plan", Plan), ("lr_schedule", LearningRateSchedule)):
            if name in merged:
                merged[name] = chosen(name, kind, merged[name])
        return TrainSpec(**merged)

    def _estimate(self, spec: TrainSpec, cell: NotebookCell) -> Estimate:
        from jupyter_mltrain.services.estimating import estimate
        from jupyter_mltrain.widgets.estimate_view import EstimateView

        estimated = estimate(spec, cell)
        show(EstimateView(estimated))
        return estimated

    def _train(self, spec: TrainSpec, cell: NotebookCell) -> Run:
        from jupyter_mltrain.services.training import train
        from jupyter_mltrain.widgets.curves import CurvesPicture
        from jupyter_mltrain.widgets.rate_picture import RatePicture
        from jupyter_mltrain.widgets.run_view import RunResult
        from jupyter_mltrain.widgets.train_view import TrainView

        notices: list[str] = []
        range_tests: list[Any] = []
        with TrainView(spec.name or "run", live=self._settings.live) as view:

            def on_event(event: Event) -> None:
                if isinstance(event, Notice):
                    notices.append(event.text)
                elif isinstance(event, FactsKnown):
                    range_tests[:] = event.facts.get("lr_range", range_tests)
                view.on_event(event)

            run, value = train(self.session, spec, cell, on_event=on_event, control=view.control)
        if value is not None:
            self.shell.displayhook(value)
        show(RunResult(run, notices=tuple(notices)))
        if run.epochs:
            show(CurvesPicture((run,)))
        show(*(RatePicture(test) for test in range_tests))
        return run
