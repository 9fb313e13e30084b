"""From the text of a line to options, with IPython's `magic_arguments` and messages for people."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from typing import Any

from IPython.core.error import UsageError

from jupyter_mltrain.domain.checkpoints import ALL, All
from jupyter_mltrain.domain.errors import OptionError, UnknownNameError, did_you_mean
from jupyter_mltrain.domain.spec import AUTO, Auto

_VARIABLE = re.compile(r"\{([A-Za-z_]\w*)\}")
_INVALID = re.compile(r"argument (?P<option>[^:]+): invalid (?P<kind>\w+)(?: value|): (?P<value>.*)", re.DOTALL)
_WORD = re.compile(r"""(?:"[^"]*"|'[^']*'|\S)+""")
_QUOTED = re.compile(r""""[^"]*"|'[^']*'""")
_MISSING = "the following arguments are required: "
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "int_or_auto": "a whole number or auto",
    "float_or_auto": "a number or auto",
    "int_or_all": "a whole number or all",
}


def parse(magic: Callable[..., Any], line: str, namespace: Mapping[str, Any]) -> argparse.Namespace:
    """Parse a line for a magic that is decorated with `magic_arguments`.

    `{name}` stands for the text of a variable; quotes around a whole word are taken off. The first sub-command of a magic
    that has some is taken where the line names none.

    Raises:
        OptionError: an option, a sub-command or a value that the magic does not have.
        UnknownNameError: a variable that does not exist.
    """
    parser: argparse.ArgumentParser = magic.parser  # type: ignore[attr-defined]
    words = [_unquoted(word) for word in _WORD.findall(expanded(line, namespace))]
    commands = subcommands(parser)
    if commands and (not words or words[0].startswith("-")):
        words.insert(0, next(iter(commands)))
    try:
        return parser.parse_args(words)
    except UsageError as error:
        chosen = commands.get(words[0], parser) if commands else parser
        raise OptionError(_explained(str(error), chosen)) from error


def expanded(line: str, namespace: Mapping[str, Any]) -> str:
    """Put the text of variables in place of their `{name}`; other braces are Python and stay."""

    def text(match: re.Match[str]) -> str:
        name = match[1]
        if name not in namespace:
            public = [each for each in namespace if not each.startswith("_")]
            raise UnknownNameError(f"expected a variable of the notebook, received {{{name}}}{did_you_mean(name, public)}")
        return str(namespace[name])

    return _VARIABLE.sub(text, line)


def key_value(text: str) -> tuple[str, str]:
    """Return key and value of `KEY=VALUE`, or of `KEY`, whose value is empty; the type of `--tag`."""
    key, _, value = text.partition("=")
    if not key:
        raise OptionError(f"expected --tag KEY=VALUE or KEY, received {text!r}: give it a key")
    return key, value


def int_or_auto(text: str) -> int | Auto:
    """Return the number or `auto`; the type of `--batch-size`."""
    return AUTO if text == AUTO else int(text)


def float_or_auto(text: str) -> float | Auto:
    """Return the number or `auto`; the type of `--lr`."""
    return AUTO if text == AUTO else float(text)


def int_or_all(text: str) -> int | All:
    """Return the number or `all`; the type of `--keep-checkpoints`."""
    return ALL if text == ALL else int(text)


def flags(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Return the parser's options by their long names."""
    return {flag: action for action in parser._actions for flag in action.option_strings if flag.startswith("--")}  # noqa: SLF001


def positionals(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the parser's arguments that have no option's name, in their order."""
    return [action for action in parser._actions if not action.option_strings and action is not subparsers(parser)]  # noqa: SLF001


def subparsers(parser: argparse.ArgumentParser) -> Any:
    """Return what a parser keeps its sub-commands in; None where it has none."""
    return next((action for action in parser._actions if isinstance(action, argparse._SubParsersAction)), None)  # noqa: SLF001


def subcommands(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """Return the parsers of the sub-commands by their names, in the order of their declaration."""
    found = subparsers(parser)
    return found.choices if found else {}


def _unquoted(word: str) -> str:
    return word[1:-1] if _QUOTED.fullmatch(word) else word


def _explained(message: str, parser: argparse.ArgumentParser) -> str:
    manual = f"%{parser.prog.split()[0]}? is the manual"
    if message.startswith("unrecognized arguments: "):
        return _unrecognized(message.removeprefix("unrecognized arguments: ").split()[0], parser, manual)
    if message.startswith(_MISSING):
        return f"expected {message.removeprefix(_MISSING)} for %{parser.prog}, received none: {manual}"
    invalid = _INVALID.fullmatch(message)
    if invalid is None:
        return f"expected {message.removeprefix('argument ').replace(': expected', ' with')}: {manual}"
    option, kind, value = invalid["option"].split("/")[-1], invalid["kind"], invalid["value"]
    if kind == "choice":
        received = value.partition(" (choose from ")[0]
        actions = {**flags(parser), **{str(each.metavar): each for each in positionals(parser)}, "command": subparsers(parser)}
        known = list(map(str, actions[option].choices))
        near = did_you_mean(received.strip("'\""), known)
        hint = near if "did you mean" in near else f": {manual}"
        return f"expected {option} {', '.join(known)}, received {received}{hint}"
    return f"expected {_KINDS.get(kind, kind)} for {option}, received {value}: {manual}"


def _unrecognized(received: str, parser: argparse.ArgumentParser, manual: str) -> str:
    if not received.startswith("-"):
        return f"expected nothing more for %{parser.prog}, received {received!r}: put quotes around what belongs together"
    near = did_you_mean(received.partition("=")[0], flags(parser))
    return f"expected an option of %{parser.prog}, received {received!r}{near}" + (
        "" if "did you mean" in near else f"; {manual}"
    )
