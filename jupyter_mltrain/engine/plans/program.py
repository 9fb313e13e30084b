"""A model's own `train_step` or `test_step` as a program: one step, a loop over many, and that loop compiled by XLA."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property, partial
from time import perf_counter
from typing import Any

import tensorflow as tf
from keras import tree

from jupyter_mltrain.engine.plans import lowering

_SECONDS_BETWEEN_LOOKS = 0.05
_one_at_a_time = threading.Lock()


class Program:
    """The loop over the steps of a model, for batches of one structure.

    The step is traced once, at the start; the loop and its compiled form contain that trace, but where XLA needs other
    operations to be fast.

    Attributes:
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
        self._python_step, self._spec = step, spec
        self._step = tf.function(step, autograph=False, jit_compile=jit_compile or None).get_concrete_function(spec)
        self.compile_seconds = 0.3 + 2.5 * (perf_counter() - started)  # 1.5 to 6 times the trace (measured)
        self.num_operations = len(self._step.graph.get_operations())
        self._logs = self._step.structured_outputs
        is_fixed = all(log.shape.is_fully_defined() for log in tree.flatten(self._logs))
        self.most_steps = None if is_fixed else 1
        self._block = tf.function(partial(self._over_block, self._step), autograph=False, reduce_retracing=True)
        self._stream = tf.function(self._over_stream, autograph=False, reduce_retracing=True)
        self._compiled: dict[Any, Compilation] = {}

    @property
    def graph(self) -> Any:
        """The graph of one step."""
        return self._step.graph

    @property
    def variables(self) -> list[tuple[Any, Any]]:
        """Handle and dtype of every variable that the step reads or writes."""
        handles = [each for each in self._step.captured_inputs if each.dtype == tf.resource]
        known = [(each, each._handle_data) for each in handles]  # noqa: SLF001 - tables and the like have none
        return [(each, tf.dtypes.as_dtype(data.shape_and_type[0].dtype)) for each, data in known if data and data.is_set]

    def block(self, data: Any, first: int, num_steps: int) -> Any:
        """Do steps on the batches from `first` on; return the last step's logs, as tensors."""
        return self._block(data, tf.constant(first), tf.constant(num_steps))

    def stream(self, iterator: Any, num_steps: int) -> tuple[Any, int]:
        """Do at most so many steps on the batches of an iterator; return the last logs and how many were done."""
        logs, done = self._stream(iterator, tf.constant(num_steps))
        return logs, int(done)

    def compiled(self, data: Any) -> Compilation:
        """Return the compilation of `block` for data of this shape; the first call begins it in a thread of its own."""
        shapes = tuple(tuple(part.shape) for part in tree.flatten(data))
        if shapes not in self._compiled:
            self._compiled[shapes] = Compilation(partial(self._over_block, self._step_for_xla), data)
        return self._compiled[shapes]

    @cached_property
    def _step_for_xla(self) -> Any:
        if not lowering.pays_for(self._step.graph):
            return self._step
        with lowering.lowered():
            return tf.function(self._python_step, autograph=False).get_concrete_function(self._spec)

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


class Compilation:
    """A loop on its way through XLA, beside the training.

    It is compiled by running no step of it on variables that only have the shapes of the model's: XLA keeps its programs by
    shape, and the model's own variables stay free for the training meanwhile.

    Attributes:
        failure: why there is no program; None while and when there is one.
        seconds: what it took, None until then.
    """

    def __init__(self, over_block: Callable[..., Any], data: Any) -> None:
        """Begin."""
        spec = tree.map_structure(lambda part: tf.TensorSpec(part.shape, part.dtype), data)
        count = tf.TensorSpec((), tf.int32)
        self._traced = tf.function(over_block, autograph=False, jit_compile=True)
        self.failure: str | None = None
        self.seconds: float | None = None
        self._function = self._traced.get_concrete_function(spec, count, count)
        self._thread = threading.Thread(target=self._compile, args=(data,), name="mltrain-xla")
        self._thread.start()

    def wait(self, is_ending: Callable[[], bool]) -> None:
        """Wait until it is compiled or has failed, or the training is to end."""
        while self._thread.is_alive() and not is_ending():
            self._thread.join(_SECONDS_BETWEEN_LOOKS)

    def run(self, data: Any, first: int, num_steps: int) -> Any:
        """Do steps as `Program.block` does."""
        return self._function(data, tf.constant(first), tf.constant(num_steps))

    def _compile(self, data: Any) -> None:
        with _one_at_a_time:
            started = perf_counter()
            try:
                arguments = [*tf.nest.flatten(data), tf.constant(0), tf.constant(0)]
                stand_ins = self._stand_ins()
                handles = [getattr(each, "handle", each) for each in stand_ins]
                self._function._call_flat(arguments, captured_inputs=handles)  # noqa: SLF001
            except Exception as error:  # noqa: BLE001 - whatever XLA cannot do, the loop can
                self.failure = str(error).strip().partition("\n")[0][:300]
            self.seconds = perf_counter() - started

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
