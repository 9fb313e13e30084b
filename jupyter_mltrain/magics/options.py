"""From the text of a line to options, with IPython's `magic_arguments` and messages for people."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from typing import Any

from IPython.core.error import UsageError

from jupyter_mltrain.domain.errors import OptionError, UnknownNameError, did_you_mean

_VARIABLE = re.compile(r"\{([A-Za-z_]\w*)\}")
_WORD = re.compile(r"""(?:"[^"]*"|'[^']*'|\S)+""")
_QUOTED = re.compile(r""""[^"]*"|'[^']*'""")
_INVALID = re.compile(r"argument (?P<option>[^:]+): invalid (?P<kind>\w+)(?: value|): (?P<value>.*)", re.DOTALL)
_KINDS = {"int": "a whole number", "float": "a number"}


def parse(magic: Callable[..., Any], line: str, namespace: Mapping[str, Any]) -> argparse.Namespace:
    """Parse a line for a magic that is decorated with `magic_arguments`.

    `{name}` stands for the text of a variable; quotes around a whole word are taken off.

    Raises:
        OptionError: an option or a value that the magic does not have.
        UnknownNameError: a variable that does not exist.
    """
    parser: argparse.ArgumentParser = magic.parser  # type: ignore[attr-defined]
    words = [_unquoted(word) for word in _WORD.findall(expanded(line, namespace))]
    try:
        return parser.parse_args(words)
    except UsageError as error:
        raise OptionError(_explained(str(error), parser)) from error


def expanded(line: str, namespace: Mapping[str, Any]) -> str:
    """Put the text of variables in place of their `{name}`; other braces are Python and stay."""

    def text(match: re.Match[str]) -> str:
        name = match[1]
        if name not in namespace:
            public = [each for each in namespace if not each.startswith("_")]
            raise UnknownNameError(f"expected a variable of the notebook, received {{{name}}}{did_you_mean(name, public)}")
        return str(namespace[name])

    return _VARIABLE.sub(text, line)


def flags(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Return the parser's options by their long names."""
    return {flag: action for action in parser._actions for flag in action.option_strings if flag.startswith("--")}  # noqa: SLF001


def _unquoted(word: str) -> str:
    return word[1:-1] if _QUOTED.fullmatch(word) else word


def _explained(message: str, parser: argparse.ArgumentParser) -> str:
    manual = f"%{parser.prog}? is the manual"
    if message.startswith("unrecognized arguments: "):
        received = message.removeprefix("unrecognized arguments: ").split()[0]
        if not received.startswith("-"):
            return f"expected one name and options, received {received!r} besides: put quotes around what belongs together"
        near = did_you_mean(received.partition("=")[0], flags(parser))
        return f"expected an option of %{parser.prog}, received {received!r}{near}" + (
            "" if "did you mean" in near else f"; {manual}"
        )
    invalid = _INVALID.fullmatch(message)
    if invalid is None:
        return f"expected {message.removeprefix('argument ').replace(': expected', ' with')}: {manual}"
    option, kind, value = invalid["option"].split("/")[-1], invalid["kind"], invalid["value"]
    if kind == "choice":
        received, _, choices = value.partition(" (choose from ")
        known = [choice.strip(" '\"") for choice in choices.rstrip(")").split(",")]
        return f"expected {option} {', '.join(known)}, received {received}{did_you_mean(received.strip(chr(39)), known)}"
    return f"expected {_KINDS.get(kind, kind)} for {option}, received {value}: {manual}"
