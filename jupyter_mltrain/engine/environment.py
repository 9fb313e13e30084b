"""What a result hangs on besides code and data: versions, machine, threads, the state of the repository."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import subprocess
import sys
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.device import Device
from jupyter_mltrain.engine.devices import processor

# By name: others that begin alike hold secrets (TF_TOKEN_… of Terraform).
_VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "KERAS_BACKEND",
    "OMP_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "TF_CUDNN_DETERMINISTIC",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)


def facts(found: tuple[Device, ...]) -> dict[str, Any]:
    """Return the environment of a run, ready for JSON."""
    import tensorflow as tf

    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "processor_count": os.cpu_count(),
        "packages": packages(),
        "devices": [f"{device.name} {device.description}".strip() for device in found],
        "git": repository(Path.cwd()),
        "threads": {
            "inter_op": tf.config.threading.get_inter_op_parallelism_threads(),
            "intra_op": tf.config.threading.get_intra_op_parallelism_threads(),
        },
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "environment": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
    }


def search_path() -> str:
    """Return this process's module search path as `PYTHONPATH` hands it to another."""
    return os.pathsep.join(folder or str(Path.cwd()) for folder in sys.path)


@functools.cache
def packages() -> dict[str, str]:
    """Return every installed distribution with its version."""
    texts = (each.read_text("METADATA") or each.read_text("PKG-INFO") or "" for each in importlib.metadata.distributions())
    # Without the long description that follows, which `each.metadata` parses too: 19 ms for 189 packages, and not 40.
    found = (HeaderParser().parsestr(text.partition("\n\n")[0]) for text in texts)
    return dict(sorted((headers["Name"], headers["Version"]) for headers in found if headers["Name"]))


def repository(folder: Path) -> dict[str, Any] | None:
    """Return the git commit and whether tracked files differ from it; None outside a repository or without git."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit.strip(), "dirty": None if changes is None else bool(changes.strip())}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        answer = subprocess.run(  # noqa: S603
            ["git", "--no-optional-locks", *arguments],  # noqa: S607 - the user's own git
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode == 0 else None
