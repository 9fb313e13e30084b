"""Tab on the line of a magic of ours: sub-commands, options, their values, and the names that there are."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.magic import Magics

from jupyter_mltrain.magics.options import flags, positionals, subcommands
from jupyter_mltrain.services.aliases import alias_names
from jupyter_mltrain.services.forking import fork_names
from jupyter_mltrain.services.registry import model_names, version_names
from jupyter_mltrain.services.run_order import COLUMNS
from jupyter_mltrain.services.runs import metric_names, resumable_names, run_names
from jupyter_mltrain.services.searches import search_names
from jupyter_mltrain.services.session import Session

_LINE = re.compile(r"\s*(?P<magic>%%?\w+)\s+(?P<rest>.*)")
_BETWEEN_NAMES = re.compile(r"[,=:(\[{*/+]")  # in a list, in an expression, and before the value in --option=value
_MODEL = re.compile(r"%models\s+\w+\s+([^\s@]+)\s")
_DATA = re.compile(r"--data[\s=]+([^\W\d]\w*)")
_METRICS = ("val_loss", "loss", "val_accuracy", "accuracy")
KNOWN = {
    "strategy": ("auto", "cpu", "gpu", "mirrored"),
    "optimizer": ("adam", "adamw", "rmsprop", "sgd"),
    "loss": ("cross-entropy", "mse", "mae"),
    "metrics": ("accuracy", "mae", "mse"),
    "batch_size": ("auto",),
    "parallel": ("auto",),
    "learning_rate": ("auto",),
    "checkpoint_every": ("never",),
    "keep_checkpoints": ("all",),
    "oracle": ("tpe", "random", "grid", "bayesian", "hyperband"),
}
"""What an option is often given, by the name of its value."""

_KINDS = {
    "EXPR": "variable",
    "variable": "variable",
    "model": "variable",
    "RUN": "run",
    "RUN|last": "resumable",
    "RUN@EPOCH": "fork",
    "SEARCH": "search",
    "TRIAL": "trial",
    "name": "run",
    "MODEL": "model",
    "VERSION": "version",
    "ALIAS": "alias",
    "METRIC": "metric",
    "COLUMN": "column",
    "FIELD": "field",
}

Offer = tuple[str, Iterable[str]]  # what kind of things they are, and their texts

IDENTIFIER = "jupyter_mltrain"


def complete_lines(shell: Any, session: Session, magics: Sequence[Magics]) -> None:
    """Let the shell complete the lines of these magics; the lines of a cell below them stay as they were."""
    parsers = {
        sign + name: getattr(each, method).parser
        for each in magics
        for sign, kind in (("%", "line"), ("%%", "cell"))
        for name, method in type(each).magics[kind].items()
    }
    completer = LineCompleter(shell, session, parsers)

    @context_matcher(identifier=IDENTIFIER, priority=60)
    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        try:
            typed, found = completer.complete(context.text_until_cursor)
        except Exception:  # noqa: BLE001 - objects of any kind and a damaged home are looked at, and Tab must not print
            typed, found = "", []
        return SimpleMatcherResult(completions=found, suppress=bool(found), matched_fragment=typed, ordered=True)

    shell.Completer.custom_matchers.append(matcher)


class LineCompleter:
    """Tells what may stand at the end of a line.

    Args:
        shell: its namespace is where variables are looked for.
        session: its home is where runs and models are looked for; it is not made for that.
        parsers: by the magic's name as it is typed.
    """

    def __init__(self, shell: Any, session: Session, parsers: Mapping[str, argparse.ArgumentParser]) -> None:
        self._shell, self._session, self._parsers = shell, session, parsers

    def complete(self, text: str) -> tuple[str, list[SimpleCompletion]]:
        """Return what is typed of a name so far, and what it may become; nothing for lines of others."""
        line = _LINE.match(text)
        if line is None or line["magic"] not in self._parsers:
            return "", []
        *words, token = re.split(r"\s+", line["rest"])
        parser, words, commands = _command(self._parsers[line["magic"]], words, token)
        if commands:
            return token, _starting(token, ("command", commands))
        action = _open_option(parser, words, token)
        if action is None and token.startswith("-"):
            return token, _starting(token, ("option", flags(parser)))
        typed = _BETWEEN_NAMES.split(token)[-1]
        if action is not None:
            return typed, _starting(typed, self._values(action, typed, text))
        positional = _open_positional(parser, words)
        found = _starting(typed, self._values(positional, typed, text)) if positional else []
        return typed, found if token else found + _starting("", ("option", flags(parser)))

    def _values(self, action: argparse.Action, typed: str, text: str) -> Offer:
        """Return what an argument takes: by what stands for its value in the manual, else by where it goes."""
        if action.choices:
            return "value", map(str, action.choices)
        kind = _KINDS.get(str(action.metavar)) or _KINDS.get(action.dest, "value")
        texts: dict[str, Callable[[], Iterable[str]]] = {
            "variable": self._variables,
            "column": lambda: self._columns(text),
            "run": lambda: (*self._recorded(run_names, typed), *self._recorded(search_names, typed)),
            "resumable": lambda: ("last", *self._recorded(resumable_names)),
            "fork": lambda: self._recorded(fork_names, typed),
            "search": lambda: self._recorded(search_names, typed),
            "trial": lambda: ("best", *self._recorded(search_names, typed)),
            "model": lambda: self._recorded(model_names, typed),
            "version": lambda: self._of_model(version_names, text),
            "alias": lambda: self._of_model(alias_names, text),
            "metric": lambda: dict.fromkeys((*_METRICS, *self._recorded(metric_names))),
            "field": lambda: (*COLUMNS, *(f"metrics.{name}" for name in self._recorded(metric_names))),
            "value": lambda: KNOWN.get(action.dest, ()),
        }
        return kind, texts[kind]()

    def _recorded(self, names: Callable[..., Iterable[str]], *begun: str) -> Iterable[str]:
        return names(self._session, *begun) if self._session.home.exists() else ()

    def _of_model(self, names: Callable[..., Iterable[str]], text: str) -> Iterable[str]:
        """Return names of what belongs to the model that the line names first."""
        model = _MODEL.search(text)
        return self._recorded(names, model[1]) if model else ()

    def _variables(self) -> list[str]:
        hidden = self._shell.user_ns_hidden
        public = {name: value for name, value in self._shell.user_ns.items() if name not in hidden and name[0] != "_"}
        return sorted(name for name, value in public.items() if not isinstance(value, ModuleType))

    def _columns(self, text: str) -> list[str]:
        """Return the columns of the data that the line names."""
        named = _DATA.search(text)
        data = self._shell.user_ns.get(named[1]) if named else None
        columns = getattr(data, "columns", data if isinstance(data, dict) else ())
        return [f'"{column}"' if " " in str(column) else str(column) for column in columns]


def _command(
    parser: argparse.ArgumentParser, words: list[str], token: str
) -> tuple[argparse.ArgumentParser, list[str], Iterable[str]]:
    """Return the parser that the line goes to and the words that are its own, or the sub-commands that may be named."""
    commands = subcommands(parser)
    if not commands:
        return parser, words, ()
    if words and words[0] in commands:
        return commands[words[0]], words[1:], ()
    return next(iter(commands.values())), words, () if words or token.startswith("-") else commands


def _open_option(parser: argparse.ArgumentParser, words: Sequence[str], token: str) -> argparse.Action | None:
    """Return the option whose value the cursor stands at, after a space or after `=`."""
    known = flags(parser)
    if token.startswith("-"):
        return known.get(token.partition("=")[0]) if "=" in token else None
    given = [i for i, word in enumerate(words) if word.startswith("-")]
    action = known.get(words[given[-1]]) if given else None
    if action is None or action.nargs == 0:
        return None
    is_open = action.nargs == argparse.ONE_OR_MORE or given[-1] == len(words) - 1
    return action if is_open else None


def _open_positional(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Action | None:
    """Return the argument without a name that may follow; they stand before the options."""
    known = positionals(parser)
    if not known or any(word.startswith("-") for word in words):
        return None
    if len(words) < len(known):
        return known[len(words)]
    return known[-1] if known[-1].nargs in (argparse.ONE_OR_MORE, argparse.ZERO_OR_MORE) else None


def _starting(typed: str, offer: Offer) -> list[SimpleCompletion]:
    kind, texts = offer
    return [SimpleCompletion(text, type=kind) for text in texts if text.startswith(typed)]
