"""A model's own `train_step` or `test_step` as a program: one step, a loop over many, and that loop compiled by XLA."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from time import perf_counter
from typing import Any

import tensorflow as tf
from keras import tree
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.eager import context
from tensorflow.python.framework.ops import gradient_registry

from jupyter_mltrain.engine.plans import lowering

_SECONDS_BETWEEN_LOOKS = 0.05
_LOOPS = {"While", "StatelessWhile"}
_one_at_a_time = threading.Lock()

tracing = threading.Lock()
"""Held while a model's step is traced beside the training, and by whoever else may run the model's Python code meanwhile."""


class Program:
    """The loop over the steps of a model, for batches of one structure.

    The step is traced at the start, and again for XLA where that needs a fixed batch size or other operations.

    Attributes:
        spec: of a batch.
        most_steps: of one call: 1 where the logs have no fixed shape, else None.
        num_operations: of the step's graph.
        compile_seconds: about what XLA will need for it; both grow with the step's graph.
    """

    def __init__(self, step: Callable[[Any], Any], spec: Any, *, jit_compile: bool | None) -> None:
        """Take a bound `train_step` or `test_step`.

        Args:
            step: called with a batch of tensors, returns the logs.
            spec: `tf.TensorSpec`s of a batch; a batch axis of None takes batches of every size.
            jit_compile: Keras's setting for the single step.
        """
        started = perf_counter()
        self._python_step, self.spec = step, spec
        self._step = _traced(tf.function(step, autograph=False, jit_compile=jit_compile or None), spec)
        self.compile_seconds = 0.3 + 2.5 * (perf_counter() - started)  # 1.5 to 6 times the trace (measured)
        if lowering.pays_for(self._step.graph):  # convolutions: they are traced anew and take longer (measured)
            self.compile_seconds *= 2.5
        operations = self._step.graph.get_operations()
        self.num_operations = len(operations)
        self._has_loop = any(operation.type in _LOOPS for operation in operations)
        self._logs = self._step.structured_outputs
        is_fixed = all(log.shape.is_fully_defined() for log in tree.flatten(self._logs))
        self.most_steps = None if is_fixed else 1
        # One trace for the full batches and the ragged last one: each costs more than many a training.
        blocks = tree.map_structure(lambda part: tf.TensorSpec([None, *part.shape], part.dtype), spec)
        count = tf.TensorSpec((), tf.int32)
        self._block = tf.function(partial(self._over_block, self._step), input_signature=(blocks, count, count), autograph=False)
        self._stream = tf.function(self._over_stream, autograph=False, reduce_retracing=True)
        self._compilations: dict[str, Compilation] = {}
        self._others: Mapping[int, Any] = {}

    @property
    def graph(self) -> Any:
        """The graph of one step."""
        return self._step.graph

    @property
    def resources(self) -> list[Any]:
        """Handles of every variable, table and the like that the step uses."""
        return [each for each in self._step.captured_inputs if each.dtype == tf.resource]

    @property
    def variables(self) -> list[tuple[Any, Any]]:
        """Handle and dtype of every variable that the step reads or writes."""
        known = [(each, each._handle_data) for each in self.resources]  # noqa: SLF001 - tables and the like have none
        return [(each, tf.dtypes.as_dtype(data.shape_and_type[0].dtype)) for each, data in known if data and data.is_set]

    def block(self, data: Any, first: int, num_steps: int, *, is_brief: bool = False) -> Any:
        """Do steps on the batches from `first` on; return the last step's logs, as tensors.

        Args:
            data: of a block.
            first: number of a batch in it, from 0.
            num_steps: how many.
            is_brief: whether too few steps follow to pay for TensorFlow's graph optimizer.
        """
        arguments = data, tf.constant(first), tf.constant(num_steps)
        with self._calling(is_brief):
            if self._others:
                return _called(self._block.get_concrete_function(), arguments, self._others)
            return self._block(*arguments)

    def run(self, compilation: Compilation, data: Any, first: int, num_steps: int) -> Any:
        """Do steps as `block` does, with what `compiled` gave once it is over."""
        return compilation.run(data, first, num_steps, self._others)

    def rebound(self, others: Mapping[int, Any]) -> Program:
        """Return the same program for the variables of another model, for blocks alone.

        Args:
            others: the `id` of each variable's handle to the handle of the one in its place.
        """
        program = copy.copy(self)
        program._others = others  # noqa: SLF001 - it is one of our own
        return program

    def stream(self, iterator: Any, num_steps: int, *, is_brief: bool = False) -> tuple[Any, int]:
        """Do at most so many steps on the batches of an iterator; return the last logs and how many were done."""
        with self._calling(is_brief):
            logs, done = self._stream(iterator, tf.constant(num_steps))
        return logs, int(done)

    def _calling(self, is_brief: bool) -> AbstractContextManager[None]:
        """Return in which context to call a loop; loops within the step (LSTM, GRU) always gain by the optimizer."""
        pays = not is_brief or self._has_loop or tf.config.list_logical_devices("GPU")
        return nullcontext() if pays else _without_graph_optimizer()

    def compiled(self, data: Any) -> Compilation:
        """Begin to compile `block` for data of this shape, in a thread of its own, or return what was begun before."""
        shape = _shape_of(data)
        if shape not in self._compilations:
            blocks: list[Callable[[Any], Callable[..., Any]]] = [self._as_traced]
            if self._may_be_fixed:
                blocks.insert(0 if self._has_loop else 1, self._of_fixed_size)
            self._compilations[shape] = Compilation(blocks, data)
        return self._compilations[shape]

    def is_compiled(self, data: Any) -> bool:
        """Tell whether `compiled` returns something that has been compiled before."""
        known = self._compilations.get(_shape_of(data))
        return known is not None and known.is_over and known.failure is None

    @property
    def _may_be_fixed(self) -> bool:
        """Whether the step means the same when it is traced for one batch size.

        Keras weighs the losses of several outputs by the batch size, and by 1 where that is open.
        """
        is_open = any(part.shape.rank and part.shape[0] is None for part in tf.nest.flatten(self.spec))
        names = list(self._logs) if isinstance(self._logs, dict) else []
        return is_open and not any(name.endswith("_loss") for name in names)

    def _as_traced(self, _data: Any) -> Callable[..., Any]:
        """Return the loop to compile with the step as it is, but for what XLA is slow at."""
        if not lowering.pays_for(self._step.graph):
            return partial(self._over_block, self._step)
        with lowering.lowered():
            return self._retraced(self.spec)

    def _of_fixed_size(self, data: Any) -> Callable[..., Any]:
        """Return the loop to compile with a step for one batch size: XLA must know it for the gradients of LSTM and GRU."""
        with lowering.lowered() if lowering.pays_for(self._step.graph) else nullcontext():
            return self._retraced(tree.map_structure(lambda part: tf.TensorSpec(part.shape[1:], part.dtype), data))

    def _retraced(self, spec: Any) -> Callable[..., Any]:
        return partial(self._over_block, _traced(tf.function(self._python_step, autograph=False), spec))

    def _no_logs(self) -> Any:
        return tree.map_structure(lambda log: tf.zeros(log.shape, log.dtype), self._logs)

    def _over_block(self, step: Any, data: Any, first: Any, num_steps: Any) -> Any:
        def one(index: Any, _logs: Any) -> Any:
            return index + 1, step(tree.map_structure(lambda part: part[index], data))

        end = first + num_steps
        return tf.while_loop(lambda index, _logs: index < end, one, (first, self._no_logs()))[1]

    def _over_stream(self, iterator: Any, num_steps: Any) -> Any:
        def one(done: Any, _more: Any, logs: Any) -> Any:
            batch = iterator.get_next_as_optional()
            more = batch.has_value()
            logs = tf.cond(more, lambda: self._step(batch.get_value()), lambda: logs)
            return done + tf.cast(more, tf.int32), more, logs

        start = (tf.constant(0), tf.constant(True), self._no_logs())
        done, _, logs = tf.while_loop(lambda done, more, _logs: more & (done < num_steps), one, start)
        return logs, done


def is_compiling() -> bool:
    """Tell whether XLA compiles something in this process, which takes cores from what is trained beside it."""
    return _one_at_a_time.locked()


@contextmanager
def _without_graph_optimizer() -> Iterator[None]:
    """While entered, let this thread call functions as they were traced.

    Grappler takes 0.06 to 0.35 s for a loop over steps of training, and makes a step on a processor 0 to 10 % faster, with LSTM
    or GRU 12 to 16 % (measured).
    """
    eager = context.context()
    before = eager.function_call_options
    config = config_pb2.ConfigProto.FromString(before.config_proto_serialized)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    eager.function_call_options = context.FunctionCallOptions(config_proto=config)
    try:
        yield
    finally:
        eager.function_call_options = before


def _shape_of(data: Any) -> str:
    return str(tree.map_structure(lambda part: part.shape, data))


def _called(concrete: Any, arguments: Any, others: Mapping[int, Any]) -> Any:
    """Call a concrete function, with others of the variables that it uses."""
    if not others:
        return concrete(*arguments)
    captured = [others.get(id(each), each) for each in concrete.captured_inputs]
    return concrete._call_flat(tf.nest.flatten(arguments), captured_inputs=captured)  # noqa: SLF001


def _traced(function: Any, *spec: Any) -> Any:
    """Return the concrete function for these shapes.

    Keras's optimizers use a custom gradient in the step, which TensorFlow registers for ever, and with it the whole graph:
    2 MB a model (measured). Nobody differentiates a step of training, so what it registered is forgotten.
    """
    registered = gradient_registry._registry  # noqa: SLF001
    known = set(registered)
    concrete = function.get_concrete_function(*spec)
    for name in registered.keys() - known:
        registered.pop(name, None)
    return concrete


class Compilation:
    """A loop on its way through XLA, beside the training.

    It is compiled by running no step of it on variables that only have the shapes of the model's: XLA keeps its programs by
    shape, and the model's own variables stay free for the training meanwhile.

    Attributes:
        failure: why there is no program; None while and when there is one.
        is_over: whether it is compiled or has failed.
    """

    def __init__(self, blocks: Sequence[Callable[[Any], Callable[..., Any]]], data: Any) -> None:
        """Begin.

        Args:
            blocks: each returns a loop to compile for data of that shape, and traces the model's step if it must; the first
                that XLA can compile is taken.
            data: of a block.
        """
        self.failure: str | None = None
        self.is_over = False
        # Without a device of its own TensorFlow would compile for the first GPU, even under `--strategy cpu`.
        self._device = tf.zeros(()).device
        self._thread = threading.Thread(target=self._compile, args=(blocks, data), name="mltrain-xla")
        self._thread.start()

    def wait(self, is_ending: Callable[[], bool]) -> None:
        """Wait until it is compiled or has failed, or the training is to end."""
        while self._thread.is_alive() and not is_ending():
            self._thread.join(_SECONDS_BETWEEN_LOOKS)

    def run(self, data: Any, first: int, num_steps: int, others: Mapping[int, Any]) -> Any:
        """Do steps as `Program.block` does, on other variables as `Program.rebound` takes them."""
        return _called(self._function, (data, tf.constant(first), tf.constant(num_steps)), others)

    def _compile(self, blocks: Sequence[Callable[[Any], Callable[..., Any]]], data: Any) -> None:
        with _one_at_a_time:
            for block in blocks:
                try:
                    with tf.device(self._device):
                        self._trace_and_compile(block, data)
                except Exception as error:  # noqa: BLE001 - whatever XLA cannot do, the loop can
                    self.failure = str(error).strip().partition("\n")[0][:300]
                else:
                    self.failure = None
                    break
            self.is_over = True

    def _trace_and_compile(self, block: Callable[[Any], Callable[..., Any]], data: Any) -> None:
        spec = tree.map_structure(lambda part: tf.TensorSpec(part.shape, part.dtype), data)
        count = tf.TensorSpec((), tf.int32)
        with tracing:
            self._traced = tf.function(block(data), autograph=False, jit_compile=True)
            self._function = _traced(self._traced, spec, count, count)
        stand_ins = self._stand_ins()
        handles = [getattr(each, "handle", each) for each in stand_ins]
        arguments = [*tf.nest.flatten(data), tf.constant(0), tf.constant(0)]
        self._function._call_flat(arguments, captured_inputs=handles)  # noqa: SLF001

    def _stand_ins(self) -> list[Any]:
        variables = {id(variable.handle): variable for variable in self._function.graph.variables}
        return [self._stand_in(variables.get(id(each)), each) for each in self._function.captured_inputs]

    def _stand_in(self, variable: Any, captured: Any) -> Any:
        if captured.dtype != tf.resource:
            return captured
        if variable is None:
            raise NotImplementedError("a resource that is no variable (a lookup table, an iterator)")
        with tf.device(variable.device):
            return tf.Variable(tf.zeros(variable.shape, variable.dtype), trainable=False)
