"""What the live registry shows, as JSON, and what its buttons do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.alias import AliasMove
from jupyter_mltrain.domain.errors import MLTrainError, ModelFileError
from jupyter_mltrain.domain.export import ExportFormat
from jupyter_mltrain.domain.model import ModelVersion
from jupyter_mltrain.services import aliases, registry, versions
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.aliases_view import how, move_line
from jupyter_mltrain.widgets.models_view import VersionDetails
from jupyter_mltrain.widgets.said import NOTHING, said, trouble
from jupyter_mltrain.widgets.versions_view import VersionDifferences

_LONGEST = 300  # characters shown of a text


class RegistryState:
    """The registry as it is whenever it is asked for, and what came of the last command.

    Args:
        session: where the models are registered.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._said: Mapping[str, Any] = NOTHING
        self._detail: Mapping[str, Any] | None = None
        self._opened = ""  # the version whose details are shown
        self._num_commands = 0

    def snapshot(self) -> dict[str, Any]:
        """Return every model with its versions and the timelines of its aliases, all as texts; may be called in any thread."""
        try:
            found = [registry.versions_of(self._session, name) for name in registry.model_names(self._session)]
            found.sort(key=lambda each: each[0].created_at, reverse=True)
            models = [self._model(each) for each in found]
        except MLTrainError as error:
            return {"models": [], "said": trouble(error), "detail": None, "num_commands": self._num_commands}
        return {"models": models, "said": self._said, "detail": self._detail, "num_commands": self._num_commands}

    def do(self, command: Mapping[str, Any]) -> None:
        """Do what a button asks for: `open`, `promote`, `verify`, `compare` and so on; anything else only looks again."""
        self._num_commands += 1
        try:
            self._said = said(*self._done(command))
            if self._opened:
                self._detail = self._details(self._opened)
        except MLTrainError as error:
            self._said = trouble(error)

    def _done(self, command: Mapping[str, Any]) -> tuple[str, str]:
        """Return what was done in words and the call that does the same."""
        session, reason = self._session, command.get("reason", "")
        because = f", reason={reason!r}" if reason else ""
        text = call = ""
        match command:
            case {"cmd": "open", "model": name, "version": number}:
                self._opened = f"{name}@{number}"
                text, call = f"{self._opened} is below.", f"models[{self._opened!r}]"
            case {"cmd": "promote", "model": name, "version": number, "alias": alias, "seen": seen}:
                text = move_line(aliases.promote(session, name, number, alias, reason=reason, seen=seen)).text()
                call = f"models.promote({name!r}, {number}, {alias!r}{because})"
            case {"cmd": "rollback", "model": name, "alias": alias, "seen": seen}:
                text = move_line(aliases.rollback(session, name, alias, reason=reason, seen=seen)).text()
                call = f"models.rollback({name!r}, {alias!r}{because})"
            case {"cmd": "archive", "model": name, "version": number, "undo": True}:
                text = f"{aliases.unarchive(session, name, number).ref}: in use again."
                call = f"models.archive({name!r}, {number}, undo=True)"
            case {"cmd": "archive", "model": name, "version": number}:
                text = f"{aliases.archive(session, name, number, reason=reason).ref}: archived; it still loads by its number."
                call = f"models.archive({name!r}, {number}{because})"
            case {"cmd": "verify", "model": name, "version": number}:
                (found,) = versions.verify(session, name, number)
                if found.trouble:
                    raise ModelFileError(found.trouble)
                text = f"{found.version.ref}: the file is as it was registered."
                call = f"models.verify({name!r}, {number})"
            case {"cmd": "load", "model": name, "version": number}:
                text, call = f"{name}@{number}: this line loads it.", f"load_model('{name}@{number}')"
            case {"cmd": "compare", "model": name, "version": number, "with": other}:
                differences = VersionDifferences(versions.compare(session, name, int(other), number))
                title = f"{name}@{other} and {name}@{number}"
                self._opened, self._detail = "", {"title": title, "html": differences._repr_mimebundle_()["text/html"]}
                text, call = f"{title} are compared below.", f"models.diff({name!r}, {other}, {number})"
            case {"cmd": "export", "model": name, "version": number, "format": kind, "to": to}:
                version = registry.get_model(session, f"{name}@{number}")
                objects = registry.defined_in()
                path = versions.export(session, version, ExportFormat(kind), Path(to), objects)
                text = f"{version.ref}: exported as {kind} to {path}."
                call = f"models.export({name!r}, {number}, format={kind!r}, to={to!r})"
            case {"cmd": "close"}:
                self._opened, self._detail = "", None
        return text, call

    def _details(self, ref: str) -> dict[str, Any]:
        """Return what is recorded of a version as it is now."""
        version = registry.get_model(self._session, ref)
        details = VersionDetails(version, versions.run_of(self._session, version))
        return {"title": version.ref, "html": details._repr_mimebundle_()["text/html"]}

    def _model(self, found: Sequence[ModelVersion]) -> dict[str, Any]:
        moves = aliases.history(self._session, found[0].name)
        return {
            "name": found[0].name,
            "versions": [_version(version) for version in found],
            "aliases": [_alias(alias, list(group)) for alias, group in groupby(moves, lambda move: move.alias)],
        }


def _version(version: ModelVersion) -> dict[str, Any]:
    metrics = ", ".join(f"{name} {theme.number(value)}" for name, value in version.metrics.items())
    return {
        "version": version.version,
        "aliases": version.aliases,
        "archived": version.archived is not None,
        "metrics": theme.one_line(metrics, _LONGEST),
        "run": theme.visible(version.run_ref),
        "created": theme.moment(version.created_at),
        "parameters": theme.count(version.num_params),
        "size": theme.size(version.size),
    }


def _alias(alias: str, moves: Sequence[AliasMove]) -> dict[str, Any]:
    """Return an alias with its moves, the newest first."""
    return {"alias": alias, "version": moves[0].version, "moves": [_move(move) for move in moves]}


def _move(move: AliasMove) -> dict[str, Any]:
    return {
        "version": move.version,
        "from": theme.moment(move.moved_at),
        "until": "now" if move.until is None else theme.moment(move.until),
        "seconds": ((move.until or datetime.now(UTC)) - move.moved_at).total_seconds(),
        "user": theme.one_line(move.user, 100),
        "how": how(move),
        "reason": theme.one_line(move.reason, _LONGEST),
    }
