"""What of a cell can be run elsewhere: its Python, without what speaks to the notebook alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from IPython.core.inputtransformer2 import TransformerManager

_CELL_MAGIC = re.compile(r"\s*%%(?P<name>\w+)(?P<line>[^\n]*)\n?(?P<body>.*)", re.DOTALL)
_TIME = "%time "
_CALL = "get_ipython()."  # what IPython makes of a line of its own
_TRAINING = ("train", "tune")
_AROUND_PYTHON = ("time", "capture", "prun")  # magics that run their body as any cell


@dataclass(frozen=True, slots=True)
class Carried:
    """A cell that is carried elsewhere.

    Attributes:
        magic: `train` or `tune`, and the rest of that `line`; both empty for an ordinary cell.
        body: the Python of the cell.
        left_out: the lines that are left out of it.
    """

    magic: str
    line: str
    body: str
    left_out: tuple[str, ...]

    @property
    def source(self) -> str:
        """The text of the cell, magic included."""
        return f"%%{self.magic} {self.line}".rstrip() + f"\n{self.body}" if self.magic else self.body


def carried(cell: str) -> Carried:
    """Return what of a cell can be run elsewhere.

    Lines of IPython become comments; where they stand in an assignment (`files = !ls`), they stay.
    """
    found = _CELL_MAGIC.fullmatch(cell)
    if found and found["name"] in _TRAINING:
        return Carried(found["name"], found["line"].strip(), *_python_of(found["body"]))
    if found and found["name"] in _AROUND_PYTHON:
        return Carried("", "", *_python_of(found["body"]))
    if found:
        return Carried("", "", "", (f"%%{found['name']}{found['line']}",))
    return Carried("", "", *_python_of(cell))


def is_python(text: str) -> bool:
    """Tell whether a text is Python, without IPython's own signs."""
    try:
        compile(text, "<cell>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):  # ValueError: a null character
        return False
    return True


def _python_of(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the text with IPython's lines as comments, and those lines."""
    if is_python(text):
        return text, ()
    given = text.lstrip("\n").splitlines()
    python = TransformerManager().transform_cell("\n".join(given)).splitlines()
    if len(python) != len(given):  # a line of IPython goes on in the next
        return text, ()
    of_notebook = [before != after and after.lstrip().startswith(_CALL) for before, after in zip(given, python, strict=True)]
    lines = [_without_magic(line) if is_out else line for line, is_out in zip(given, of_notebook, strict=True)]
    pairs = zip(given, of_notebook, strict=True)
    left_out = [line.strip() for line, is_out in pairs if is_out and not line.lstrip().startswith(_TIME)]
    return "\n".join(lines) + "\n", tuple(left_out)


def _without_magic(line: str) -> str:
    """Return the statement that `%time` takes the time of; any other line of IPython as a comment."""
    content = line.lstrip()
    indent = line[: len(line) - len(content)]
    if content.startswith(_TIME):
        return indent + content.removeprefix(_TIME)
    return f"{indent}pass  # {content}" if indent else f"# {content}"  # a block must not be empty
