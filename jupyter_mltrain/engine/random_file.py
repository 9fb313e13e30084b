"""The state of all random generators in a file, so that what was begun without a seed can begin again."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.files import whole_file
from jupyter_mltrain.engine import randomness
from jupyter_mltrain.engine.checkpoints.packing import packed, unpacked

NAME = "random.npz"


def keep(folder: Path) -> None:
    """Write the states to the file `NAME` in a folder, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    arrays: list[np.ndarray] = []
    states = json.dumps(packed({"seeds": randomness.seeds(), "states": randomness.states()}, arrays))
    with whole_file(folder / NAME) as unfinished:
        np.savez(unfinished, *arrays, states=np.frombuffer(states.encode(), np.uint8))


def restore(file: Path) -> None:
    """Let all random generators go on from where a file has them.

    Raises:
        OptionError: there is no such file, or it holds something else.
    """
    try:
        with np.load(file, allow_pickle=False) as content:
            arrays = [content[f"arr_{number}"] for number in range(len(content.files) - 1)]
            kept = unpacked(json.loads(content["states"].tobytes()), arrays)
        randomness.set_seeds(kept["seeds"])
        randomness.set_states(kept["states"])
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise OptionError(
            f"expected the random numbers of a run, received {file}: {error}; write it anew by %runs reproduce"
        ) from error
