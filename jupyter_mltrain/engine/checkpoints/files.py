"""Checkpoint files: whole or absent, and verified when they are read.

A file is a first line, the length of a head, the head as JSON, the bytes of the arrays that it describes, and the XXH3
checksum (128 bits) of all that. Nothing in it is code.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from jupyter_mltrain.domain.checkpoints import ALL, All
from jupyter_mltrain.domain.files import PARTIAL_PREFIX, whole_file
from jupyter_mltrain.engine.checkpoints.packing import packed, unpacked

FOLDER = "checkpoints"
_FIRST_LINE = b"jupyter_mltrain checkpoint 1\n"
_BYTES_OF_LENGTH, _BYTES_OF_CHECKSUM = 8, 16
_NUM_KEPT = 2  # where nothing is asked for
SUFFIX = ".ckpt"


def write(path: Path, state: Mapping[str, Any], keep: int | All | None = None) -> None:
    """Write a checkpoint, and remove those within phases that newer ones make needless; ends of phases stay.

    Args:
        path: as `path_of` returned it; its folder is made.
        state: what `packing` can pack.
        keep: how many within phases stay, this one among them; two if None.

    Raises:
        OSError: it cannot be written; what was there is untouched.
    """
    arrays: list[Any] = []
    state = packed(dict(state), arrays)
    described = [{"dtype": _name(array.dtype), "shape": array.shape} for array in arrays]
    head = json.dumps({"state": state, "arrays": described}).encode()
    path.parent.mkdir(exist_ok=True)
    checksum = xxhash.xxh3_128()
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        for part in (_FIRST_LINE, len(head).to_bytes(_BYTES_OF_LENGTH, "little"), head, *map(_bytes, arrays)):
            checksum.update(part)
            file.write(part)
        file.write(checksum.digest())
    if keep != ALL:
        for old in [each for each in paths(path.parent) if not is_end(each)][keep or _NUM_KEPT :]:
            old.unlink(missing_ok=True)


def read(path: Path) -> dict[str, Any]:
    """Return the state that `write` was given.

    Raises:
        ValueError: the file is damaged, or of another version.
        OSError: it cannot be read.
    """
    content = np.fromfile(path, np.uint8)
    whole, checksum = content[:-_BYTES_OF_CHECKSUM], content[-_BYTES_OF_CHECKSUM:].tobytes()
    start = len(_FIRST_LINE) + _BYTES_OF_LENGTH
    if whole[: len(_FIRST_LINE)].tobytes() != _FIRST_LINE or xxhash.xxh3_128(whole.data).digest() != checksum:
        raise ValueError(f"{path.name} is damaged, or of another version")
    end = start + int.from_bytes(whole[len(_FIRST_LINE) : start].tobytes(), "little")
    head = json.loads(whole[start:end].tobytes())
    state: dict[str, Any] = unpacked(head["state"], list(_arrays(whole[end:], head["arrays"])))
    return state


def entry(path: Path, name: str) -> Any:
    """Return one entry without arrays of the state in a file, of which little is read, and nothing verified.

    Raises:
        ValueError: it has no such entry.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        file.seek(len(_FIRST_LINE))
        head = json.loads(file.read(int.from_bytes(file.read(_BYTES_OF_LENGTH), "little")))
    try:
        return unpacked(dict(head["state"]["dict"])[name], [])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path.name} has no {name}") from error


def path_of(folder: Path, phase: int, epoch: int | None, step: int = 0) -> Path:
    """Return where a checkpoint belongs.

    Args:
        folder: of the run's checkpoints.
        phase: from 1.
        epoch: Keras's number of the one that goes on or comes next; None at the end of the phase.
        step: how many of its steps are done.
    """
    return folder / f"{phase:04d}-{'end' if epoch is None else f'{epoch:06d}-{step:09d}'}{SUFFIX}"


def paths(folder: Path) -> list[Path]:
    """Return all checkpoints of a run, the newest first."""
    return sorted(folder.glob(f"[0-9]*{SUFFIX}"), reverse=True)


def remove_unfinished(folder: Path) -> None:
    """Remove what processes that died have left half written."""
    for partial in folder.glob(f"{PARTIAL_PREFIX}*"):
        partial.unlink(missing_ok=True)


def discard(run_folder: Path) -> None:
    """Remove all checkpoints of a run: it is completed."""
    shutil.rmtree(run_folder / FOLDER, ignore_errors=True)


def is_end(path: Path) -> bool:
    """Tell by its name whether a checkpoint is of the end of a phase."""
    return path.stem.endswith("end")


def _bytes(array: Any) -> Any:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _name(dtype: Any) -> str:
    """Return the name of a dtype that `_dtype` knows; those of `ml_dtypes` are all `V2` to NumPy's own way to say it."""
    return str(dtype.name) if dtype.kind == "V" else str(dtype.str)


def _dtype(name: str) -> Any:
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes  # comes with TensorFlow

        return np.dtype(getattr(ml_dtypes, name))


def _arrays(content: Any, described: list[dict[str, Any]]) -> Iterator[Any]:
    start = 0
    for each in described:
        dtype = _dtype(each["dtype"])
        end = start + dtype.itemsize * math.prod(each["shape"])
        yield content[start:end].view(dtype).reshape(each["shape"])
        start = end
