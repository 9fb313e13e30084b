"""TensorFlow without its log lines: what its C++ code writes at start goes past Python's logging, to file descriptor 2."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

_LOG_LINE = re.compile(
    rb"[IWE]\d{4} \d\d:\d\d"
    rb"|\d{4}-\d\d-\d\d [\d:.]+: [IWE] "
    rb"|WARNING: All log messages before absl"
    rb"|To enable the following instructions:"
)


def quieten() -> None:
    """Keep TensorFlow's start-up lines from the user, whoever imports it first; call it before that. Costs nothing.

    Log lines below an error are turned off in C++ for the life of the process, unless `TF_CPP_MIN_LOG_LEVEL` is set;
    errors reach Python as exceptions.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" not in sys.modules and not any(isinstance(finder, _TensorFlowFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _TensorFlowFinder())


class _TensorFlowFinder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow as everybody would, and wraps its first execution; then it leaves."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _QuietLoader(spec.loader)
        return spec


class _QuietLoader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:
            spec.loader = module.__loader__ = self._loader
        with without_log_lines():
            self._loader.exec_module(module)
            module.get_logger().setLevel(logging.WARNING)
            module.get_logger().addFilter(_is_no_retracing)
            # Looking for GPUs writes lines too, and memory growth can only be chosen before one is used.
            for gpu in module.config.list_physical_devices("GPU"):
                module.config.experimental.set_memory_growth(gpu, True)


def _is_no_retracing(record: logging.LogRecord) -> bool:
    """Leave out TensorFlow's advice on retracing, which it gives by mistake when several models are trained in a row."""
    return "triggered tf.function retracing" not in str(record.msg)


@contextmanager
def without_log_lines() -> Iterator[None]:
    """Hold back what is written to file descriptor 2; then pass on every line that is no TensorFlow log line."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        before = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            held.seek(0)
            for line in held:
                if not _LOG_LINE.match(line):
                    os.write(2, line)
            os.close(before)
