"""Optimizer, loss and metrics: from the line, or from what the data show where the cell left the model uncompiled."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from jupyter_mltrain.domain.errors import ModelError, OptionError, did_you_mean
from jupyter_mltrain.domain.spec import LearningRateSchedule, TrainSpec

_LOSSES = {"cross-entropy": None, "crossentropy": None, "mse": "mean_squared_error", "mae": "mean_absolute_error"}

_METRICS_BY_TARGET = {"accuracy", "acc", "crossentropy", "ce"}  # words for which Keras looks at the targets first


def apply(model: Any, spec: TrainSpec, arguments: dict[str, Any]) -> list[str]:
    """Compile a model that is not, and change a compiled one where the line says so.

    Args:
        model: a Keras model.
        spec: the line.
        arguments: of the `fit` call that follows; targets and length of the data are read from it.

    Returns:
        what was chosen or overridden, one sentence each.

    Raises:
        ModelError: neither line nor data say what to train for.
        OptionError: a name that Keras does not know, or an option that the model has no place for.
    """
    for metric in set(spec.metrics) - _METRICS_BY_TARGET:
        _known("--metrics", metric, "metrics", metric)
    said = _regularize(model, spec)
    if not model.compiled:
        objective = _objective(model, spec, arguments.get("x"), arguments.get("y"))
        optimizer = _optimizer(spec, spec.optimizer or "adam", arguments)
        metrics = list(spec.metrics) or objective.metrics
        model.compile(optimizer=optimizer, loss=objective.loss, metrics=metrics)
        names = ", ".join(metric if isinstance(metric, str) else metric.name for metric in metrics)
        said.append(f"Compiled with {type(optimizer).__name__}, {objective.name}, metrics {names or 'none'}: {objective.reason}.")
    elif spec.optimizer or spec.loss or spec.metrics or spec.lr_schedule or spec.momentum or spec.weight_decay:
        said.append(_recompile(model, spec, arguments))
    elif spec.fixed_learning_rate is not None:
        said.append(_set_learning_rate(model.optimizer, spec.fixed_learning_rate))
    return said


@dataclass(frozen=True, slots=True)
class _Objective:
    loss: Any
    name: str
    metrics: list[Any]
    reason: str


def _objective(model: Any, spec: TrainSpec, x: Any, y: Any) -> _Objective:
    wanted = spec.loss
    if wanted is not None and _LOSSES.get(wanted, wanted) is not None:
        loss = _known("--loss", wanted, "losses", _LOSSES.get(wanted) or wanted)
        return _Objective(loss, wanted, [], "as the line says")
    y_shape, y_dtype = _target_spec(x, y)
    _build(model, x)
    units = _units(model)
    if y_dtype is None or units is None:
        raise ModelError(
            f"expected a compiled model or --loss for model {model.name!r}, received neither and "
            f"{'data without targets' if y_dtype is None else 'a model whose output shape is not known yet'}: "
            "call model.compile(...) in the cell"
        )
    return _inferred(model, units, y_shape, y_dtype, asked=wanted is not None)


def _inferred(model: Any, units: int, y_shape: tuple[int | None, ...], y_dtype: str, *, asked: bool) -> _Objective:
    """Choose by the targets' dtype and the width and activation of the last layer."""
    import keras

    activation = getattr(getattr(model.layers[-1], "activation", None), "__name__", "linear")
    whole = y_dtype.startswith(("int", "uint", "bool"))
    one_hot = len(y_shape) > 1 and y_shape[-1] == units and units > 1
    if units > 1 and activation != "sigmoid" and (whole or asked or (one_hot and activation == "softmax")):
        from_logits = activation != "softmax"
        if one_hot:
            loss: Any = keras.losses.CategoricalCrossentropy(from_logits=from_logits)
            return _Objective(loss, loss.name, ["accuracy"], "the targets are one-hot")
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
        return _Objective(loss, loss.name, ["accuracy"], f"the targets are whole numbers, the model has {units} outputs")
    if activation == "sigmoid" or (units == 1 and (whole or asked)):
        from_logits = activation != "sigmoid"
        loss = keras.losses.BinaryCrossentropy(from_logits=from_logits)
        accuracy = keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0 if from_logits else 0.5)
        return _Objective(loss, loss.name, [accuracy], "the targets are of two classes")
    return _Objective("mean_squared_error", "mean_squared_error", ["mae"], "the targets are real numbers")


def _target_spec(x: Any, y: Any) -> tuple[tuple[int | None, ...], str | None]:
    element = getattr(x, "element_spec", None)
    if y is None and isinstance(element, tuple) and len(element) > 1:
        y = element[1]
    if not hasattr(y, "shape") or not hasattr(y, "dtype"):
        return (), None
    return tuple(y.shape), getattr(y.dtype, "name", str(y.dtype))


def _build(model: Any, x: Any) -> None:
    """Build a Sequential model from the shape of its data, as its first step would."""
    import keras

    element = getattr(x, "element_spec", x)
    first = element[0] if isinstance(element, tuple) else element
    shape = getattr(first, "shape", None)
    if isinstance(model, keras.Sequential) and not model.built and shape is not None:
        model.build((None, *tuple(shape)[1:]))


def _units(model: Any) -> int | None:
    outputs = getattr(model, "outputs", None) or []
    return outputs[0].shape[-1] if len(outputs) == 1 else None


