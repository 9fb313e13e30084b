"""Aliases of registered models: set, move and roll them back, tell their history; and put versions out of use."""

from __future__ import annotations

from collections.abc import Mapping

from jupyter_mltrain.domain.alias import AliasMove
from jupyter_mltrain.domain.model import ModelVersion
from jupyter_mltrain.services.registry import get_model
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.services.user import user_name


def promote(
    session: Session, name: str, version: int | str, alias: str, *, reason: str = "", seen: int | None = None
) -> AliasMove:
    """Let an alias stand for a version from now on; where it does already, nothing changes.

    Args:
        session: where the model is registered.
        name: of the model.
        version: its number, or an alias of it.
        alias: a new one, or one to be moved.
        reason: why, for whoever reads the history.
        seen: the version that the alias is believed to stand for, 0 for none; left out, what it stands for at this moment.

    Raises:
        ConflictError: somebody has moved the alias since.
        OptionError: the alias cannot be one, or the version is archived.
        UnknownNameError: there is no such model or version.
    """
    target = get_model(session, f"{name}@{version}")
    seen_at = _seen(session, name, alias, seen)
    return session.store.aliases.move(name, alias, target.version, seen=seen_at, reason=reason, user=user_name())


def rollback(session: Session, name: str, alias: str, *, reason: str = "", seen: int | None = None) -> AliasMove:
    """Let an alias stand for what it stood for before its last move; again for what was before that, and so on.

    What takes back its first move takes the alias away.

    Args:
        session: where the model is registered.
        name: of the model.
        alias: the one to go back.
        reason: why, for whoever reads the history.
        seen: as for `promote`.

    Raises:
        ConflictError: somebody has moved the alias since.
        OptionError: the version to go back to was archived.
        UnknownNameError: there is no such model, or the alias stands for no version.
    """
    seen_at = _seen(session, name, alias, seen)
    return session.store.aliases.roll_back(name, alias, seen=seen_at, reason=reason, user=user_name())


def history(session: Session, name: str, alias: str | None = None) -> tuple[AliasMove, ...]:
    """Return the timeline of one alias, or of every alias of a model, alias by alias, the newest move first.

    Raises:
        UnknownNameError: there is no such model, or there never was such an alias.
    """
    moves = session.store.aliases.history(name, alias)
    return tuple(sorted(sorted(moves, key=lambda move: -move.number), key=lambda move: move.alias))


def standing(session: Session) -> Mapping[str, Mapping[str, int]]:
    """Return model to alias to the number of the version that it stands for; of models that have an alias."""
    return session.store.aliases.standing()


def archive(session: Session, name: str, version: int | str, *, reason: str = "") -> ModelVersion:
    """Put a version out of use: it is in no list, can get no alias and still loads by its number.

    Raises:
        OptionError: an alias stands for it.
        UnknownNameError: there is no such model or version.
    """
    target = get_model(session, f"{name}@{version}")
    return session.store.models.archive(name, target.version, reason=reason, user=user_name())


def unarchive(session: Session, name: str, version: int | str) -> ModelVersion:
    """Take an archived version into use again.

    Raises:
        UnknownNameError: there is no such model or version.
    """
    return session.store.models.unarchive(name, get_model(session, f"{name}@{version}").version)


def alias_names(session: Session, name: str) -> tuple[str, ...]:
    """Return the aliases of a model that stand for a version."""
    return tuple(session.store.aliases.standing(name)[name])


def _seen(session: Session, name: str, alias: str, seen: int | None) -> int | None:
    """Return what the store is told, None for no version."""
    return session.store.aliases.standing(name)[name].get(alias) if seen is None else seen or None
