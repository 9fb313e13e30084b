from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mltrain.domain.files import PARTIAL_PREFIX, whole_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def interrupted(path: Path) -> None:
    with whole_file(path) as unfinished:
        unfinished.write_text("half")
        raise KeyboardInterrupt


def test_the_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "best.weights.h5"
    path.write_text("old")
    with whole_file(path) as unfinished:
        unfinished.write_text("new")
        assert unfinished.parent == tmp_path
        assert unfinished.name.endswith(".weights.h5")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["best.weights.h5"]


def test_a_block_that_raises_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "best.keras"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        interrupted(path)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["best.keras"]


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "best.keras"):
        pass
    assert names(tmp_path) == []


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "best.keras"
    with whole_file(path) as first, whole_file(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert names(tmp_path) == ["best.keras"]


def test_a_killed_process_leaves_the_old_file_and_a_partial_one(tmp_path: Path) -> None:
    path = tmp_path / "best.keras"
    path.write_text("old")
    code = (
        "import os, pathlib, signal, sys\nfrom jupyter_mltrain.domain.files import whole_file\n"
        "with whole_file(pathlib.Path(sys.argv[1])) as unfinished:\n"
        "    unfinished.write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == -9
    assert path.read_text() == "old"
    assert [name.startswith(PARTIAL_PREFIX) for name in names(tmp_path)] == [True, False]
