"""Checkpoints that come quicker than the disk takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import pytest

from jupyter_mltrain.domain.checkpoints import ALL
from jupyter_mltrain.engine.checkpoints.keeper import Keeper


@dataclass
class Slow:
    """A disk that takes a checkpoint when it is told to."""

    written: list[int] = field(default_factory=list)
    begun: Event = field(default_factory=Event)
    is_quick: Event = field(default_factory=Event)


@dataclass
class Numbered:
    number: int
    disk: Slow
    is_end: bool = False

    def write(self, _folder: Path, _keep: Any) -> None:
        self.disk.begun.set()
        self.disk.is_quick.wait()
        self.disk.written.append(self.number)


def write(keeper: Keeper, disk: Slow, *numbers: int) -> None:
    for number in numbers:
        keeper.write(Numbered(number, disk, is_end=number == 3), begun=monotonic())  # type: ignore[arg-type]


def test_the_newest_is_written_and_no_training_waits(tmp_path: Path) -> None:
    keeper, disk = Keeper(tmp_path, "1 epoch"), Slow()
    write(keeper, disk, 0)
    disk.begun.wait()
    write(keeper, disk, 1, 2)
    disk.is_quick.set()
    keeper.close()
    assert disk.written == [0, 2]


@pytest.mark.parametrize("keep", [ALL, 2])
def test_what_is_to_stay_is_written(keep: Any, tmp_path: Path) -> None:
    keeper, disk = Keeper(tmp_path, "1 epoch", keep), Slow()
    disk.is_quick.set()
    write(keeper, disk, 0, 1, 2)
    keeper.close()
    assert disk.written == [0, 1, 2]


def test_the_end_of_a_phase_gives_way_to_none(tmp_path: Path) -> None:
    keeper, disk = Keeper(tmp_path, "1 epoch"), Slow()
    disk.is_quick.set()
    write(keeper, disk, 3, 4)
    keeper.close()
    assert disk.written == [3, 4]
