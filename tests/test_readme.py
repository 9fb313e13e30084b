"""The README names every magic, command, option and setting that there is, and none that there is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import jupyter_mltrain
from jupyter_mltrain.magics.options import flags, subcommands
from jupyter_mltrain.magics.settings import MLTrain

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def section(title: str) -> str:
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """Return the cells of a section's table, without its head."""
    lines = [line.strip("|").split("|") for line in section(title).splitlines() if line.startswith("|")]
    return lines[2:]


def test_every_magic_command_and_option(ipython: Any) -> None:
    known = {}
    for sign, magics in zip(("%", "%%"), map(ipython.magics_manager.magics.get, ("line", "cell")), strict=True):
        for name, magic in magics.items():
            if magic.__module__.startswith("jupyter_mltrain"):
                parsers = {f" {command}": parser for command, parser in subcommands(magic.parser).items()} or {"": magic.parser}
                known |= {f"{sign}{name}{command}": set(flags(parser)) - {"--help"} for command, parser in parsers.items()}
    written: dict[str, set[str]] = {}
    for magic, _, options in rows("Magics"):
        command = re.match(r" `(%+\w+(?: [a-z]+)?)", magic)
        assert command, magic
        written.setdefault(command[1], set()).update(re.findall(r"`(--[\w-]+)`", options))
    only_for_one_run = {
        "--hp",
        "--dry-run",
        "--checkpoint-every",
        "--keep-checkpoints",
        "--fork",
        "--background",
        "--detach",
        "--notify",
    }
    assert known["%%train"] - known["%%tune"] == only_for_one_run  # all others are said once, in the rows of %%train
    known["%%tune"] -= known["%%train"] - {"--resume"}  # which goes on with another thing
    assert written == known


def test_every_setting() -> None:
    written = [name for row in rows("Settings") for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(written) == sorted(MLTrain.class_trait_names(config=True))


def test_all_that_is_public() -> None:
    written = set(re.findall(r"jupyter_mltrain\.(\w+)", section("From Python")))
    assert written == set(jupyter_mltrain.__all__)


@pytest.mark.parametrize("path", sorted(set(re.findall(r'(?:\]\(|src="|srcset="|python |pytest\s)([\w./]+\.\w+)', README))))
def test_what_it_points_to_is_there(path: str) -> None:
    assert (ROOT / path).is_file()