def _optimizer(spec: TrainSpec, name: Any, arguments: dict[str, Any]) -> Any:
    import keras

    settings: dict[str, Any] = {}
    if spec.weight_decay is not None:
        settings["weight_decay"] = spec.weight_decay
    if spec.momentum is not None:
        settings["momentum"] = spec.momentum
    if spec.fixed_learning_rate is not None:
        settings["learning_rate"] = spec.fixed_learning_rate
    blank = name if isinstance(name, keras.optimizers.Optimizer) else _known("--optimizer", name, "optimizers", name)
    if spec.lr_schedule is not None:
        start = spec.fixed_learning_rate or float(keras.ops.convert_to_numpy(blank.learning_rate))
        settings["learning_rate"] = _schedule(spec.lr_schedule, start, _total_steps(arguments))
    try:
        return type(blank).from_config({**blank.get_config(), **settings})
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"expected settings that {type(blank).__name__} has, received {', '.join(settings)}: {error}"
        ) from error


def _known(option: str, name: str, family: str, identifier: str) -> Any:
    """Look a name up as Keras does, with a message of our own when it is not one."""
    import keras

    module = getattr(keras, family)
    try:
        return module.get(identifier)
    except ValueError as error:
        names = [
            each
            for each in dir(module)
            if each[:1].islower() and callable(getattr(module, each)) and each not in ("get", "serialize", "deserialize")
        ]
        names += [each.lower() for each in dir(module) if each[:1].isupper()]
        raise OptionError(
            f"expected {option} to name one of Keras's {family}, received {name!r}{did_you_mean(name, names)}"
        ) from error


def _schedule(kind: LearningRateSchedule, start: float, steps: int) -> Any:
    from keras.optimizers import schedules

    if kind is LearningRateSchedule.COSINE:
        return schedules.CosineDecay(start, steps)
    if kind is LearningRateSchedule.LINEAR:
        return schedules.PolynomialDecay(start, steps, end_learning_rate=0.0)
    return schedules.ExponentialDecay(start, steps, decay_rate=0.01)


def _total_steps(arguments: dict[str, Any]) -> int:
    """Return the steps of the whole `fit`, from its arguments alone."""
    epochs = arguments.get("epochs", 1) - arguments.get("initial_epoch", 0)
    steps: int | None = arguments.get("steps_per_epoch")
    x: Any = arguments["x"]
    if steps is None and hasattr(x, "cardinality"):
        steps = int(x.cardinality())
    elif steps is None and hasattr(x, "num_batches"):
        steps = x.num_batches
    elif steps is None:
        first = next((part for part in _leaves(x) if getattr(part, "shape", ())), None)
        rows = first.shape[0] * (1 - (arguments.get("validation_split") or 0)) if first is not None else 0
        steps = math.ceil(rows / (arguments.get("batch_size") or 32))
    if not steps or steps < 0:
        raise OptionError("expected data of known length for --lr-schedule, received a stream: pass --steps-per-epoch")
    return max(1, epochs * steps)


def _leaves(x: Any) -> list[Any]:
    return list(x.values()) if isinstance(x, dict) else list(x) if isinstance(x, list | tuple) else [x]


def _recompile(model: Any, spec: TrainSpec, arguments: dict[str, Any]) -> str:
    """Replace what the line names and keep the rest: Keras keeps the metrics of a model compiled without new ones."""
    old = model.optimizer
    optimizer = old
    if spec.optimizer or spec.lr_schedule or spec.momentum or spec.weight_decay:
        optimizer = _optimizer(spec, spec.optimizer or old, arguments)
    elif spec.fixed_learning_rate is not None:
        _set_learning_rate(old, spec.fixed_learning_rate)
    loss = _objective(model, spec, arguments.get("x"), arguments.get("y")).loss if spec.loss else model.loss
    model.compile(
        optimizer=optimizer,
        loss=loss,
        metrics=list(spec.metrics) or None,
        run_eagerly=model.run_eagerly,
        steps_per_execution=model.steps_per_execution,
        jit_compile=model.jit_compile,
    )
    given = ", ".join(
        option
        for option, value in {
            "--optimizer": spec.optimizer,
            "--lr": spec.fixed_learning_rate,
            "--lr-schedule": spec.lr_schedule,
            "--momentum": spec.momentum,
            "--weight-decay": spec.weight_decay,
            "--loss": spec.loss,
            "--metrics": spec.metrics,
        }.items()
        if value
    )
    return f"{given} override what the cell compiled."


def _set_learning_rate(optimizer: Any, rate: float) -> str:
    try:
        optimizer.learning_rate = rate
    except TypeError as error:
        raise OptionError(
            f"expected an optimizer with a constant learning rate for --lr {rate:g}, received one with a schedule: "
            "pass --optimizer too, or change the schedule in the cell"
        ) from error
    return f"--lr {rate:g} overrides the learning rate that the cell compiled."


def _regularize(model: Any, spec: TrainSpec) -> list[str]:
    """Set the rate of the Dropout layers and an L2 penalty on the kernels, before anything is traced."""
    import keras

    said = []
    if spec.dropout is not None:
        layers = [layer for layer in _layers(model) if isinstance(layer, keras.layers.Dropout) and layer.rate]
        if not layers:
            raise OptionError(f"expected a model with Dropout layers for --dropout, {model.name!r} has none: add one in the cell")
        for layer in layers:
            layer.rate = spec.dropout
        said.append(f"--dropout {spec.dropout:g} set in {len(layers)} layers.")
    if spec.l2 is not None:
        layers = [layer for layer in _layers(model) if hasattr(layer, "kernel_regularizer")]
        for layer in layers:
            layer.kernel_regularizer = keras.regularizers.L2(spec.l2)
            if layer.built and hasattr(layer, "kernel"):
                layer.kernel.regularizer = layer.kernel_regularizer
        said.append(f"--l2 {spec.l2:g} set on the kernels of {len(layers)} layers.")
    return said


def _layers(model: Any) -> list[Any]:
    return list(model._flatten_layers())  # noqa: SLF001 - Keras's one way to reach layers within layers
